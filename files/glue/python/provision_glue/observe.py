"""Prints what Prefect holds of a stack, as one JSON object. Read-only, run in the server's container; always exit code 0.

    python -m provision_glue.observe [--stack NAME] [--pool NAME]

Each part is {"error": "..."} where it could not be read, so that unknown is never taken for absent; {"error": ...} alone if the API gives no answer.
"""

import argparse
import json
import os
import sys

from . import automations
from .api import API, Refused, Unreachable
from .local import URL

RECORD = "provision_registration"


def observe(api, tag, pool):
    """All parts. Whether the API answers at all shows with the first of them."""
    there = api.find("/work_pools/" + pool)
    result = {"pool": there and {"name": there["name"]}}
    for name, part in (
        ("queues", lambda: _queues(api, pool) if there else []),
        ("deployments", lambda: _deployments(api, tag)),
        ("registration", lambda: _registration(api)),
        ("automations", lambda: automations.differences(api)),
        ("runs", lambda: _runs(api)),
    ):
        try:
            result[name] = part()
        except (Unreachable, Refused, OSError, KeyError, TypeError, ValueError) as error:
            result[name] = {"error": "%s: %s" % (type(error).__name__, error)}
    return result


def _queues(api, pool):
    return sorted(({"name": row["name"]} for row in api.all("/work_pools/%s/queues/filter" % pool, {})), key=lambda row: row["name"])


def _deployments(api, tag):
    """Those that provision registered for this stack."""
    rows = api.all("/deployments/filter", {"deployments": {"tags": {"all_": [tag]}}})
    found = [{"entrypoint": row["entrypoint"], "name": row["name"], "tags": sorted(row["tags"])} for row in rows]
    return sorted(found, key=lambda row: (row["name"], row["entrypoint"]))


def _registration(api):
    """The record that a registration writes last, or None."""
    variable = api.find("/variables/name/" + RECORD)
    return variable and variable["value"]


def _runs(api):
    """How many runs are in flight: {"hosts": {host name of an agent: {state: n}}}."""
    hosts = {}
    query = {"sort": "ID_DESC", "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}}
    for row in api.all("/flow_runs/filter", query):
        host = (row.get("infrastructure_pid") or "").rpartition(":")[0]
        if host:
            counts = hosts.setdefault(host, {})
            counts[row["state_type"]] = counts.get(row["state_type"], 0) + 1
    return {"hosts": hosts}


def main(arguments):
    parser = argparse.ArgumentParser(prog="observe")
    parser.add_argument("--stack")  # for images of former versions, which do not know PROVISION_TAG
    parser.add_argument("--pool", default=os.environ.get("PROVISION_POOL", "provision"))
    options = parser.parse_args(arguments)
    try:
        result = observe(API(URL, timeout=10.0), os.environ["PROVISION_TAG"], options.pool)
    except (Unreachable, Refused) as error:
        result = {"error": str(error)}
    print(json.dumps(result, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
