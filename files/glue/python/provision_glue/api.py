"""The Prefect API over one connection, for programs that have to be quick: importing Prefect takes seconds."""

import http.client
import json
import os
import ssl
import time
from urllib.parse import urlsplit

MAX_ANSWER = 32 << 20
PAGE = 200
MAX_IDLE = 2.0  # Prefect closes a connection that was idle for 5 s, at the very moment when it may be used again


class Unreachable(Exception):
    """No whole answer came: the peer is down, its certificate is wrong, or it was too slow."""


class Refused(Exception):
    """The API answered with a status of 400 or more."""

    def __init__(self, method, path, status, detail):
        super().__init__("%s %s: %d %s" % (method, path, status, detail))
        self.status = status


def passing(error):
    """May the same question be answered a moment later? That nothing came, or that the server is in trouble, says nothing of what was asked."""
    return isinstance(error, Unreachable) or error.status >= 500


def trust():
    """The TLS context of this container: PREFECT_API_SSL_CERT_FILE replaces the usual authorities, as it does in Prefect."""
    return ssl.create_default_context(cafile=os.environ.get("PREFECT_API_SSL_CERT_FILE") or None)


class API:
    """One connection to the API, not for several threads. ``date`` is the server's clock as of the last answer."""

    def __init__(self, url, token=None, timeout=5.0):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("no usable API url: %r" % url)
        self.base = parts.path.rstrip("/")
        self.token = token
        self.date = None
        self.last = 0.0
        if parts.scheme == "https":
            self.connection = http.client.HTTPSConnection(parts.hostname, parts.port, timeout=timeout, context=trust())
        else:
            self.connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=timeout)

    @classmethod
    def of_environment(cls, timeout=5.0):
        """The API that this container's Prefect talks to."""
        return cls(os.environ.get("PREFECT_API_URL", ""), os.environ.get("PROVISION_TOKEN") or os.environ.get("PREFECT_API_KEY") or None, timeout)

    def raw(self, method, path, body=None, authorization=None):
        """Status and body, whatever they are. ``authorization`` replaces the header made of the token; "" sends an empty one."""
        headers = {"Accept": "application/json"}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["Content-Type"] = "application/json"
        if authorization is None and self.token:
            authorization = "Bearer " + self.token
        if authorization is not None:
            headers["Authorization"] = authorization
        if time.monotonic() - self.last > MAX_IDLE:
            self.connection.close()
        try:
            self.connection.request(method, self.base + path, data, headers)
            answer = self.connection.getresponse()
            content = answer.read(MAX_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            raise Unreachable("%s %s: %s" % (method, path, error or type(error).__name__)) from None
        self.last = time.monotonic()
        self.date = answer.getheader("Date") or self.date
        if len(content) > MAX_ANSWER:
            self.connection.close()
            raise Unreachable("%s %s: the answer is longer than %d bytes" % (method, path, MAX_ANSWER))
        return answer.status, content

    def call(self, method, path, body=None):
        """The decoded answer of a request that succeeded."""
        status, content = self.raw(method, path, body)
        if status >= 400:
            raise Refused(method, path, status, content[:200].decode("utf-8", "replace"))
        if not content:
            return None
        try:
            return json.loads(content.decode())
        except (ValueError, RecursionError):
            raise Unreachable("%s %s: the answer is no JSON" % (method, path)) from None

    def get(self, path):
        return self.call("GET", path)

    def post(self, path, body):
        return self.call("POST", path, body)

    def find(self, path):
        """GET, with None for what is not there."""
        try:
            return self.get(path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    def all(self, path, query, limit=20000):
        """Every row that a filter gives, page by page; more than ``limit`` is an error, so that memory is bounded."""
        rows = []
        while True:
            page = self.post(path, dict(query, limit=PAGE, offset=len(rows)))
            rows += page
            if len(page) < PAGE:
                return rows
            if len(rows) >= limit:
                raise Unreachable("POST %s: more than %d rows" % (path, limit))

    def close(self):
        self.connection.close()
