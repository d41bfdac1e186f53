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


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Guard(unittest.TestCase):
    def python(self, code, directory):
        environment = dict(os.environ, PREFECT_HOME=os.path.join(directory, "home"), PREFECT_LOCAL_STORAGE_PATH=os.path.join(directory, "storage"),
                           PYTHONWARNINGS="ignore", PREFECT_LOGGING_LEVEL="CRITICAL", PREFECT_LOGGING_TO_API_ENABLED="false", PREFECT_SERVER_ANALYTICS_ENABLED="false",
                           PREFECT_SERVER_ALLOW_EPHEMERAL_MODE="true", PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="300")
        for name in ("PREFECT_API_URL", "PREFECT_DEFAULT_RESULT_STORAGE_BLOCK", "PREFECT_API_KEY", "PREFECT_CLIENT_CUSTOM_HEADERS"):
            environment.pop(name, None)
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

    def test_the_build_sees_that_it_holds(self):
        check = "import runpy\nsys.argv = ['guard']\nrunpy.run_module('provision_guard', run_name='__main__')\n"
        with tempfile.TemporaryDirectory() as directory:
            said = self.python(GUARDED + check, directory)
            self.assertEqual("", said)
            said = self.python("import sys\n" + BARE + "sys.modules.pop('provision_guard', None)\nsys.path.insert(0, %r)\n" % HERE + check, directory)
            self.assertIn("guard: ", said)


if __name__ == "__main__":
    unittest.main()
