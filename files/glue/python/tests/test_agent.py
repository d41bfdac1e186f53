"""What runs on agent hosts beside the bridge: check, health, and the search for lost runs."""

import os
import unittest
from unittest import mock

import fake
from provision_glue import health, lost
from provision_glue.check import check

TOKEN = "0123456789abcdef" * 4
QUEUE = "/work_pools/provision/queues/host-a"


class Check(unittest.TestCase):
    def setUp(self):
        values = {"PROVISION_POOL": "provision", "PROVISION_QUEUE": "host-a", "PREFECT_API_KEY": TOKEN}
        patch = mock.patch.dict(os.environ, values)
        patch.start()
        self.addCleanup(patch.stop)

    def proxy(self, hole=None, body=None, polled="2023-11-14T22:13:10Z"):
        """A proxy that lets the right token read its queue and nothing else; ``hole`` names one thing that it gets wrong."""
        def answer(method, path, _, headers):
            token = headers.get("Authorization")
            if hole == "no token" and token is None or hole == "empty" and token in ("", "Bearer", "Bearer "):
                return 200, {"name": "host-a"}
            if token != "Bearer " + TOKEN and hole != "any token":
                return 401, b"<html>401</html>" if hole == "another's 401" else b""
            if method == "POST" and hole != "write":
                return 403, b"<html>403</html>" if hole == "another's 403" else b"not allowed for this token"
            return 200, body or {"name": "host-a", "last_polled": polled}
        server = fake.Fake(self, answer)
        os.environ["PREFECT_API_URL"] = server.url
        return server.api(TOKEN)

    def test_well(self):
        got = check(self.proxy(), True)
        self.assertTrue(got["ok"], got)
        self.assertEqual((got["status"], got["queue"], got["last_polled_age"]), (200, "host-a", 10.0))
        self.assertEqual({wanted for _, wanted in got["deep"].values()}, {401, 403})

    def test_each_hole_is_seen(self):
        for hole, error in (
            ("no token", "no token gives 200, not 401"),
            ("empty", "empty authorization gives 200, not 401; empty bearer token gives 200, not 401"),
            ("any token", "token with one character changed gives 200, not 401"),
            ("write", "write to deployments gives 200, not 403"),
            ("another's 401", "no token gives 401, but not in Caddy's words: something else answers"),
            ("another's 403", "write to deployments gives 403, but not in Caddy's words: something else answers"),
        ):
            got = check(self.proxy(hole), True)
            self.assertFalse(got["ok"], hole)
            self.assertIn(error, got["error"])

    def test_flows_that_may_write(self):
        with mock.patch.dict(os.environ, {"PROVISION_API": "all"}):
            got = check(self.proxy("write"), True)
        self.assertTrue(got["ok"], got)
        self.assertNotIn("write to deployments", got["deep"])

    def test_something_else_answers_200(self):
        for body in (b"", b"<html>", [1], {"name": "other"}):
            got = check(self.proxy(body=body), False)
            self.assertIn("something else" if body != b"" else "", got["error"])
            if body != b"":
                self.assertFalse(got["ok"], body)

    def test_token_refused(self):
        api = self.proxy()
        api.token = "x" * 64
        got = check(api, False)
        self.assertIn("gives 401", got["error"])
        self.assertFalse(got["again"])

    def test_no_answer_may_come_again(self):
        server = fake.Fake(self, lambda *_: (502, b""))
        got = check(server.api(TOKEN), False)
        self.assertIn("gives 502", got["error"])
        self.assertTrue(got["again"])
        server.server.server_close()
        got = check(server.api(TOKEN), True)
        self.assertTrue(got["error"])
        self.assertTrue(got["again"])

    def test_agent_health(self):
        for polled, sick in (("2023-11-14T22:13:10Z", ""), ("2023-11-14T22:12:00Z", "polled 80 s ago"), (None, "never polled")):
            self.proxy(polled=polled)
            if not sick:
                health.agent()
                continue
            with self.assertRaises(health.Sick) as caught:
                health.agent()
            self.assertIn(sick, str(caught.exception))


class Caddy(unittest.TestCase):
    def test_plain(self):
        hosts = []

        def answer(method, path, body, headers):
            hosts.append(headers["Host"])
            return 200, self.body
        server = fake.Fake(self, answer)
        values = {"HEALTH_URL": "http://prefect.example.org:4200", "HEALTH_CONNECT": "127.0.0.1:%d" % server.port}
        with mock.patch.dict(os.environ, values):
            self.body = b"caddy\n"
            health.caddy()
            self.assertEqual(hosts, ["prefect.example.org"])
            self.body = b""
            with self.assertRaises(health.Sick):
                health.caddy()

    def test_names(self):
        self.assertEqual([health._server_name(h) for h in ("a.b", "10.0.0.1", "::1")], ["a.b", None, None])


def run(name, state, pid="agent-a:7", timestamp="2023-11-14T22:00:00Z", deployment="bridged", parent=None):
    return {"id": name, "state_type": state, "infrastructure_pid": pid, "state": {"timestamp": timestamp}, "deployment_id": deployment, "parent": parent}


class Lost(unittest.TestCase):
    def sweep(self, runs, known=()):
        def answer(method, path, body, _):
            if path == "/flow_runs/filter":
                wanted = body["flow_runs"]
                parents = (wanted.get("parent_flow_run_id") or {}).get("any_")
                rows = [r for r in runs if r["state_type"] in wanted["state"]["type"]["any_"] and (parents is None or r["parent"] in parents)]
                return 200, fake.page(rows, body)
            for r in runs:
                if path == "/flow_runs/%s/set_state" % r["id"]:
                    r["state_type"] = body["state"]["type"]
            return 201, {"status": "ACCEPT"}
        with mock.patch.object(lost, "bridged", lambda api, run, seen: run["deployment_id"] == "bridged"):
            ended = lost.sweep(fake.Fake(self, answer).api(), "agent-a", lambda: set(known))
        return ended, {r["id"]: r["state_type"] for r in runs}

    def test_only_what_was_here_and_is_not(self):
        ended, states = self.sweep([
            run("gone", "RUNNING"), run("here", "RUNNING"), run("elsewhere", "RUNNING", "agent-b:7"), run("similar", "RUNNING", "agent-a2:7"),
            run("nowhere", "RUNNING", None), run("in the agent", "RUNNING", deployment="own"), run("no block", "RUNNING", deployment="none"),
            run("by hand", "RUNNING", deployment=None), run("cancelling", "CANCELLING"), run("stuck", "PENDING"),
            run("on its way", "PENDING", timestamp="2023-11-14T22:12:00Z"),
        ], known=["here"])
        self.assertEqual(sorted(ended), ["cancelling", "gone", "stuck"])
        self.assertEqual((states["gone"], states["cancelling"], states["stuck"]), ("CRASHED", "CANCELLED", "CRASHED"))
        self.assertEqual({name for name, state in states.items() if state == "RUNNING"},
                         {"here", "elsewhere", "similar", "nowhere", "in the agent", "no block", "by hand"})

    def test_subflows_go_with_their_parents(self):
        ended, states = self.sweep([
            run("gone", "RUNNING"), run("child", "RUNNING", None, deployment=None, parent="gone"), run("grandchild", "RUNNING", None, deployment=None, parent="child"),
            run("its own process", "RUNNING", "agent-b:1", parent="gone"), run("done", "COMPLETED", None, deployment=None, parent="gone"),
            run("other child", "RUNNING", None, deployment=None, parent="other"),
        ])
        self.assertEqual(sorted(ended), ["child", "gone", "grandchild"])
        self.assertEqual(states["done"], "COMPLETED")

    def test_names(self):
        for host, given, want in (("business-logic-x.y", "", "agent-x.y"), ("laptop", "", ""), ("laptop", "agent-z", "agent-z")):
            with mock.patch("socket.gethostname", return_value=host), mock.patch.dict(os.environ, {"BRIDGE_AGENT_HOSTNAME": given}):
                self.assertEqual(lost.agent_name(), want)


if __name__ == "__main__":
    unittest.main()
