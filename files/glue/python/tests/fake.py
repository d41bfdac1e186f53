"""A Prefect API as a table: what it answers is a function of method, path and body."""

import atexit
import json
import os
import shutil
import sys
import tempfile
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # what all generations share
GENERATION = os.environ.get("PROVISION_GENERATION", "2")
sys.dont_write_bytecode = True


def assemble():
    """The directory that has the package as an image of the generation does. In an image it is there already."""
    shared = os.path.join(HERE, "provision_glue")
    if not os.path.isdir(shared):
        import provision_glue
        return os.path.dirname(os.path.dirname(provision_glue.__file__))
    directory = tempfile.mkdtemp(prefix="provision-glue-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    own = os.path.join(os.path.dirname(os.path.dirname(HERE)), "gen" + GENERATION, "prefect", "provision_glue")
    os.mkdir(os.path.join(directory, "provision_glue"))
    for source in (shared, own):
        for name in os.listdir(source):
            if name.endswith(".py"):
                shutil.copy(os.path.join(source, name), os.path.join(directory, "provision_glue"))
    sys.path.insert(0, directory)
    return directory


GLUE = assemble()

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

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

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
