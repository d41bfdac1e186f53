"""Is the API there for this agent, through the proxy, with its token? Prints one JSON object; exit code 0 if all is well, else 1.

    /opt/provision/entrypoint python -m provision_glue.check [--deep]

Reads the agent's own queue: the certificate is verified, the status has to be 200, and the body has to be that queue. --deep also proves that the proxy
lets nothing else through: a token with one character changed, an empty one, none, and a write with the right one. It has to refuse in the words of our
Caddyfile: a refusal by something else on the way proves nothing of it. "again" says that nothing is wrong but that no answer came: asked again, one may come.
"""

import argparse
import json
import os
import sys

from .api import API, Unreachable
from .clock import age


REFUSALS = {401: b"", 403: b"not allowed for this token"}  # the bodies, as in the Caddyfile


def queue_path():
    return "/work_pools/%s/queues/%s" % (os.environ.get("PROVISION_POOL", "provision"), os.environ["PROVISION_QUEUE"])


def check(api, deep):
    """The object that is printed."""
    path = queue_path()
    result = {"ok": False, "error": ""}
    try:
        status, body = api.raw("GET", path)
        result["status"] = status
        certificate = _certificate(api)
        if certificate:
            result["certificate"] = {"not_after": certificate.get("notAfter"), "names": [value for _, value in certificate.get("subjectAltName", ())]}
        if status != 200:
            result["error"] = "GET %s gives %d: %s" % (path, status, body[:100].decode("utf-8", "replace").strip())
            result["again"] = status >= 500
            return result
        queue = _object(body)
        if queue.get("name") != os.environ["PROVISION_QUEUE"]:
            result["error"] = "GET %s gives 200, but not the queue: something else answers" % path
            return result
        result.update(queue=queue["name"], last_polled=queue.get("last_polled"), last_polled_age=age(queue.get("last_polled"), api.date))
        if deep:
            result["deep"], wrong = _deep(api, path)
            result["error"] = "; ".join(sorted(wrong))
    except Unreachable as error:
        result.update(error=str(error), again=True)
    result["ok"] = not result["error"]
    return result


def _deep(api, path):
    """For each attempt the status seen and the one that is right, and what was wrong."""
    token = api.token or ""
    changed = ("0" if token[:1] != "0" else "1") + token[1:]
    found, wrong = {}, []

    def attempt(name, want, method, where, authorization=None):
        status, body = api.raw(method, where, {} if method == "POST" else None, authorization)
        found[name] = (status, want)
        if status != want:
            wrong.append("%s gives %d, not %d" % (name, status, want))
        elif body != REFUSALS[want]:
            wrong.append("%s gives %d, but not in Caddy's words: something else answers" % (name, status))

    for name, method, where, authorization, want in (
        ("token with one character changed", "GET", path, "Bearer " + changed, 401),
        ("empty bearer token", "GET", path, "Bearer ", 401),
        ("empty authorization", "GET", path, "", 401),
        ("write to deployments", "POST", "/deployments/", "Bearer " + token, 403),
    ):
        if want == 403 and os.environ.get("PROVISION_API") == "all":
            continue  # flows may write here, and this is their token
        attempt(name, want, method, where, authorization)
    api.token = None
    attempt("no token", 401, "GET", path)
    api.token = token
    return found, wrong


def _certificate(api):
    sock = api.connection.sock
    return sock.getpeercert() if hasattr(sock, "getpeercert") else None


def _object(body):
    try:
        value = json.loads(body.decode())
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def main(arguments):
    parser = argparse.ArgumentParser(prog="check")
    parser.add_argument("--deep", action="store_true")
    options = parser.parse_args(arguments)
    try:
        result = check(API.of_environment(timeout=10.0), options.deep)
    except (KeyError, ValueError, OSError) as error:
        result = {"ok": False, "error": "%s: %s" % (type(error).__name__, error)}
    print(json.dumps(result, sort_keys=True))
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
