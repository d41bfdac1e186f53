"""Proves one agent host: a flow run is created, and has to end Completed, executed in that host's business-logic container.

    python -m provision_glue.smoke HOST [--timeout SECONDS]      in the server's container

Prints one JSON object on stdout and progress on stderr; exit code 0 if proven, else 1. A run that was not begun in time is cancelled, so that it does not
start when nobody looks.
"""

import argparse
import json
import re
import secrets
import sys
import time

from .api import API, Refused, Unreachable
from .local import URL

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
LINE = re.compile(r"provision-smoke nonce=(\w+) host=(\S+)")


def smoke(api, host, timeout):
    """The object that is printed."""
    begun = time.monotonic()
    result = {"ok": False, "host": host, "run": None, "state": None, "seconds": None, "hostname": None, "error": ""}
    try:
        _run(api, host, begun, timeout, result)
    except (Unreachable, Refused, KeyError, TypeError) as error:
        result["error"] = str(error)
    result["seconds"] = round(time.monotonic() - begun, 1)
    result["ok"] = not result["error"]
    return result


def _run(api, host, begun, timeout, result):
    deployment = api.find("/deployments/name/provision-smoke/" + host)
    if deployment is None:
        result["error"] = "there is no deployment provision-smoke/%s: the deployments are not registered" % host
        return
    nonce = secrets.token_hex(8)
    run = api.post("/deployments/%s/create_flow_run" % deployment["id"], {"parameters": {"nonce": nonce}, "state": {"type": "SCHEDULED"}})
    result["run"] = run["id"]
    path = "/flow_runs/" + run["id"]
    while True:
        if run["state"]["name"] != result["state"]:
            result["state"] = run["state"]["name"]
            say("%s: %s" % (run["name"], result["state"]))
        if run["state_type"] in FINAL:
            break
        if time.monotonic() - begun > timeout:
            _abandon(api, run)
            result["error"] = "still %s after %d s" % (result["state"], timeout)
            return
        time.sleep(0.5)
        run = api.get(path)
    if run["state_type"] != "COMPLETED":
        result["error"] = "%s: %s" % (result["state"], run["state"].get("message") or "no message")
        return
    result["hostname"] = _hostname(api, run["id"], nonce)
    expected = "business-logic-" + host
    if result["hostname"] is None:
        result["error"] = "the run left no log line of its own: where it was executed is not known"
    elif result["hostname"] != expected:
        result["error"] = "executed on %s, not on %s" % (result["hostname"], expected)


def _hostname(api, run, nonce):
    """Where the flow says that it ran. Log lines come in batches, after the state."""
    for _ in range(20):
        for row in api.all("/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}}):
            match = LINE.search(row["message"])
            if match and match.group(1) == nonce:
                return match.group(2)
        time.sleep(0.5)
    return None


def _abandon(api, run):
    kind = "CANCELLED" if run["state_type"] in ("SCHEDULED", "PENDING") else "CANCELLING"
    api.post("/flow_runs/%s/set_state" % run["id"], {"state": {"type": kind, "name": kind.capitalize(), "message": "The smoke test gave up."}})


def say(text):
    print(text, file=sys.stderr, flush=True)


def main(arguments):
    parser = argparse.ArgumentParser(prog="smoke")
    parser.add_argument("host")
    parser.add_argument("--timeout", type=float, default=120.0)
    options = parser.parse_args(arguments)
    result = smoke(API(URL, timeout=10.0), options.host, options.timeout)
    print(json.dumps(result, sort_keys=True))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
