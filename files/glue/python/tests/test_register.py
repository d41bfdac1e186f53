import json
import os
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import fake
from provision_glue import describe, register

try:
    import prefect
except ImportError:
    prefect = None

SPECIFICATION = {"tag": "provision:mine", "own_prefix": "host-", "pool": "provision", "record": "r1"}


def row(**fields):
    base = {
        "name": "default", "entrypoint": "hello.py:hello", "path": "/opt/business", "description": None, "parameters": {}, "parameter_openapi_schema": {},
        "tags": ["provision:mine"], "work_pool_name": "provision", "work_queue_name": "default", "schedules": [], "version": "r1",
    }
    return dict(base, **fields)


class Server:
    """Deployments as the API keeps them."""

    def __init__(self, deployments=()):
        self.deployments = {d["id"]: d for d in deployments}
        self.variable = None

    def __call__(self, method, path, body, _):
        if path == "/flows/":
            return 200, {"id": "flow-" + body["name"]}
        if path == "/deployments/filter":
            tags = set(body["deployments"]["tags"]["all_"])
            return 200, fake.page([d for d in self.deployments.values() if tags <= set(d["tags"])], body)
        if path.startswith("/deployments/name/"):
            flow, name = path[len("/deployments/name/"):].split("/")
            for d in self.deployments.values():
                if (d["flow_id"], d["name"]) == ("flow-" + flow, name):
                    return 200, d
            return 404, {}
        if (method, path) == ("POST", "/deployments/"):
            there = [d["id"] for d in self.deployments.values() if (d["flow_id"], d["name"]) == (body["flow_id"], body["name"])]
            kept = dict(body, id=there[0] if there else "new-%d" % len(self.deployments))
            kept["schedules"] = [dict(s, schedule=dict(s["schedule"], day_or=True)) for s in body["schedules"]]
            self.deployments[kept["id"]] = kept
            return 200, kept
        if method == "DELETE":
            del self.deployments[path.rpartition("/")[2]]
            return 204, b""
        if path == "/variables/name/provision_registration" and method == "GET":
            return (200, {"value": self.variable}) if self.variable else (404, {})
        self.variable = body["value"]
        return 201, {}


class Register(unittest.TestCase):
    def register(self, server, wanted, record="r1"):
        http = fake.Fake(self, server)
        done = register.register(http.api(), dict(SPECIFICATION, record=record), wanted, {"a field of the generation": "block"})
        return done, http.calls

    def test_twice_changes_nothing(self):
        server = Server()
        wanted = {("hello", "default"): row(schedules=[{"schedule": {"cron": "0 6 * * *", "timezone": "UTC"}, "active": True}]), ("hello", "other"): row(name="other")}
        done, calls = self.register(server, wanted)
        self.assertEqual(done, ["deployment hello/default: created", "deployment hello/other: created"])
        self.assertEqual(calls[-1][1], "/variables/", "the record is not the last that is written")
        done, calls = self.register(server, wanted)
        self.assertEqual(done, [])
        self.assertEqual({path for _, path, _ in calls}, {"/flows/"})

    def test_what_differs_is_written(self):
        for change in ({"parameters": {"a": 1}}, {"work_queue_name": "q"}, {"version": "r2"}, {"tags": ["provision:mine", "x"]},
                       {"schedules": [{"schedule": {"interval": 60, "timezone": "UTC"}, "active": True}]}):
            server = Server()
            self.register(server, {("hello", "default"): row()})
            done, _ = self.register(server, {("hello", "default"): row(**change)})
            self.assertEqual(done, ["deployment hello/default: updated"], change)
            done, _ = self.register(server, {("hello", "default"): row(**change)})
            self.assertEqual(done, [], change)

    def test_what_the_generation_adds_is_put_right(self):
        server = Server()
        self.register(server, {("hello", "default"): row()})
        next(iter(server.deployments.values()))["a field of the generation"] = "changed by hand"
        done, _ = self.register(server, {("hello", "default"): row()})
        self.assertEqual(done, ["deployment hello/default: updated"])

    def test_paused_stays_paused(self):
        server = Server()
        self.register(server, {("hello", "default"): row()})
        next(iter(server.deployments.values()))["paused"] = True
        self.register(server, {("hello", "default"): row(version="r2")})
        self.assertTrue(next(iter(server.deployments.values()))["paused"])

    def test_prunes_ours_alone(self):
        theirs = dict(row(tags=["x"]), id="theirs", flow_id="flow-x")
        others = dict(row(tags=["provision:other"]), id="others", flow_id="flow-y")
        gone = dict(row(name="gone"), id="gone", flow_id="flow-z")
        server = Server([theirs, others, gone])
        done, _ = self.register(server, {("hello", "default"): row()}, record="r2")
        self.assertEqual(done, ["deployment hello/default: created", "deployment gone (gone): deleted"])
        self.assertEqual(sorted(server.deployments), ["new-3", "others", "theirs"])
        self.assertEqual(server.variable, "r2")

    def test_does_not_take_over_somebody_elses(self):
        theirs = dict(row(tags=["x"]), id="theirs", flow_id="flow-hello")
        server = Server([theirs])
        with self.assertRaises(register.Bad):
            self.register(server, {("hello", "default"): row()})
        self.assertEqual(server.deployments["theirs"]["tags"], ["x"])
        self.assertIsNone(server.variable)

    def test_schedules(self):
        for entry, want in (
            ({}, []),
            ({"cron": "0 6 * * *"}, [{"schedule": {"cron": "0 6 * * *", "timezone": "UTC"}, "active": True}]),
            ({"interval": 900, "timezone": "Europe/Berlin"},
             [{"schedule": {"interval": 900, "timezone": "Europe/Berlin", "anchor_date": register.ANCHOR}, "active": True}]),
        ):
            self.assertEqual(register._schedules(entry), want)


@unittest.skipUnless(prefect, "Prefect is not installed beside this Python")
class Flows(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        for module in (register, describe):
            patch = mock.patch.object(module, "PROJECT", directory.name)
            patch.start()
            self.addCleanup(patch.stop)
        for name, text in (
            ("good.py", "from prefect import flow\n@flow(name='a flow')\ndef good(x: int = 1):\n    pass\ndef plain():\n    pass\n"),
            ("broken.py", "import os\nimport no_such_module\n"), ("syntax.py", "def\n"), ("leaves.py", "raise SystemExit(3)\n"),
        ):
            with open(os.path.join(directory.name, name), "w") as file:
                file.write(text)

    def wanted(self, *entries):
        specification = dict(SPECIFICATION, deployments=list(entries), agents=["a"])
        return register.wanted(specification, json.loads(json.dumps(describe.describe(specification))))

    def entry(self, flow, **fields):
        return dict({"flow": flow, "name": "n", "queue": "default"}, **fields)

    def test_all_that_is_wrong_is_said(self):
        with self.assertRaises(register.Bad) as caught:
            self.wanted(
                self.entry("broken.py:x"), self.entry("gone.py:x"), self.entry("good.py:nope"), self.entry("good.py:plain"), self.entry("syntax.py:x"),
                self.entry("leaves.py:x"), self.entry("good.py:good", parameters={"y": 1}),
            )
        for line, parts in zip(caught.exception.args, (
            ("flow broken.py:x", "line 2 of broken.py", "no_such_module"), ("gone.py",), ("nope",), ("plain",), ("syntax.py", "SyntaxError"), ("SystemExit: 3",), ("y",),
        )):
            for part in parts:
                self.assertIn(part, line)
            self.assertNotIn("\n", line)
        self.assertEqual(len(caught.exception.args), 7)

    def test_rows(self):
        got = self.wanted(self.entry("good.py:good", tags=["b", "a"], parameters={"x": 2}))
        self.assertEqual(sorted(got), [("a flow", "n"), ("provision-smoke", "a")])
        self.assertEqual(got[("a flow", "n")]["tags"], ["a", "b", "provision:mine"])
        self.assertEqual(got[("provision-smoke", "a")]["work_queue_name"], "host-a")

    def test_two_of_one_name(self):
        with self.assertRaises(register.Bad):
            self.wanted(self.entry("good.py:good"), self.entry("good.py:good"))

    def main(self, *entries, **files):
        """A describing process of its own, as the container runs it: exit code, answer, lines on standard error."""
        directory = register.PROJECT
        for name, text in files.items():
            with open(os.path.join(directory, name + ".py"), "w") as file:
                file.write(text)
        environment = dict(os.environ, PROVISION_PROJECT=directory, PREFECT_HOME=os.path.join(directory, "home"), PYTHONWARNINGS="ignore",
                           PYTHONPATH=os.pathsep.join([os.path.dirname(os.path.dirname(register.__file__)), directory]))
        specification = json.dumps(dict(SPECIFICATION, deployments=list(entries), agents=["a"])).encode()
        ended = subprocess.run([sys.executable, "-m", "provision_glue.describe"], input=specification, env=environment, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        return ended.returncode, ended.stdout.decode(), ended.stderr.decode()

    def test_what_modules_print_is_not_the_answer(self):
        code, out, err = self.main(self.entry("loud.py:loud"), loud="from prefect import flow\nimport os\nprint('{}')\nos.system('echo loud')\n@flow\ndef loud(x: str = 'a'):\n    'Text%s.'\n" % ("" if prefect.__version__.startswith("3.") else " \\ud800"))
        self.assertEqual(0, code, err)
        self.assertEqual({"loud.py:loud", register.SMOKE}, set(json.loads(out)))
        self.assertIn("loud\n", err)

    def test_a_module_that_asks_is_told_why_nobody_answers(self):
        code, out, err = self.main(self.entry("asks.py:asks"), asks="from prefect.variables import Variable\nVariable.get('x')\n")
        self.assertEqual((65, ""), (code, out))
        self.assertIn("without a network", err)

    def test_too_much_and_too_deep(self):
        code, out, err = self.main(self.entry("much.py:much"), much="from prefect import flow\n@flow\ndef much(x: str = 'a' * (2 << 20)):\n    pass\n")
        self.assertEqual((65, ""), (code, out))
        self.assertIn("bytes of JSON", err)
        if prefect.__version__.startswith("3."):
            return  # it leaves out a default that cannot be written down
        code, out, err = self.main(self.entry("deep.py:deep"), deep="from prefect import flow\nx = []\nfor _ in range(5000): x = [x]\n@flow\ndef deep(x: list = x):\n    pass\n")
        self.assertEqual((65, ""), (code, out))
        self.assertIn("flow deep.py:deep: its parameters cannot be described: ", err)


class Main(unittest.TestCase):
    def test_what_is_no_specification(self):
        for text in (b"", b"[]", b"{}", b"[" * 100000, b"\xff", b'{"flows": {}, "deployments": [{"flow": "x"}], "stack": "", "pool": "", "record": ""}'):
            ended = subprocess.run([sys.executable, "-m", "provision_glue.register"], input=text, stderr=subprocess.PIPE, cwd=os.path.dirname(os.path.dirname(register.__file__)))
            self.assertEqual(65, ended.returncode, text[:20])
            self.assertNotIn(b"Traceback", ended.stderr)


if __name__ == "__main__":
    unittest.main()
