"""Makes the deployments of a stack what its specification says, from the server's own container.

    python -m provision_glue.register <JSON

    {"stack": "prefect", "tag": TAG, "own_prefix": PREFIX, "pool": "provision", "record": "DIGEST", "agents": ["worker-1"],
     "deployments": [{"flow": "hello.py:hello", "name": "default", "queue": "default", "cron": "0 6 * * *" | "interval": 900, "timezone": "UTC",
                      "parameters": {}, "tags": []}],
     "flows": {"hello.py:hello": {"name": "hello", "description": null, "parameters": {...}}}}

Nothing of the flows is imported here: ``flows`` is what ``describe`` says of them where they are. It is data: names, texts and schemas. What is executed,
and where, stands in the rest, which is the stack file's.

What is wrong is said in a line each, exit code 65, before anything is written. Deployments that carry this stack's tag and are not in the list are deleted;
others are somebody's. The record is written last, so a registration that was cut short shows. Run again it changes nothing. A deployment that was paused
by hand stays paused.
"""

import json
import os
import sys

from .api import API, Refused, Unreachable
from .generation import prepare
from .local import URL
from .observe import RECORD

PROJECT = os.environ.get("PROVISION_PROJECT", "/opt/business")
SMOKE = "provision_glue.flows.smoke"
# An interval counts from here, so that registering again moves no schedule.
ANCHOR = "2020-01-01T00:00:00+00:00"


class Bad(Exception):
    """The specification or a flow is wrong; each argument is one line."""


def listed(specification):
    """The entries of the user's deployments, and of one smoke deployment for each agent host."""
    smoke = [{"flow": SMOKE, "name": host, "queue": specification["own_prefix"] + host} for host in specification.get("agents") or []]
    return list(specification.get("deployments") or []) + smoke


def wanted(specification, flows):
    """What to register, by the name of the flow and that of the deployment. ``flows`` is what ``describe`` says of each entrypoint."""
    result, problems = {}, []
    for entry in listed(specification):
        try:
            entrypoint = entry["flow"]
            if entrypoint not in flows:
                raise Bad("flow %s: nothing is known of it" % entrypoint)
            row = _row(flows[entrypoint], entry, specification)
            key = (flows[entrypoint]["name"], row["name"])
            if key in result:
                raise Bad("flow %s: there are two deployments named %s/%s" % ((entrypoint,) + key))
            result[key] = row
        except Bad as problem:
            problems += [line for line in problem.args if line not in problems]
    if problems:
        raise Bad(*problems)
    return result


def _row(flow, entry, specification):
    schema = flow["parameters"]
    parameters = entry.get("parameters") or {}
    unknown = sorted(set(parameters) - set(schema.get("properties") or {}))
    if unknown:
        raise Bad("flow %s: deployment %s gives parameters that the flow does not take: %s" % (entry["flow"], entry["name"], ", ".join(unknown)))
    return {
        "name": entry["name"], "entrypoint": entry["flow"], "path": None if entry["flow"] == SMOKE else PROJECT, "description": flow["description"],
        "parameters": parameters, "parameter_openapi_schema": schema, "tags": sorted(set(entry.get("tags") or []) | {specification["tag"]}),
        "work_pool_name": specification["pool"], "work_queue_name": entry["queue"], "schedules": _schedules(entry), "version": specification["record"][:40],
    }


def _schedules(entry):
    timezone = entry.get("timezone") or "UTC"
    if entry.get("cron"):
        schedule = {"cron": entry["cron"], "timezone": timezone}
    elif entry.get("interval"):
        schedule = {"interval": entry["interval"], "timezone": timezone, "anchor_date": ANCHOR}
    else:
        return []
    return [{"schedule": schedule, "active": True}]


def register(api, specification, deployments, further):
    """Writes all of it, each row with the ``further`` fields of the generation; gives the lines of what was done."""
    tag, done = specification["tag"], []
    there = {row["id"]: row for row in api.all("/deployments/filter", {"deployments": {"tags": {"all_": [tag]}}})}
    kept = set()
    for (flow, name), row in sorted(deployments.items()):
        row = dict(row, **further)
        flow_id = api.post("/flows/", {"name": flow})["id"]
        before = api.find("/deployments/name/%s/%s" % (_quote(flow), _quote(name)))
        if before is not None and tag not in before["tags"]:
            raise Bad("flow %s: there is a deployment %s/%s that provision did not make; rename or delete it" % (row["entrypoint"], flow, name))
        if not (before and _same(before, row, further)):
            body = dict(row, flow_id=flow_id, paused=bool(before and before["paused"]))
            before_id = api.post("/deployments/", body)["id"]
            done.append("deployment %s/%s: %s" % (flow, name, "updated" if before else "created"))
        else:
            before_id = before["id"]
        kept.add(before_id)
    for unwanted in sorted(set(there) - kept):
        api.call("DELETE", "/deployments/" + unwanted)
        done.append("deployment %s (%s): deleted" % (there[unwanted]["name"], unwanted))
    _write_record(api, specification["record"])
    return done


def _same(before, row, further):
    """Nothing to write: an upsert would delete the scheduled runs and make them anew."""
    schedules = [{"schedule": {k: v for k, v in s["schedule"].items() if v is not None}, "active": s["active"]} for s in before["schedules"]]
    for have, want in zip(schedules, row["schedules"]):
        have["schedule"] = {key: have["schedule"].get(key) for key in want["schedule"]}
    simple = ("entrypoint", "path", "description", "parameters", "parameter_openapi_schema", "work_pool_name", "work_queue_name", "version") + tuple(further)
    return (
        len(schedules) == len(row["schedules"]) and schedules == row["schedules"]
        and sorted(before["tags"]) == row["tags"] and all(before[key] == row[key] for key in simple)
    )


def _write_record(api, value):
    path = "/variables/name/" + RECORD
    before = api.find(path)
    if before is None:
        api.post("/variables/", {"name": RECORD, "value": value, "tags": ["provision"]})
    elif before["value"] != value:
        api.call("PATCH", path, {"value": value})


def _quote(name):
    from urllib.parse import quote
    return quote(name, safe="")


def main():
    try:
        specification = json.load(sys.stdin)
        flows = specification["flows"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        print("register: %s" % error, file=sys.stderr)
        return 65
    os.environ.update(PREFECT_API_URL=URL, PREFECT_HOME="/tmp/register")  # for what a generation does with Prefect itself
    try:
        deployments = wanted(specification, flows)
        for line in register(API(URL, timeout=30.0), specification, deployments, prepare()):
            print(line)
    except Bad as problem:
        for line in problem.args:
            print("register: %s" % line, file=sys.stderr)
        return 65
    except (Unreachable, Refused) as error:
        print("register: %s" % error, file=sys.stderr)
        return 69
    print("%d deployments registered" % len(deployments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
