"""A Prefect API as a table: what it answers is a function of method, path and body."""

import json
import os
import sys
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

GLUE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
if GLUE not in sys.path:
    sys.path.insert(0, GLUE)
sys.dont_write_bytecode = True

NOW = 1_700_000_000.0


class Fake:
    """``answer(method, path, body, headers)`` gives (status, value); ``calls`` are those that may change something."""

    def __init__(self, test, answer):
        self.calls = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length).decode()) if length else None
                path = self.path[len("/api"):]
                if self.command != "GET" and not path.endswith(("/filter", "/count")):
                    fake.calls.append((self.command, path, body))
                status, value = answer(self.command, path, body, self.headers)
                content = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response_only(status)
                self.send_header("Date", formatdate(NOW, usegmt=True))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = "http://127.0.0.1:%d/api" % self.port
        thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        test.addCleanup(self.server.server_close)
        test.addCleanup(self.server.shutdown)

    def api(self, token=None):
        from provision_glue.api import API
        return API(self.url, token)


def page(rows, body):
    """What a filter answers."""
    offset = body.get("offset", 0)
    return rows[offset:offset + body.get("limit", 200)]
