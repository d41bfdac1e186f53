"""Makes the work pool, its queues and the automations of ours as they should be. Run in the server's container, before the first agent starts: one whose pool is missing ends or waits.

    python -m provision_glue.pool '{"pool": "provision", "queues": [{"name": "default", "concurrency": 10, "priority": 1}]}'     (or -: read from stdin)

What is not said of a queue ("concurrency", "priority") stays as it is. Queues named host-* are provision's own: those not listed are
deleted. Other queues that are not listed are somebody's, and stay.
"""

import json
import sys

from . import automations
from .api import API, Refused, Unreachable
from .generation import FORMER, POOL
from .local import URL


class Wrong(Exception):
    """Something is there that this program must not change."""


def setup(api, wanted):
    """Gives the lines of what was changed; none if all was right."""
    pool, done = wanted["pool"], []
    path = "/work_pools/" + pool
    there = api.find(path)
    if there is None:
        api.post("/work_pools/", dict(POOL, name=pool, description="Made by provision."))
        done.append("pool %s: created" % pool)
    elif there["type"] not in (POOL["type"],) + FORMER:  # a type is for life
        raise Wrong("pool %s is of type %s, not %s: rename or delete it" % (pool, there["type"], POOL["type"]))
    elif "base_job_template" in POOL and there["base_job_template"] != POOL["base_job_template"]:
        api.call("PATCH", path, {"base_job_template": POOL["base_job_template"]})
        done.append("pool %s: its template put right" % pool)
    queues = {queue["name"]: queue for queue in api.all(path + "/queues/filter", {})}
    for want in wanted["queues"]:
        name = want["name"]
        fields = {field: want[key] for key, field in (("concurrency", "concurrency_limit"), ("priority", "priority")) if key in want}
        have = queues.get(name)
        if have is None:
            api.post(path + "/queues", dict(fields, name=name))
            done.append("queue %s: created" % name)
            continue
        differs = {key: value for key, value in fields.items() if have[key] != value}
        if differs:
            api.call("PATCH", path + "/queues/" + name, differs)
            done.append("queue %s: %s" % (name, ", ".join("%s %s -> %s" % (k, have[k], v) for k, v in sorted(differs.items()))))
    names = {want["name"] for want in wanted["queues"]}
    for name in sorted(queues):
        if name.startswith(wanted["own_prefix"]) and name not in names:
            api.call("DELETE", path + "/queues/" + name)
            done.append("queue %s: deleted" % name)
    return done + automations.setup(api)


def main(arguments):
    if len(arguments) != 1:
        print("usage: python -m provision_glue.pool JSON|-", file=sys.stderr)
        return 64
    wanted = json.loads(sys.stdin.read() if arguments[0] == "-" else arguments[0])
    api = API(URL, timeout=20.0)
    try:
        for line in setup(api, wanted):
            print(line)
    except Wrong as error:
        print("pool: %s" % error, file=sys.stderr)
        return 65
    except (Unreachable, Refused) as error:
        print("pool: %s" % error, file=sys.stderr)
        return 69
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
