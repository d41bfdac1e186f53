"""Prints what Prefect holds of a stack, as one JSON object. Read-only, run in the server's container; always exit code 0.

    python -m provision_glue.observe [--stack NAME] [--pool NAME]

Each part is {"error": "..."} where it could not be read, so that unknown is never taken for absent; {"error": ...} alone if the API gives no answer.
"""

import argparse
import json
import os
import sys

from .api import API, Refused, Unreachable
from .clock import age
from .local import DATA, URL

RECORD = "provision_registration"


def observe(api, stack, pool):
    """All parts."""
    result = {"version": api.get("/admin/version")}
    for name, part in (
        ("pool", lambda: _pool(api, pool)),
        ("queues", lambda: _queues(api, pool)),
        ("deployments", lambda: _deployments(api, stack)),
        ("registration", lambda: _registration(api)),
        ("runs", lambda: _runs(api)),
        ("volume", _volume),
    ):
        try:
            result[name] = part()
        except (Unreachable, Refused, OSError, KeyError, TypeError, ValueError) as error:
            result[name] = {"error": "%s: %s" % (type(error).__name__, error)}
    return result


def _pool(api, pool):
    """None: there is no such pool."""
    there = api.find("/work_pools/" + pool)
    return there and {"name": there["name"], "type": there["type"], "paused": there["is_paused"], "concurrency_limit": there["concurrency_limit"]}


def _queues(api, pool):
    if api.find("/work_pools/" + pool) is None:
        return []
    rows = api.all("/work_pools/%s/queues/filter" % pool, {})
    return [
        {
            "name": row["name"], "concurrency_limit": row["concurrency_limit"], "priority": row["priority"], "paused": row["is_paused"],
            "last_polled": row["last_polled"], "age": age(row["last_polled"], api.date),
        }
        for row in sorted(rows, key=lambda row: row["name"])
    ]


def _deployments(api, stack):
    """Those that provision registered for this stack."""
    tag = "provision:" + stack
    rows = api.all("/deployments/filter", {"deployments": {"tags": {"all_": [tag]}}})
    flows = {}
    if rows:
        ids = sorted({row["flow_id"] for row in rows})
        flows = {row["id"]: row["name"] for row in api.all("/flows/filter", {"flows": {"id": {"any_": ids}}})}
    found = [
        {
            "id": row["id"], "flow": flows.get(row["flow_id"], ""), "name": row["name"], "tags": sorted(row["tags"]), "queue": row["work_queue_name"],
            "pool": row["work_pool_name"], "entrypoint": row["entrypoint"], "version": row["version"], "paused": row["paused"],
            "schedules": [{"schedule": _filled(s["schedule"]), "active": s["active"]} for s in row["schedules"]],
        }
        for row in rows
    ]
    return sorted(found, key=lambda row: (row["flow"], row["name"]))


def _filled(fields):
    return {key: value for key, value in fields.items() if value is not None}


def _registration(api):
    """The record that a registration writes last, or None."""
    variable = api.find("/variables/name/" + RECORD)
    return variable and variable["value"]


def _runs(api):
    """How many runs are in flight: {"total": {state: n}, "hosts": {host name of an agent: {state: n}}}."""
    total, hosts = {}, {}
    query = {"sort": "ID_DESC", "flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "CANCELLING"]}}}}
    for row in api.all("/flow_runs/filter", query):
        state = row["state_type"]
        total[state] = total.get(state, 0) + 1
        host = (row.get("infrastructure_pid") or "").rpartition(":")[0]
        if host:
            counts = hosts.setdefault(host, {})
            counts[state] = counts.get(state, 0) + 1
    total["SCHEDULED"] = api.post("/flow_runs/count", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
    total["LATE"] = api.post("/flow_runs/count", {"flow_runs": {"state": {"name": {"any_": ["Late"]}}}})
    return {"total": total, "hosts": hosts}


def _volume():
    disk = os.statvfs(DATA)
    return {"path": DATA, "free": disk.f_bavail * disk.f_frsize, "size": disk.f_blocks * disk.f_frsize, "free_inodes": disk.f_favail}


def main(arguments):
    parser = argparse.ArgumentParser(prog="observe")
    parser.add_argument("--stack", default=os.environ.get("PROVISION_STACK", "prefect"))
    parser.add_argument("--pool", default=os.environ.get("PROVISION_POOL", "provision"))
    options = parser.parse_args(arguments)
    try:
        result = observe(API(URL, timeout=4.0), options.stack, options.pool)
    except (Unreachable, Refused) as error:
        result = {"error": str(error)}
    print(json.dumps(result, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
