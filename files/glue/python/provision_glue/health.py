"""Health checks of the containers: exit code 0 and silence, or 1 and one line.

    python -m provision_glue.health server|agent|business-logic|serve|caddy

``caddy`` stands on this file alone: nothing else of the package is in that image.
"""

import http.client
import os
import socket
import ssl
import sys
from urllib.parse import urlsplit

MAX_POLL_AGE = 60.0


class Sick(Exception):
    """The one line."""


def server():
    """The API and its database answer."""
    from .api import API
    from .local import URL
    status, _ = API(URL, timeout=3.0).raw("GET", "/ready")
    if status != 200:
        raise Sick("/ready gives %d" % status)


def agent():
    """The agent polls: its own queue was asked for within the last minute, by the server's clock."""
    from .api import API
    from .check import check
    result = check(API.of_environment(timeout=4.0), False)
    if not result["ok"]:
        raise Sick(result["error"])
    seen = result["last_polled_age"]
    if seen is None or seen > MAX_POLL_AGE:
        raise Sick("queue %s was %s" % (result["queue"], "never polled" if seen is None else "polled %.0f s ago" % seen))


def business_logic():
    """The bridge answers to the token, and the API is there for the runs."""
    import asyncio

    from . import bridge_link, bridge_run
    from .api import API
    where = ("127.0.0.1", bridge_link.address("BRIDGE_LISTEN", "0.0.0.0:8787")[1])
    answer = asyncio.run(bridge_run.ping(bridge_link.read_token(), where))
    if isinstance(answer, int):
        raise Sick("the bridge does not answer (%d)" % answer)
    status, _ = API.of_environment(timeout=4.0).raw("GET", "/health")
    if status != 200:
        raise Sick("the API's /health gives %d" % status)


def serve():
    """Executor and agent in one."""
    business_logic()
    agent()


def caddy():
    """The proxy answers for the url's host, with a certificate where it should have one.

    Whether the certificate is trusted is for the agents to say: here any authority may have signed it."""
    url = urlsplit(os.environ["HEALTH_URL"])
    host, _, port = os.environ["HEALTH_CONNECT"].rpartition(":")
    connection = http.client.HTTPConnection(url.hostname, timeout=4.0)
    connection.sock = socket.create_connection((host.strip("[]"), int(port)), 4.0)
    if url.scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection.sock = context.wrap_socket(connection.sock, server_hostname=_server_name(url.hostname))
    connection.putrequest("GET", "/.provision/health", skip_host=True)
    connection.putheader("Host", "[%s]" % url.hostname if ":" in url.hostname else url.hostname)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read(100)
    if answer.status != 200 or body.strip() != b"caddy":
        raise Sick("another answer than ours: %d" % answer.status)


def _server_name(host):
    """The name for SNI, which has none for an address."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
            return None
        except OSError:
            pass
    return host


CHECKS = {"server": server, "agent": agent, "business-logic": business_logic, "serve": serve, "caddy": caddy}


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in CHECKS:
        print("usage: python -m provision_glue.health %s" % "|".join(CHECKS), file=sys.stderr)
        return 64
    try:
        CHECKS[arguments[0]]()
    except Exception as error:  # a health check has no other outcome than well and not well
        print("%s: %s" % (arguments[0], str(error) or type(error).__name__))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
