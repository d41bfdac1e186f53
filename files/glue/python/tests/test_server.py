"""What runs in the server's container: pool, observe, smoke."""

import time
import unittest
from unittest import mock

import fake
from provision_glue import observe, pool, smoke
from provision_glue.api import API, Unreachable
from provision_glue.clock import age, parse
from provision_glue.generation import AUTOMATIONS, POOL


class Pools:
    """The routes of one pool, kept in memory."""

    def __init__(self, queues=(), kind=POOL["type"], exists=True, template=POOL.get("base_job_template")):
        self.kind, self.exists, self.template = kind, exists, template
        self.queues = {name: {"name": name, "concurrency_limit": limit, "priority": n + 1} for n, (name, limit) in enumerate(queues)}

    def __call__(self, method, path, body, _):
        tail = path.rpartition("/")[2]
        if path == "/automations/filter":
            return 200, fake.page([dict(automation, id=automation["name"]) for automation in AUTOMATIONS], body)
        if (method, path) == ("POST", "/work_pools/"):
            self.exists, self.kind, self.template = True, body["type"], body.get("base_job_template")
            self.queues["default"] = {"name": "default", "concurrency_limit": None, "priority": 1}
            return 201, {}
        if not self.exists:
            return 404, {"detail": "Work pool not found."}
        if (method, path) == ("GET", "/work_pools/provision"):
            return 200, {"name": "provision", "type": self.kind, "base_job_template": self.template or {}, "is_paused": False, "concurrency_limit": None}
        if (method, path) == ("PATCH", "/work_pools/provision"):
            self.template = body["base_job_template"]
            return 204, b""
        if path.endswith("/queues/filter"):
            return 200, fake.page([dict(row) for row in self.queues.values()], body)
        if method == "POST":
            self.queues[body["name"]] = dict({"concurrency_limit": None, "priority": len(self.queues) + 1}, **body)
        elif method == "PATCH":
            self.queues[tail].update(body)
        elif method == "DELETE":
            del self.queues[tail]
        return 200, {}


class Pool(unittest.TestCase):
    WANTED = {"pool": "provision", "own_prefix": "host-", "queues": [{"name": "default", "concurrency": 7}, {"name": "host-a"}]}

    def test_makes_what_is_missing_once(self):
        pools = Pools(exists=False)
        server = fake.Fake(self, pools)
        self.assertEqual(pool.setup(server.api(), self.WANTED), ["pool provision: created", "queue default: concurrency_limit None -> 7", "queue host-a: created"])
        self.assertEqual(sorted(pools.queues), ["default", "host-a"])
        self.assertEqual(pools.queues["default"]["concurrency_limit"], 7)
        server.calls.clear()
        self.assertEqual(pool.setup(server.api(), self.WANTED), [])
        self.assertEqual(server.calls, [])

    def test_removes_own_queues_alone(self):
        pools = Pools([("default", 7), ("host-a", 3), ("host-gone", None), ("theirs", 1)])
        server = fake.Fake(self, pools)
        self.assertEqual(pool.setup(server.api(), self.WANTED), ["queue host-gone: deleted"])
        self.assertEqual(sorted(pools.queues), ["default", "host-a", "theirs"])
        self.assertEqual(pools.queues["host-a"]["concurrency_limit"], 3, "what was not said was changed")

    def test_leaves_another_kind_of_pool_alone(self):
        server = fake.Fake(self, Pools(kind="process"))
        with self.assertRaises(pool.Wrong):
            pool.setup(server.api(), self.WANTED)
        self.assertEqual(server.calls, [])

    def test_more_queues_than_one_page(self):
        pools = Pools([("q%d" % n, None) for n in range(450)] + [("host-gone", None)])
        pool.setup(fake.Fake(self, pools).api(), {"pool": "provision", "own_prefix": "host-", "queues": []})
        self.assertEqual(len(pools.queues), 450)


class Observe(unittest.TestCase):
    def answer(self, method, path, body, _):
        if path == "/work_pools/provision":
            return 200, {"name": "provision", "type": POOL["type"], "is_paused": False, "concurrency_limit": None}
        if path == "/work_pools/provision/queues/filter":
            return 200, fake.page([{"name": name, "priority": 2, "is_paused": False} for name in ("host-b", "host-a")], body)
        if path == "/deployments/filter":
            self.assertEqual(body["deployments"], {"tags": {"all_": ["provision:mine"]}})
            return 500, b"oops"
        if path == "/variables/name/provision_registration":
            return 404, {}
        if path == "/automations/filter":
            return 200, []
        if path == "/flow_runs/filter":
            rows = [{"state_type": "RUNNING", "infrastructure_pid": "agent-a:12"}] * 3 + [{"state_type": "PENDING", "infrastructure_pid": None}]
            return 200, fake.page(rows, body)
        return 404, {}

    def test_each_part_stands_alone(self):
        got = observe.observe(fake.Fake(self, self.answer).api(), "provision:mine", "provision")
        self.assertEqual(got["pool"], {"name": "provision"})
        self.assertEqual(got["queues"], [{"name": "host-a"}, {"name": "host-b"}])
        self.assertEqual(got["runs"], {"hosts": {"agent-a": {"RUNNING": 3}}})
        self.assertIsNone(got["registration"])
        self.assertEqual(got["automations"], {automation["name"]: "does not exist" for automation in AUTOMATIONS})
        self.assertIn("500", got["deployments"]["error"])

    def test_deployments(self):
        rows = [{"entrypoint": "a.py:f", "name": "x", "tags": ["t", "provision:mine"], "flow_id": "1"}]
        got = observe.observe(fake.Fake(self, lambda m, p, b, h: (200, fake.page(rows, b)) if p == "/deployments/filter" else self.answer(m, p, b, h)).api(), "provision:mine", "provision")
        self.assertEqual(got["deployments"], [{"entrypoint": "a.py:f", "name": "x", "tags": ["provision:mine", "t"]}])

    def test_no_pool(self):
        got = observe.observe(fake.Fake(self, lambda m, p, b, h: (404, {})).api(), "provision:mine", "provision")
        self.assertIsNone(got["pool"])
        self.assertEqual(got["queues"], [])

    def test_nobody_there(self):
        server = fake.Fake(self, self.answer)
        server.server.server_close()
        with self.assertRaises(Unreachable):
            observe.observe(server.api(), "provision:mine", "provision")


class Smoke(unittest.TestCase):
    def prove(self, states, host="a", logged="business-logic-a", nonce=None, timeout=30, trouble=lambda method, path: None):
        """The result when a run goes through these states and its flow logs this host name. A state that is a number is how many seconds the one before
        it lasts; ``trouble`` gives the status that a call gets instead of its answer."""
        states = list(states)
        started = {}
        for name, seconds in (("PAUSE", 0.02), ("CANCEL_SECONDS", 0.1)):
            patch = mock.patch.object(smoke, name, seconds)
            patch.start()
            self.addCleanup(patch.stop)

        def run():
            name = states[0] if len(states) == 1 else states.pop(0)
            if isinstance(name, float):
                time.sleep(name)
                name = states.pop(0)
            return {"id": "1", "name": "n", "state_type": name.upper(), "state": {"name": name, "message": "because"}}

        def answer(method, path, body, _):
            status = trouble(method, path)
            if path == "/deployments/d/create_flow_run":
                self.assertTrue(body["idempotency_key"])
                self.assertIn(started.setdefault("key", body["idempotency_key"]), body["idempotency_key"], "asked twice, there may be two runs")
            if status:
                return status, b"in trouble"
            if path.startswith("/deployments/name/"):
                return (200, {"id": "d"}) if path == "/deployments/name/provision-smoke/a" else (404, {})
            if path == "/deployments/d/create_flow_run":
                started.update(body["parameters"])
                return 201, run()
            if path == "/logs/filter":
                return 200, fake.page([{"message": "other"}, {"message": "provision-smoke nonce=%s host=%s" % (nonce or started["nonce"], logged)}], body)
            return 200, run()

        self.server = fake.Fake(self, answer)
        return smoke.smoke(self.server.api(), host, timeout)

    def test_proven(self):
        got = self.prove(["Scheduled", "Pending", "Running", "Completed"])
        self.assertTrue(got["ok"], got)
        self.assertEqual((got["hostname"], got["state"]), ("business-logic-a", "Completed"))

    def test_elsewhere(self):
        self.assertIn("executed on agent-a", self.prove(["Completed"], logged="agent-a")["error"])

    def test_not_completed(self):
        for state in ("Failed", "Crashed", "Cancelled"):
            self.assertEqual(self.prove([state])["error"], state + ": because")

    def test_not_registered(self):
        self.assertIn("not registered", self.prove(["Completed"], host="b")["error"])

    def test_waits_until_an_answer_comes(self):
        """Each question gets a 500 first, and none ends the wait."""
        asked = set()

        def trouble(method, path):
            if (method, path) in asked:
                return None
            asked.add((method, path))
            return 500
        got = self.prove(["Scheduled", "Pending", "Running", "Completed"], trouble=trouble)
        self.assertTrue(got["ok"], got)
        self.assertEqual(len(asked), 4)

    def test_a_slow_answer_is_no_end(self):
        with mock.patch.object(fake.Fake, "api", lambda server: API(server.url, timeout=0.3)):
            got = self.prove(["Running", 0.8, "Running", "Completed"])
        self.assertTrue(got["ok"], got)

    def test_refused_is_an_end(self):
        got = self.prove(["Running"], trouble=lambda method, path: 403 if method == "GET" and path == "/flow_runs/1" else None)
        self.assertIn("GET /flow_runs/1: 403", got["error"])

    def test_says_what_the_last_answer_was(self):
        got = self.prove(["Running"], timeout=0.2, trouble=lambda method, path: 503 if path.startswith("/flow_runs/1") else None)
        self.assertIn("still Running after 0 s; the API gives no answer: GET /flow_runs/1: 503 in trouble; it is not cancelled: POST /flow_runs/1/set_state: 503", got["error"])

    def test_one_that_moves_has_more_time(self):
        got = self.prove(["Scheduled", 0.3, "Pending", 0.3, "Running", 0.3, "Completed"], timeout=0.4)
        self.assertTrue(got["ok"], got)
        self.assertGreater(got["seconds"], 0.4)

    def test_one_that_moves_for_ever(self):
        got = self.prove([0.05, "Pending", 0.05, "Scheduled"] * 100, timeout=0.1)
        self.assertIn("still", got["error"])
        self.assertLess(got["seconds"], 2)

    def test_without_a_log_line(self):
        self.assertIn("no log line of its own", self.prove(["Completed"], nonce="another", timeout=0.1)["error"])

    def test_too_late(self):
        got = self.prove(["Scheduled"], timeout=0)
        self.assertFalse(got["ok"])
        self.assertIn("still Scheduled", got["error"])
        self.assertEqual(self.server.calls[-1][1:], ("/flow_runs/1/set_state", {"state": {"type": "CANCELLED", "name": "Cancelled", "message": "The smoke test gave up."}}))


class Clock(unittest.TestCase):
    def test_forms(self):
        for text in ("2023-11-14T22:13:10Z", "2023-11-14T22:13:10.1Z", "2023-11-14T22:13:10.123456789+00:00", "2023-11-14T23:13:10.123+01:00", "2023-11-14T22:13:10"):
            self.assertEqual(int(parse(text).timestamp()), 1699999990, text)
        self.assertIsNone(parse(None))
        self.assertIsNone(age("2023-11-14T22:13:10Z", None))


if __name__ == "__main__":
    unittest.main()
