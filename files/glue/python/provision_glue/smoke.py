"""Proves one agent host: a flow run is created, and has to end Completed, executed in that host's business-logic container.

    python -m provision_glue.smoke HOST [--timeout SECONDS]      in the server's container

Prints one JSON object on stdout and progress on stderr; exit code 0 if proven, else 1. SECONDS is how long the run may stay in one state: one that was
fetched and moves has more time than one that no agent fetches. A question that gets no answer is asked again meanwhile. A run that was not begun in time is
cancelled, so that it does not start when nobody looks.
"""

import argparse
import json
import re
import secrets
import sys
import time

from .api import API, Refused, Unreachable, passing
from .local import URL

FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
LINE = re.compile(r"provision-smoke nonce=(\w+) host=(\S+)")
PAUSE = 0.5
LOG_SECONDS = 60.0  # log lines come in batches, after the state
CANCEL_SECONDS = 15.0


class Patience:
    """A time until which one goes on asking."""

    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def over(self):
        return time.monotonic() > self.end

    def ask(self, question, *arguments):
        """The answer to a question that may be asked twice."""
        while True:
            try:
                return question(*arguments)
            except (Unreachable, Refused) as error:
                if not passing(error) or self.over():
                    raise
            time.sleep(PAUSE)


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
    patience = Patience(timeout)
    deployment = patience.ask(api.find, "/deployments/name/provision-smoke/" + host)
    if deployment is None:
        result["error"] = "there is no deployment provision-smoke/%s: the deployments are not registered" % host
        return
    nonce = secrets.token_hex(8)
    # The key makes the second of two such calls find the run of the first.
    asked = {"parameters": {"nonce": nonce}, "state": {"type": "SCHEDULED"}, "idempotency_key": nonce}
    run = patience.ask(api.post, "/deployments/%s/create_flow_run" % deployment["id"], asked)
    result["run"] = run["id"]
    path = "/flow_runs/" + run["id"]
    patience, kind, trouble = Patience(timeout), run["state_type"], ""
    most = Patience(3 * timeout)  # Scheduled, Pending, Running
    while True:
        if run["state"]["name"] != result["state"]:
            result["state"] = run["state"]["name"]
            say("%s: %s" % (run["name"], result["state"]))
        if run["state_type"] != kind:
            patience, kind = Patience(timeout), run["state_type"]
        if kind in FINAL:
            break
        if patience.over() or most.over():
            result["error"] = "still %s after %d s%s%s" % (result["state"], time.monotonic() - begun, trouble, _abandon(api, run))
            return
        time.sleep(PAUSE)
        try:
            run, trouble = api.get(path), ""
        except (Unreachable, Refused) as error:
            if not passing(error):
                raise
            trouble = "; the API gives no answer: %s" % error
    if kind != "COMPLETED":
        result["error"] = "%s: %s" % (result["state"], run["state"].get("message") or "no message")
        return
    result["hostname"] = _hostname(api, run["id"], nonce, Patience(min(timeout, LOG_SECONDS)))
    expected = "business-logic-" + host
    if result["hostname"] is None:
        result["error"] = "the run left no log line of its own: where it was executed is not known"
    elif result["hostname"] != expected:
        result["error"] = "executed on %s, not on %s" % (result["hostname"], expected)


def _hostname(api, run, nonce, patience):
    """Where the flow says that it ran."""
    while True:
        for row in patience.ask(api.all, "/logs/filter", {"logs": {"flow_run_id": {"any_": [run]}}}):
            match = LINE.search(row["message"])
            if match and match.group(1) == nonce:
                return match.group(2)
        if patience.over():
            return None
        time.sleep(PAUSE)


def _abandon(api, run):
    """Gives what is to be said of it beside that it was given up."""
    kind = "CANCELLED" if run["state_type"] in ("SCHEDULED", "PENDING") else "CANCELLING"
    state = {"type": kind, "name": kind.capitalize(), "message": "The smoke test gave up."}
    try:
        Patience(CANCEL_SECONDS).ask(api.post, "/flow_runs/%s/set_state" % run["id"], {"state": state})
    except (Unreachable, Refused) as error:
        return "; it is not cancelled: %s" % error
    return ""


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
