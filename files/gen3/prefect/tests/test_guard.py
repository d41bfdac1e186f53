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
    NO_PREFECT = "" if prefect.__version__.startswith("3.9.") else "Prefect %s is no 3.9" % prefect.__version__
except ImportError:
    NO_PREFECT = "Prefect is not installed beside this Python"

HERE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "guard")

# In an image the guard is installed; here the directory is made one of those whose .pth files Python reads.
GUARDED = "import site, sys\nif 'provision_guard' not in sys.modules: site.addsitedir(%r)\n" % HERE
BARE = "import sys\nsys.meta_path[:] = [f for f in sys.meta_path if type(f).__module__ != 'provision_guard']\n"

PICKLE = """
import base64, cloudpickle, os
class X:
    def __reduce__(self):
        return os.system, ("touch " + os.environ["MARK"],)
blob = base64.b64encode(cloudpickle.dumps(X())).decode()
"""
# A state as the API gives it: the one that made it says where its result is, and how it is read.
STATE = """
import json, os
from prefect.client.schemas.objects import State
def state(key, **serializer):
    return State.model_validate({"type": "COMPLETED", "data": {"storage_key": key, "serializer": serializer}})
def read(*arguments, **serializer):
    return state(*arguments, **serializer).result(retry_result_failure=False, _sync=True)
def kept(content):
    path = os.path.join(os.environ["PREFECT_LOCAL_STORAGE_PATH"], os.environ["MARK"].replace("/", "-"))
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "w").write(content)
    return path
"""
# A storage that several hosts write, and what one of them has put there for the others.
SHARED = PICKLE + """
import json, lzma
from prefect.filesystems import RemoteFileSystem
from prefect.results import ResultStore
from prefect.serializers import JSONSerializer
storage = RemoteFileSystem(basepath="memory://shared" + os.environ["MARK"])
def put(content):
    storage.write_path("key", content.encode(), _sync=True)
def record(result, **serializer):
    put(json.dumps({"metadata": {"storage_key": "key", "serializer": serializer}, "result": result}))
store = ResultStore(result_storage=storage)
"""
MODULE = """
import os, sys
open("acts_when_imported.py", "w").write("import os; open(os.environ['MARK'], 'w')\\ndef loads(text): pass\\n")
sys.path.insert(0, os.getcwd())
"""
LOADS = "import json, os\nfrom prefect.serializers import JSONSerializer\nJSONSerializer().loads(json.dumps(%s).encode())"

ATTACKS = {
    "a library that a state names": STATE + MODULE + "state('x', type='pickle', picklelib='acts_when_imported')",
    "a compression that a state names": STATE + MODULE + "state('x', type='compressed/pickle', compressionlib='acts_when_imported')",
    "a JSON library that a state names": STATE + MODULE + "read(kept('[]'), type='json', jsonlib='acts_when_imported', object_decoder=None)",
    "a decoder that a state names": STATE + "read(kept(json.dumps({'touch': 1, os.environ['MARK']: 2})), type='json', object_decoder='subprocess.call')",
    "any file of the machine": STATE + PICKLE + "open('received.txt', 'w').write(blob)\nread(os.path.abspath('received.txt'), type='pickle')",
    "a file beside the storage": STATE + PICKLE + textwrap.dedent("""
        kept("")
        beside = os.environ["PREFECT_LOCAL_STORAGE_PATH"] + "-of-another"
        os.makedirs(beside, exist_ok=True)
        open(os.path.join(beside, "x"), "w").write(blob)
        read(os.path.join(beside, "x"), type="pickle")"""),
    "a link out of the storage": STATE + PICKLE + textwrap.dedent("""
        open("received.txt", "w").write(blob)
        link = kept("") + "-link"
        os.symlink(os.path.abspath("received.txt"), link)
        read(link, type="pickle")"""),
    # What a flow returns of its parameters, kept as JSON: whoever starts it says what it is.
    "a kept text that is read as a pickle": STATE + PICKLE + "read(kept(json.dumps(blob)), type='pickle')",
    "a kept text that is read as a compressed pickle": STATE + PICKLE + textwrap.dedent("""
        import lzma
        read(kept(json.dumps(base64.b64encode(lzma.compress(blob.encode())).decode())), type="compressed/pickle")"""),
    "a compressed text that is read as a compressed pickle": STATE + PICKLE + textwrap.dedent("""
        import lzma
        read(kept(base64.b64encode(lzma.compress(json.dumps(blob).encode())).decode()), type="compressed/pickle")"""),
    "a pickle of a shared storage": SHARED + "record(blob, type='pickle')\nstore.read('key')",
    "a pickle of a shared storage, awaited": SHARED + "import asyncio\nrecord(blob, type='pickle')\nasyncio.run(store.aread('key'))",
    "a pickle where a flow keeps JSON": SHARED + "record(blob, type='pickle')\nResultStore(result_storage=storage, serializer=JSONSerializer()).read('key')",
    "a compressed pickle of a shared storage": SHARED + textwrap.dedent("""
        record(base64.b64encode(lzma.compress(blob.encode())).decode(), type="compressed", serializer={"type": "pickle"})
        store.read("key")"""),
    "a pickle without a word of how it is read": SHARED + "put(blob)\nstore.read('key')",
    "a pickle whose record is elsewhere": SHARED + textwrap.dedent("""
        from prefect.filesystems import LocalFileSystem
        records = LocalFileSystem(basepath=os.getcwd())
        records.write_path("key", json.dumps({"storage_key": "key", "serializer": {"type": "pickle"}}).encode(), _sync=True)
        put(blob)
        ResultStore(result_storage=storage, metadata_storage=records).read("key")"""),
    # Prefect reads a result to see whether it is there, and says no to what cannot be read.
    "a pickle that is looked for": SHARED + "record(blob, type='pickle')\nif not store.exists('key'): raise ValueError('to see it is refused')",
    "a pickle that is looked for, awaited": SHARED + textwrap.dedent("""
        import asyncio
        record(blob, type="pickle")
        if not asyncio.run(store.aexists("key")): raise ValueError("to see it is refused")"""),
    "a function in a JSON result": LOADS % '{"__class__": "subprocess.call", "data": {"args": ["touch", os.environ["MARK"]]}}',
    "a type of a JSON result": MODULE + LOADS % '{"__class__": "acts_when_imported.x", "data": 1}',
    "an exception of a JSON result": MODULE + "try:\n    " + (LOADS % '{"__exc_type__": "acts_when_imported.x", "message": ""}').replace("\n", "\n    ")
                                     + "\nexcept ValueError as error:\n    if 'refused' in str(error): raise",
    "something to import in a JSON result": MODULE + "import pydantic\npydantic.ImportString\n" + LOADS % '{"__class__": "pydantic.ImportString", "data": "acts_when_imported"}',
}
# A link is followed by Prefect's own check as well.
REFUSED_BY_PREFECT = {"a link out of the storage"}

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

# What flows do all day, read back as another process reads it: from what the API says of the run.
FLOWS = """
import lzma
from pydantic import BaseModel
from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.client.orchestration import get_client
from prefect.serializers import CompressedSerializer, JSONSerializer, PickleSerializer

class Row(BaseModel):
    n: int

tries, runs = [], []

@task(persist_result=True, result_serializer="json")
def rows(n): return [Row(n=i) for i in range(n)]
@task(persist_result=True, cache_policy=INPUTS)
def twice(n):
    runs.append(n)
    return {"n": 2 * n}
@task(retries=1)
def second_time(n):
    tries.append(n)
    if len(tries) == 1: raise RuntimeError("once")
    return n
@task(persist_result=True, result_serializer="json")
def broken(): return ValueError("kept")
@task(persist_result=True, result_serializer="compressed/json")
def small(): return {"a": [1]}
@flow(persist_result=True)
def child(n): return n + 1
@flow(persist_result=True, result_serializer="json")
def text(n): return {"word": "eA==", "n": n}
@flow(persist_result=True, result_serializer=CompressedSerializer(serializer=PickleSerializer(picklelib="pickle"), compressionlib="bz2"))
def packed(n): return [n]
@flow(retries=1)
def parent():
    def again(state):
        with get_client(sync_client=True) as client:
            return client.read_flow_run(state.state_details.flow_run_id).state.result(_sync=True)
    assert rows(3) == [Row(n=0), Row(n=1), Row(n=2)]
    assert rows(3, return_state=True).result() == [Row(n=0), Row(n=1), Row(n=2)]
    assert [f.result()["n"] for f in twice.map([1, 2])] == [2, 4]
    assert twice(1) == {"n": 2} and runs.count(1) == 1, runs
    assert second_time(5) == 5
    assert str(broken()) == "kept"
    assert small() == {"a": [1]}
    for part, want in ((child, 3), (text, {"word": "eA==", "n": 2}), (packed, [2])):
        assert again(part(2, return_state=True)) == want, part
    return "all completed"
print(parent())
"""


# What several hosts may do with one storage.
TOGETHER = """
import os
from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE
from prefect.filesystems import RemoteFileSystem
RemoteFileSystem(basepath="memory://shared").save("shared", _sync=True)
made = []
@task(persist_result=True, cache_policy=INPUTS + TASK_SOURCE, result_storage="remote-file-system/shared", result_serializer="json")
def plain(n):
    made.append("plain")
    return {"n": n}
@task(persist_result=True, cache_policy=INPUTS + TASK_SOURCE, result_storage="remote-file-system/shared")
def pickled(n):
    made.append("pickled")
    return {"n": n}
@task(persist_result=True, cache_policy=INPUTS + TASK_SOURCE)
def own(n):
    made.append("own")
    return {"n": n}
@flow
def again(n):
    return [one(n) for one in (plain, pickled, own)]
@flow(persist_result=True, result_storage="remote-file-system/shared", result_serializer="json")
def kept(n): return [n]
assert again(1) == again(1) == 3 * [{"n": 1}]
assert kept(7, return_state=True).result(_sync=True) == [7]
print("made", *made)
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


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Guard(unittest.TestCase):
    def python(self, code, directory, **settings):
        environment = dict(os.environ, PREFECT_HOME=os.path.join(directory, "home"), PREFECT_LOCAL_STORAGE_PATH=os.path.join(directory, "storage"),
                           PYTHONWARNINGS="ignore", PREFECT_LOGGING_LEVEL="CRITICAL", PREFECT_LOGGING_TO_API_ENABLED="false", PREFECT_SERVER_ANALYTICS_ENABLED="false",
                           PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="true", PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="300")
        for name in ("PREFECT_API_URL", "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK", "PREFECT_API_KEY", "PREFECT_CLIENT_CUSTOM_HEADERS", "PROVISION_PICKLED_RESULTS"):
            environment.pop(name, None)
        environment.update(settings)
        path = os.path.join(directory, "flows.py")
        with open(path, "w") as file:
            file.write(code)
        ended = subprocess.run([sys.executable, path], cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        return ended.stdout.decode("utf-8", "replace")

    def attacked(self, before):
        """What became of each attack, all in one process: to import Prefect takes seconds."""
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(before + EACH % (ATTACKS,), directory)
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
                self.assertEqual(name not in REFUSED_BY_PREFECT, outcome["ran"], outcome)

    def test_flows_run_as_before(self):
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(GUARDED + FLOWS, directory)
            self.assertIn("all completed", said)

    def test_a_storage_of_several_hosts(self):
        """JSON counts for all; a pickle is made again, and the run says why; where the stack takes pickles from everywhere it counts as well."""
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(GUARDED + TOGETHER, directory, PREFECT_LOGGING_LEVEL="WARNING")
        self.assertIn("made plain pickled own pickled\n", said)
        self.assertIn("is a pickle in a storage that others may write (RemoteFileSystem)", said)
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(GUARDED + TOGETHER, directory, PREFECT_LOGGING_LEVEL="WARNING", PROVISION_PICKLED_RESULTS="any")
        self.assertIn("made plain pickled own\n", said)
        self.assertNotIn("refused", said)

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
