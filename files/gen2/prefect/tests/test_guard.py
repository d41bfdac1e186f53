"""What a state or a stored result may make a process do, with Prefect itself. Each attack is shown to work where nothing guards."""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

try:
    import prefect
except ImportError:
    prefect = None

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "guard")

# In an image the guard is installed; here the directory is made one of those whose .pth files Python reads.
GUARDED = "import site, sys\nif 'provision_guard' not in sys.modules: site.addsitedir(%r)\n" % HERE
BARE = "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if type(f).__module__ != 'provision_guard']\n"

PICKLE = """
import base64, cloudpickle, os
class X:
    def __reduce__(self):
        return os.system, ("touch " + os.environ["MARK"],)
blob = base64.encodebytes(cloudpickle.dumps(X())).decode()
"""
DOCUMENT = '{"type": "COMPLETED", "name": "Completed", "data": {"encoding": "cloudpickle", "blob": blob}}'

# What one host has put into a storage that several write, and another one reads.
SHARED = PICKLE + """
import asyncio, json, sys, uuid
from prefect.blocks.core import Block
from prefect.filesystems import LocalFileSystem, RemoteFileSystem
from prefect.results import PersistedResult
open("acts_when_imported.py", "w").write("import os; open(os.environ['MARK'], 'w')")
sys.path.insert(0, os.getcwd())
storage = RemoteFileSystem(basepath="memory://shared" + os.environ["MARK"])
Block._from_block_document = lambda _: storage
class Client:
    async def read_block_document(self, _): return None
async def read(data, **serializer):
    await storage.write_path("key", json.dumps({"serializer": serializer, "data": data}).encode())
    stored = PersistedResult(serializer_type="json", storage_block_id=uuid.uuid4(), storage_key="key")
    blob = await stored._read_blob(client=Client())
    return blob.serializer.loads(blob.data)
"""

# An API in this process, which has all the time that a busy machine takes.
PATIENT = """
import prefect.client.base as base
manager = base.LifespanManager
base.LifespanManager = lambda app, **_: manager(app, startup_timeout=None, shutdown_timeout=None)
"""

ATTACKS = {
    "a data document in a state": PICKLE + "from prefect.client.schemas import State\nState.parse_obj(%s).result()" % DOCUMENT,
    "a data document in a state of a failed run": PICKLE + "from prefect.client.schemas import State\nState.parse_obj(dict(%s, type='FAILED')).result(raise_on_failure=False)" % DOCUMENT,
    "a data document in a list of states": PICKLE + textwrap.dedent("""
        from prefect import flow
        from prefect.client.schemas import State
        @flow
        def parent(): return [State.parse_obj(%s)]
        [s.result() for s in parent(return_state=True).result(raise_on_failure=False)]""") % DOCUMENT,
    "a data document of the server's schema": PICKLE + textwrap.dedent("""
        from prefect.deprecated.data_documents import DataDocument
        from prefect.server.schemas.states import State
        State(type="COMPLETED", data=DataDocument(encoding="cloudpickle", blob=blob)).result()"""),
    "a data document asked of the client": PICKLE + textwrap.dedent("""
        import asyncio
        from prefect.client.orchestration import PrefectClient
        from prefect.deprecated.data_documents import DataDocument
        asyncio.run(PrefectClient.resolve_datadoc(None, DataDocument(encoding="cloudpickle", blob=blob)))"""),
    "an exception of a JSON result": textwrap.dedent("""
        import json, os
        from prefect.serializers import JSONSerializer
        JSONSerializer().loads(json.dumps({"a": [{"__exc_type__": "os.system", "message": "touch " + os.environ["MARK"]}]}).encode())"""),
    "a type of a JSON result": textwrap.dedent("""
        import json, os, sys
        from prefect.serializers import JSONSerializer
        open("acts_when_imported.py", "w").write("import os; open(os.environ['MARK'], 'w')")
        sys.path.insert(0, os.getcwd())
        JSONSerializer().loads(json.dumps({"__class__": "acts_when_imported.x", "data": 1}).encode())"""),
    "something to import in a JSON result": textwrap.dedent("""
        import json, os, sys, pydantic.v1
        from prefect.serializers import JSONSerializer
        open("acts_when_imported.py", "w").write("import os; open(os.environ['MARK'], 'w')")
        sys.path.insert(0, os.getcwd())
        JSONSerializer().loads(json.dumps({"__class__": "pydantic.v1.PyObject", "data": "acts_when_imported.x"}).encode())"""),
    "a pickle of a shared storage": SHARED + "asyncio.run(read(blob, type='pickle'))",
    "a compressed pickle of a shared storage": SHARED + textwrap.dedent("""
        import lzma
        asyncio.run(read(base64.encodebytes(lzma.compress(blob.encode())).decode(), type="compressed", serializer={"type": "pickle"}))"""),
    "a library of a shared storage": SHARED + "asyncio.run(read('', type='pickle', picklelib='acts_when_imported'))",
    "a compression of a shared storage": SHARED + "asyncio.run(read('', type='compressed/json', compressionlib='acts_when_imported'))",
    "a JSON library of a shared storage": SHARED + "asyncio.run(read('[]', type='json', jsonlib='acts_when_imported', object_decoder=None))",
    "a decoder of a shared storage": SHARED + "asyncio.run(read(json.dumps({'touch': 1, os.environ['MARK']: 2}), type='json', object_decoder='subprocess.call'))",
    "a stored result out of its storage": PICKLE + textwrap.dedent("""
        import asyncio, json, uuid
        from types import SimpleNamespace as Row
        from prefect.blocks.core import Block
        from prefect.filesystems import LocalFileSystem
        from prefect.results import PersistedResult
        open("sent.json", "w").write(json.dumps({"serializer": {"type": "pickle"}, "data": blob}))
        os.mkdir("storage")
        Block._from_block_document = lambda _: LocalFileSystem(basepath="storage")
        class Client:
            async def read_block_document(self, _): return None
        stored = PersistedResult(serializer_type="pickle", storage_block_id=uuid.uuid4(), storage_key="../sent.json")
        blob = asyncio.run(stored._read_blob(client=Client()))
        blob.serializer.loads(blob.data)"""),
}

EACH = """
import json, os
outcomes = {}
for number, (name, attack) in enumerate(%r.items()):
    os.mkdir(str(number))
    os.chdir(str(number))
    os.environ["MARK"] = os.path.abspath("mark")
    said = ""
    try:
        exec(attack, {})
    except Exception as error:
        said = str(error)
    outcomes[name] = {"ran": os.path.exists("mark"), "said": said}
    sys.path[:] = [p for p in sys.path if p != os.getcwd()]
    sys.modules.pop("acts_when_imported", None)
    os.chdir("..")
print("\\n" + json.dumps(outcomes))
"""

# What flows do all day: with results in memory, in storage, as pickles and as JSON, from subflows, after retries, mapped, cached, failed.
FLOWS = """
import dataclasses, json, os
import pydantic.v1 as pydantic
from prefect import flow, task
from prefect.tasks import task_input_hash

class Row(pydantic.BaseModel):
    n: int

tries = []

@task(persist_result=True, result_serializer="json")
def rows(n): return [Row(n=i) for i in range(n)]
@task(persist_result=True, cache_key_fn=task_input_hash)
def twice(n): return {"n": 2 * n}
@task(retries=1)
def second_time(n):
    tries.append(n)
    if len(tries) == 1: raise RuntimeError("once")
    return n
@task(persist_result=True, result_serializer="json")
def broken(): return ValueError("kept")
@flow(persist_result=True)
def child(n): return n + 1
@flow(retries=1)
def parent():
    one = rows(3, return_state=True)
    one.data._cache = __import__("prefect").utilities.annotations.NotSet
    assert one.result() == [Row(n=0), Row(n=1), Row(n=2)], one.result()
    assert [f.result()["n"] for f in twice.map([1, 2])] == [2, 4]
    again = twice(1, return_state=True)
    assert again.name == "Cached" and again.result() == {"n": 2}, again
    assert second_time(5) == 5
    kept = broken(return_state=True)
    assert str(kept.result(raise_on_failure=False)) == "kept"
    assert child(1) == 2
    return child(2)
state = parent(return_state=True)
assert state.is_completed() and state.result() == 3, state
print("all completed")
"""

# What is no attack: JSON of a shared storage, and pickles of a directory of this machine.
KEPT = SHARED + """
assert asyncio.run(read('{"a": [1]}', type="json")) == {"a": [1]}
kept = base64.encodebytes(cloudpickle.dumps([2])).decode()
if os.environ.get("PROVISION_PICKLED_RESULTS") == "any":
    assert asyncio.run(read(kept, type="pickle")) == [2]
storage = LocalFileSystem(basepath=os.getcwd())
assert asyncio.run(read(kept, type="pickle")) == [2]
print("all read")
"""

# Prefect waits before it asks again: then what it asks begins to listen.
CONNECTS = """
import asyncio, http.server, httpx, socket, threading
from prefect.client import base
class Answers(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_): pass
    def do_GET(self):
        self.send_response(204)
        self.end_headers()
def begins(_):
    if not begun:
        server = http.server.HTTPServer(bound.getsockname(), Answers, bind_and_activate=False)
        server.socket = bound
        server.server_activate()
        threading.Thread(target=server.serve_forever, daemon=True).start()
    begun.append(1)
async def abegins(seconds): begins(seconds)
base.time.sleep, base.anyio.sleep = begins, abegins
async def awaited(url):
    async with base.PrefectHttpxAsyncClient(enable_csrf_support=False) as client: return await client.get(url)
def direct(url): return base.PrefectHttpxSyncClient(enable_csrf_support=False).get(url)
for get in (direct, lambda url: asyncio.run(awaited(url))):
    begun, bound = [], socket.socket()
    bound.bind(("127.0.0.1", 0))
    try: print(get("http://127.0.0.1:%d/" % bound.getsockname()[1]).status_code, "after", len(begun))
    except httpx.ConnectError: print("given up after", len(begun))
"""


@unittest.skipIf(prefect is None, "there is no Prefect here")
class Guard(unittest.TestCase):
    def python(self, code, directory, **settings):
        environment = dict(os.environ, PREFECT_HOME=os.path.join(directory, "home"), PYTHONWARNINGS="ignore", PREFECT_LOGGING_LEVEL="CRITICAL",
                           PREFECT_API_URL="", PREFECT_TASKS_REFRESH_CACHE="false")
        for name in ("PREFECT_DEFAULT_RESULT_STORAGE_BLOCK", "PREFECT_API_KEY", "PROVISION_PICKLED_RESULTS"):
            environment.pop(name, None)
        environment.update(settings)
        path = os.path.join(directory, "flows.py")
        with open(path, "w") as file:
            file.write(code)
        ended = subprocess.run([sys.executable, path], cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
        return ended.stdout.decode("utf-8", "replace")

    def attacked(self, before):
        """What became of each attack, all in one process: to import Prefect takes seconds."""
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(before + PATIENT + EACH % (ATTACKS,), directory)
            outcomes = json.loads(said.splitlines()[-1])
        self.assertEqual(sorted(ATTACKS), sorted(outcomes), said)
        return outcomes

    def test_nothing_that_is_sent_runs(self):
        for name, outcome in self.attacked(GUARDED).items():
            with self.subTest(name):
                self.assertFalse(outcome["ran"], outcome)
                self.assertIn("refused", outcome["said"])

    def test_without_the_guard_each_of_it_runs(self):
        for name, outcome in self.attacked(BARE).items():
            with self.subTest(name):
                self.assertTrue(outcome["ran"], outcome)

    def test_flows_run_as_before(self):
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(GUARDED + PATIENT + FLOWS, directory)
            self.assertIn("all completed", said)

    def test_what_is_no_attack(self):
        for settings in ({}, {"PROVISION_PICKLED_RESULTS": "any"}):
            with self.subTest(**settings), tempfile.TemporaryDirectory() as directory:
                self.assertIn("all read", self.python(GUARDED + KEPT, directory, MARK=os.path.join(directory, "mark"), **settings))

    def test_a_run_that_begins_while_nothing_listens(self):
        """It asks again. Nobody else does: who was given a wrong url hears of it at once."""
        with tempfile.TemporaryDirectory() as directory:
            self.assertEqual("204 after 1\n204 after 1\n", self.python(GUARDED + CONNECTS, directory, PREFECT__FLOW_RUN_ID="x"))
            self.assertEqual("given up after 0\ngiven up after 0\n", self.python(GUARDED + CONNECTS, directory))
            self.assertEqual("given up after 0\ngiven up after 0\n", self.python(BARE + CONNECTS, directory, PREFECT__FLOW_RUN_ID="x"))

    def test_the_build_sees_that_it_holds(self):
        check = "import runpy\nsys.argv = ['guard']\nrunpy.run_module('provision_guard', run_name='__main__')\n"
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(GUARDED + check, directory)
            self.assertEqual("", said)
            said = self.python("import sys\n" + BARE + "sys.modules.pop('provision_guard', None)\nsys.path.insert(0, %r)\n" % HERE + check, directory)
            self.assertIn("guard: ", said)


if __name__ == "__main__":
    unittest.main()
