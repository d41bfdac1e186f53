"""Runs of hosts that never come back, with a server of Prefect itself, heartbeats and windows of seconds, and SIGKILL.

PROVISION_KILLS is how many runs are killed (12 if it is not set), PROVISION_TEST_DATABASE the url of an empty database instead of a file, which only
then can be away. With PROVISION_UNGUARDED=1 the server is Prefect's own, which shows what the guard is for: then the tests fail.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from datetime import datetime, timedelta, timezone
from unittest import mock
from urllib.parse import urlsplit

import fake
from provision_glue import automations, pool, zombies
from provision_glue.api import API, Refused, Unreachable, passing
from provision_glue.clock import parse

try:
    import prefect
    NO_PREFECT = "" if prefect.__version__.startswith("3.9.") else "Prefect %s is no 3.9" % prefect.__version__
except ImportError:
    NO_PREFECT = "Prefect is not installed beside this Python"

GUARD = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "guard")
KILLS = int(os.environ.get("PROVISION_KILLS", "12"))
WITHIN = 20  # a server begins to evaluate some seconds before it answers, up to ten on a machine that computes much
PATIENCE = 180  # for what is sure to come, on a machine that computes much
AUTOMATION = dict(zombies.AUTOMATION, trigger=dict(zombies.AUTOMATION["trigger"], within=WITHIN))

SITE = """
import datetime, site
site.addsitedir(%r)
from provision_glue import silence
silence.DEAF = datetime.timedelta(seconds=4)
""" % GUARD

# Forks a process for each line "RUN", so that Prefect is imported once; it does what worker, executor and engine do with a run, and says its number.
FORKS = """
import os, signal, sys, threading
from prefect import flow_engine, flow, get_client
from prefect.client.schemas.objects import State
flow_engine.MINIMUM_HEARTBEAT_INTERVAL = 2
flow_engine.BaseFlowRunEngine.heartbeat_seconds = property(lambda self: 2)
import time

@flow
def inner(seconds): time.sleep(seconds)

@flow
def zombie(seconds, nested):
    inner(seconds) if nested else time.sleep(seconds)

def worker(name):
    with get_client(sync_client=True) as client:
        while True:
            try:
                client._client.post("/work_pools/provision/workers/heartbeat", json={"name": name})
            except Exception:
                pass  # the server is away
            time.sleep(2)

def execute(run):
    with get_client(sync_client=True) as client:
        name = "agent-" + run
        client.update_flow_run(run, infrastructure_pid="%s:%d" % (name, os.getpid()))
        threading.Thread(target=worker, args=(name,), daemon=True).start()
        for name in ("Pending", "Submitting"):
            client.set_flow_run_state(run, State(type="PENDING", name=name))
        read = client.read_flow_run(run)
    flow_engine.run_flow(zombie, flow_run=read, parameters=read.parameters)

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in iter(sys.stdin.readline, ""):
    child = os.fork()
    if child == 0:
        os.close(0)
        try:
            execute(line.strip())
        finally:
            sys.stdout.flush()
            sys.exit(0)
    print(child, flush=True)
"""


class Line:
    """The server's way to its database, which can be cut."""

    def __init__(self, url):
        parts = urlsplit(url)
        self.target = (parts.hostname, parts.port or 5432)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = parts._replace(netloc="%s@127.0.0.1:%d" % (parts.netloc.rpartition("@")[0], self.listener.getsockname()[1])).geturl()
        self.open = set()
        self.whole = True
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near = self.listener.accept()[0]
            if not self.whole:
                near.close()
                continue
            far = socket.create_connection(self.target)
            self.open |= {near, far}
            for source, to in ((near, far), (far, near)):
                threading.Thread(target=self.carry, args=(source, to), daemon=True).start()

    def carry(self, source, to):
        try:
            for data in iter(lambda: source.recv(1 << 16), b""):
                to.sendall(data)
        except OSError:
            pass
        self.hang_up(source, to)

    def hang_up(self, *ends):
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # the other side was faster
        self.open -= set(ends)

    def cut(self):
        self.whole = False
        self.hang_up(*self.open)


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Zombies(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.directory.cleanup)
        site = os.path.join(cls.directory.name, "site")
        os.mkdir(site)
        with open(os.path.join(site, "sitecustomize.py"), "w") as file:
            file.write("" if os.environ.get("PROVISION_UNGUARDED") else SITE)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            cls.port = free.getsockname()[1]
        cls.url = "http://127.0.0.1:%d/api" % cls.port
        cls.environment = dict(
            os.environ, PREFECT_HOME=os.path.join(cls.directory.name, "home"), PREFECT_API_URL=cls.url, PREFECT_LOGGING_LEVEL="ERROR", PYTHONWARNINGS="ignore",
            PREFECT_SERVER_ANALYTICS_ENABLED="false", PREFECT_LOGGING_TO_API_ENABLED="false", PYTHONPATH=os.pathsep.join([fake.GLUE, site]),
            PREFECT_SERVER_EVENTS_PROACTIVE_GRANULARITY="PT1S",
        )
        cls.line = None
        if os.environ.get("PROVISION_TEST_DATABASE"):
            cls.line = Line(os.environ["PROVISION_TEST_DATABASE"])
            cls.environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = cls.line.url
        cls.server = None
        cls.addClassCleanup(lambda: cls.stop())
        cls.start()
        with mock.patch.object(automations, "AUTOMATIONS", (AUTOMATION,)):
            pool.setup(cls.api, {"pool": "provision", "own_prefix": "host-", "queues": [{"name": "default"}]})
        flow = cls.api.post("/flows/", {"name": "zombie"})["id"]
        cls.deployment = cls.api.post("/deployments/", {"name": "d", "flow_id": flow, "entrypoint": "x.py:zombie", "work_pool_name": "provision", "work_queue_name": "default"})["id"]
        cls.flow = flow
        cls.forks = subprocess.Popen([sys.executable, "-c", FORKS], env=cls.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        cls.addClassCleanup(lambda: (cls.forks.kill(), cls.forks.wait(), cls.forks.stdin.close(), cls.forks.stdout.close()))
        assert cls.forks.stdout.readline() == "ready\n"

    @classmethod
    def start(cls):
        with open(os.path.join(cls.directory.name, "server.log"), "ab") as log:
            cls.server = subprocess.Popen([sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(cls.port)],
                                          env=cls.environment, stdout=log, stderr=log, start_new_session=True)
        cls.api = API(cls.url, timeout=30.0)
        for _ in range(600):
            try:
                return cls.api.get("/ready")
            except (Unreachable, Refused):
                time.sleep(0.2)
        raise AssertionError("the server does not start")

    @classmethod
    def stop(cls):
        if cls.server is not None:
            os.killpg(cls.server.pid, signal.SIGKILL)
            cls.server.wait()
            cls.server = None

    # --- runs

    def run_of(self, seconds, nested=False):
        """A run that a process begins to execute: its id and the process."""
        body = {"parameters": {"seconds": seconds, "nested": nested}, "idempotency_key": str(uuid.uuid4())}
        run = self.patient(lambda: self.api.post("/deployments/%s/create_flow_run" % self.deployment, body))["id"]
        self.forks.stdin.write(run + "\n")
        self.forks.stdin.flush()
        return run, int(self.forks.stdout.readline())

    def patient(self, ask):
        """The database may be locked for a while, where it is a file."""
        for _ in range(20):
            try:
                return ask()
            except (Unreachable, Refused) as error:
                if not passing(error):
                    raise
            time.sleep(0.5)
        return ask()

    def states(self, run):
        return sorted(self.patient(lambda: self.api.get("/flow_run_states/?flow_run_id=%s" % run)), key=lambda state: state["timestamp"])

    def await_state(self, run, *types):
        deadline = time.monotonic() + PATIENCE
        while True:
            state = self.patient(lambda: self.api.get("/flow_runs/" + run))["state"]
            if state["type"] in types or time.monotonic() > deadline:
                return state
            time.sleep(0.2)

    def subflows(self, run):
        return [row["id"] for row in self.api.all("/flow_runs/filter", {"sort": "ID_DESC", "flow_runs": {"parent_flow_run_id": {"any_": [run]}}})]

    def heard(self, run):
        """A heartbeat that comes late."""
        self.api.post("/events", [{
            "id": str(uuid.uuid4()), "occurred": datetime.now(timezone.utc).isoformat(), "event": "prefect.flow-run.heartbeat",
            "resource": {"prefect.resource.id": "prefect.flow-run." + run}, "related": [], "payload": {},
        }])

    def test_kills(self):
        rand = random.Random(1)
        killed, pending = {}, {}  # run -> when; process -> (when, run)
        begun = 0
        while begun < KILLS or pending:
            if begun < KILLS and len(pending) < 12:
                run, process = self.run_of(rand.uniform(0.5, 4), nested=begun % 4 == 0)
                # From before the run is Pending to after it has ended; where the machine computes much, all of it takes longer.
                pending[process] = (time.monotonic() + rand.choice((rand.uniform(0, 6), rand.uniform(0, 24))), run)
                begun += 1
            for process, (when, run) in list(pending.items()):
                if time.monotonic() >= when:
                    del pending[process]
                    try:
                        os.kill(process, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                    killed[run] = datetime.now(timezone.utc)
            time.sleep(0.02)
        for run in killed:
            if self.patient(lambda: self.api.get("/flow_runs/" + run))["state_type"] == "COMPLETED":
                self.heard(run)
        # Its window is the last one: once it is over, so are all others.
        last, process = self.run_of(300)
        self.assertEqual("RUNNING", self.await_state(last, "RUNNING")["type"])
        os.kill(process, signal.SIGKILL)
        self.assertEqual("CRASHED", self.await_state(last, "CRASHED")["type"])
        counts, slowest, phases = {}, 0.0, {}
        for run, when in list(killed.items()):
            for one in [run] + self.subflows(run):
                self.await_state(one, "CRASHED", "COMPLETED", "SCHEDULED")
                history = self.states(one)
                names = [state["type"] for state in history]
                counts[names[-1]] = counts.get(names[-1], 0) + 1
                if one == run:
                    before = [s["name"] for s in history if parse(s["timestamp"]) <= when and s["name"] != "Crashed"]
                    phases[before[-1]] = phases.get(before[-1], 0) + 1
                if "COMPLETED" in names:
                    self.assertEqual("COMPLETED", names[-1], history)
                    self.assertNotIn("CRASHED", names)
                elif names[-1] == "CRASHED":
                    slowest = max(slowest, (parse(history[-1]["timestamp"]) - when).total_seconds())
                else:  # nobody had taken it yet
                    self.assertEqual("SCHEDULED", names[-1], history)
        print("killed %d in %s; ended %s; the slowest was Crashed %.1f s after its kill, of %d" % (len(killed), phases, counts, slowest, WITHIN), file=sys.stderr)

    def test_outage(self):
        """A server that was away for longer than a window ends the dead and leaves the living."""
        living = [self.run_of(2 * WITHIN + 25)[0] for _ in range(3)]
        dead, process = self.run_of(300)
        for run in living + [dead]:
            self.assertEqual("RUNNING", self.await_state(run, "RUNNING")["type"])
        time.sleep(1)
        self.stop()
        os.kill(process, signal.SIGKILL)
        time.sleep(WITHIN + 5)
        self.start()
        self.ended_after("the server's start", dead, living)

    def test_outage_of_the_database(self):
        """The same, where the server was there and its database was not."""
        if self.line is None:
            self.skipTest("the database is a file")
        living = [self.run_of(2 * WITHIN + 25)[0] for _ in range(3)]
        dead, process = self.run_of(300)
        for run in living + [dead]:
            self.assertEqual("RUNNING", self.await_state(run, "RUNNING")["type"])
        time.sleep(1)
        self.line.cut()
        os.kill(process, signal.SIGKILL)
        time.sleep(WITHIN + 5)
        self.line.whole = True
        self.ended_after("its database was back", dead, living)

    def ended_after(self, what, dead, living):
        begun = time.monotonic()
        self.assertEqual("CRASHED", self.await_state(dead, "CRASHED")["type"])
        print("after an outage the dead run was Crashed %.1f s after %s, of %d" % (time.monotonic() - begun, what, WITHIN), file=sys.stderr)
        for run in living:
            self.await_state(run, "COMPLETED")
            self.assertEqual("COMPLETED", self.states(run)[-1]["type"])
            self.assertNotIn("CRASHED", [state["type"] for state in self.states(run)])

    def test_who_is_not_ended(self):
        """Runs that rest, that ended, and that are somebody else's; a late heartbeat is no reason."""
        tomorrow = (datetime.now(timezone.utc) + timedelta(days=1)).isoformat()
        create = "/deployments/%s/create_flow_run" % self.deployment
        body = {"parameters": {"seconds": 1, "nested": False}}
        later = self.api.post(create, dict(body, state={"type": "SCHEDULED", "state_details": {"scheduled_time": tomorrow}}))["id"]
        others = self.api.post("/flow_runs/", {"flow_id": self.flow, "name": "elsewhere"})["id"]
        self.api.post("/flow_runs/%s/set_state" % others, {"state": {"type": "RUNNING", "name": "Running"}})
        paused, ended, starting, quiet, lost = (self.api.post(create, body)["id"] for _ in range(5))
        for run in (paused, ended, lost):
            for kind in ("PENDING", "RUNNING"):
                self.api.post("/flow_runs/%s/set_state" % run, {"state": {"type": kind, "name": kind.title()}})
        self.api.post("/flow_runs/%s/set_state" % paused, {"state": {
            "type": "PAUSED", "name": "Suspended", "state_details": {"pause_reschedule": True, "pause_timeout": tomorrow}}})
        self.api.post("/flow_runs/%s/set_state" % ended, {"state": {"type": "COMPLETED", "name": "Well"}})
        self.api.post("/work_pools/provision/workers/heartbeat", {"name": "agent-a"})
        self.api.call("PATCH", "/flow_runs/" + starting, {"infrastructure_pid": "agent-a:7"})
        self.api.post("/flow_runs/%s/set_state" % starting, {"state": {"type": "PENDING", "name": "Pending"}})
        self.api.call("PATCH", "/flow_runs/%s/labels" % quiet, {"prefect.worker.name": "agent-a", "prefect.work-pool.name": "provision"})
        for kind in ("PENDING", "RUNNING"):
            self.api.post("/flow_runs/%s/set_state" % quiet, {"state": {"type": kind, "name": kind.title()}})
        want = {quiet: "RUNNING", later: "SCHEDULED", others: "RUNNING", paused: "PAUSED", ended: "COMPLETED", starting: "PENDING"}
        for run in list(want) + [lost]:
            self.heard(run)
        # Its window is the last one.
        deadline = time.monotonic() + PATIENCE
        while self.api.get("/flow_runs/" + lost)["state_type"] == "RUNNING" and time.monotonic() < deadline:
            self.api.post("/work_pools/provision/workers/heartbeat", {"name": "agent-a"})
            time.sleep(1)
        self.assertEqual("CRASHED", self.api.get("/flow_runs/" + lost)["state_type"])
        self.assertEqual(want, {run: self.api.get("/flow_runs/" + run)["state_type"] for run in want})
        for run in (starting, quiet):
            self.assertEqual("CRASHED", self.await_state(run, "CRASHED")["type"], "its worker was silent as well")

    def test_a_run_that_was_not_heard_and_lives(self):
        """A host behind a broken network: what it reports in the end is what counts."""
        run = self.api.post("/deployments/%s/create_flow_run" % self.deployment, {"parameters": {"seconds": 1, "nested": False}})["id"]
        for kind in ("PENDING", "RUNNING"):
            self.api.post("/flow_runs/%s/set_state" % run, {"state": {"type": kind, "name": kind.title()}})
        self.assertEqual("CRASHED", self.await_state(run, "CRASHED")["type"])
        self.api.post("/flow_runs/%s/set_state" % run, {"state": {"type": "COMPLETED", "name": "Completed"}})
        self.assertEqual("COMPLETED", self.api.get("/flow_runs/" + run)["state_type"])

    def test_its_queue_is_gone(self):
        """The host was taken out of the inventory."""
        self.api.post("/work_pools/provision/queues", {"name": "host-x"})
        body = {"name": "x", "flow_id": self.flow, "entrypoint": "x.py:zombie", "work_pool_name": "provision", "work_queue_name": "host-x"}
        deployment = self.api.post("/deployments/", body)["id"]
        run = self.api.post("/deployments/%s/create_flow_run" % deployment, {"parameters": {"seconds": 1, "nested": False}})["id"]
        self.api.call("PATCH", "/flow_runs/%s/labels" % run, {"prefect.worker.name": "agent-x", "prefect.work-pool.name": "provision"})
        for kind in ("PENDING", "RUNNING"):
            self.api.post("/flow_runs/%s/set_state" % run, {"state": {"type": kind, "name": kind.title()}})
        self.api.call("DELETE", "/work_pools/provision/queues/host-x")
        self.assertIsNone(self.api.get("/flow_runs/" + run)["work_pool_name"])
        self.assertEqual("CRASHED", self.await_state(run, "CRASHED")["type"])

    def test_made_and_put_right(self):
        theirs = dict(AUTOMATION, name="theirs", enabled=False)
        theirs_id = self.api.post("/automations/", theirs)["id"]
        before = self.api.get("/automations/" + theirs_id)
        with mock.patch.object(automations, "AUTOMATIONS", (AUTOMATION,)):
            self.assertEqual({}, automations.differences(self.api))
            self.assertEqual([], automations.setup(self.api))
            mine = self.api.post("/automations/filter", {"automations": {"name": {"any_": [zombies.NAME]}}})[0]
            path = "/automations/" + mine["id"]
            for change, why in (
                (lambda: self.api.call("PATCH", path, {"enabled": False}), "is disabled"),
                (lambda: self.api.call("PUT", path, dict(AUTOMATION, trigger=dict(AUTOMATION["trigger"], within=90))), "was changed"),
                (lambda: self.api.call("PUT", path, dict(AUTOMATION, actions=[dict(AUTOMATION["actions"][0], force=True)])), "was changed"),
                (lambda: self.api.post("/automations/", AUTOMATION), "is there 2 times"),
                (lambda: self.api.call("DELETE", path), "does not exist"),
            ):
                change()
                self.assertEqual({zombies.NAME: why}, automations.differences(self.api))
                self.assertEqual(1, len(automations.setup(self.api)))
                self.assertEqual({}, automations.differences(self.api))
        self.assertEqual(before, self.api.get("/automations/" + theirs_id))
        self.api.call("DELETE", "/automations/" + theirs_id)


if __name__ == "__main__":
    unittest.main()
