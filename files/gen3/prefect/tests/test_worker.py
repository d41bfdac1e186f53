"""The worker, with Prefect's own machinery around it: what it hears, whom it names, and that failures are no end."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import uuid
from types import SimpleNamespace
from unittest import mock

import fake

try:
    import prefect
    NO_PREFECT = "" if prefect.__version__.startswith("3.9.") else "Prefect %s is no 3.9" % prefect.__version__
except ImportError:
    NO_PREFECT = "Prefect is not installed beside this Python"

if not NO_PREFECT:
    from prefect.client.schemas.objects import FlowRun, WorkPool
    from provision_glue import generation, lost, worker

# What somebody may have written into a run, a deployment or the pool.
VALUES = (
    {"command": "touch /tmp/x"}, {"env": {"LD_PRELOAD": "/tmp/x.so"}}, {"env": "no object"}, {"env.PATH": "/tmp"}, {"working_dir": "/tmp", "labels": {"a": "b"}},
    {"name": "{{ ctx.flow_run.name }}", "command": "{{ prefect.blocks.secret.x }}"}, {"job_configuration": {"command": "x"}}, {1: 2}, None,
)
TEMPLATES = ({}, None, {"job_configuration": {"command": "{{ command }}", "env": {"A": "{{ env }}"}}, "variables": {"properties": {"command": {"default": "touch /tmp/x"}}}})


def new(**fields):
    return worker.BridgeWorker(work_pool_name="provision", work_queues=["host-a"], name="a", limit=1, create_pool_if_not_found=False, **fields)


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Deaf(unittest.TestCase):
    def test_values_and_template_change_nothing(self):
        plain = worker.Configuration()
        for template in TEMPLATES:
            for values in VALUES:
                got = asyncio.run(worker.Configuration.from_template_and_values(template, values))
                self.assertEqual(plain, got, (template, values))

    def test_a_run_changes_nothing_and_nothing_is_asked(self):
        plain = worker.Configuration()
        for values in VALUES[:-2]:
            run = FlowRun(flow_id=uuid.uuid4(), deployment_id=uuid.uuid4(), job_variables=values if isinstance(values, dict) else {})
            pool = WorkPool(name="provision", type="process", base_job_template=dict(generation.POOL["base_job_template"]))
            with mock.patch.dict(os.environ, {"PREFECT_API_KEY": "secret"}):
                got = asyncio.run(worker.Configuration.resolve_for_flow_run(run, client=None, work_pool=pool, worker_name="a"))
                got.prepare_for_flow_run(run, None, None, pool, "a")
            self.assertEqual(plain, got, values)
            self.assertEqual((None, {}), (got.command, got.env))

    def test_the_id_is_all_that_is_handed_on(self):
        made = []

        class Run:
            def __init__(self, *arguments):
                made.append(arguments)

            async def follow(self):
                return 3

        run = FlowRun(flow_id=uuid.uuid4(), job_variables={"command": "x"}, parameters={"a": 1})
        started = []
        with mock.patch("provision_glue.bridge_run.Run", Run), mock.patch("provision_glue.bridge_link.read_token", return_value=b"t"):
            got = asyncio.run(new().run(run, worker.Configuration(), SimpleNamespace(started=started.append)))
        self.assertEqual([(str(run.id), b"t", ("business-logic", 8787), 60.0, 300.0)], made)
        self.assertEqual(3, got.status_code)
        self.assertEqual([worker.owner()], started)

    def test_the_pool_is_made_as_the_worker_is(self):
        self.assertEqual(generation.POOL, {"type": worker.BridgeWorker.type, "base_job_template": worker.BridgeWorker.get_default_base_job_template()})
        self.assertEqual(worker.TEMPLATE, generation.POOL["base_job_template"])

    def test_it_takes_no_cleaning_up(self):
        """Prefect hands that to workers that can end what runs; ours cannot, and the runs see to it."""
        self.assertEqual((), new().handled_cleanup_kinds)


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Owner(unittest.TestCase):
    def test_lost_finds_it(self):
        with mock.patch.dict(os.environ, {"BRIDGE_AGENT_HOSTNAME": "agent-a"}):
            self.assertEqual(lost.agent_name(), worker.owner().rpartition(":")[0])
        with mock.patch.dict(os.environ, {"BRIDGE_AGENT_HOSTNAME": ""}), mock.patch("socket.gethostname", return_value="agent-b"):
            self.assertEqual("agent-b:%d" % os.getpid(), worker.owner())

    def pending(self, ready, written):
        """What becomes of a run for which Pending was proposed."""
        one = new()

        async def update(_, **fields):
            written.append(fields)
            if written == [{}]:
                raise OSError("gone")

        one._client = SimpleNamespace(update_flow_run=update)
        with mock.patch("prefect.workers.base.BaseWorker._propose_pending_state", mock.AsyncMock(return_value=ready)):
            return asyncio.run(one._propose_pending_state(SimpleNamespace(id="r")))

    def test_a_run_has_an_owner_as_soon_as_it_is_pending(self):
        written = []
        self.assertTrue(self.pending(True, written))
        self.assertEqual([{"infrastructure_pid": worker.owner()}], written)

    def test_a_run_of_another_worker_keeps_its_owner(self):
        written = []
        self.assertFalse(self.pending(False, written))
        self.assertEqual([], written)


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Patience(unittest.TestCase):
    def test_failures_are_said_once_and_are_no_end(self):
        one, said = new(), []
        failing = mock.AsyncMock(side_effect=[OSError("away"), OSError("away"), RuntimeError("other"), []])
        with mock.patch("prefect.workers.base.BaseWorker.get_and_submit_flow_runs", failing), mock.patch("provision_glue.bridge_link.say", said.append):
            for _ in range(4):
                self.assertEqual([], asyncio.run(one.get_and_submit_flow_runs()))
        self.assertEqual(3, len(said), said)

    def test_a_run_that_cannot_be_submitted_gives_its_place_back(self):
        async def main():
            one = new()
            import anyio
            one._limiter = anyio.CapacityLimiter(1)
            one._limiter.acquire_on_behalf_of_nowait("r")
            one._submitting_flow_run_ids.add("r")
            with mock.patch("prefect.workers.base.BaseWorker._submit_run", mock.AsyncMock(side_effect=OSError("away"))), mock.patch("provision_glue.bridge_link.say"):
                await one._submit_run(SimpleNamespace(id="r"))
            return one._limiter.borrowed_tokens, one._submitting_flow_run_ids
        self.assertEqual((0, set()), asyncio.run(main()))


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Process(unittest.TestCase):
    """A worker of its own, against an API that has nothing for it."""

    def setUp(self):
        self.polls, self.refused, self.status = [], [], 200
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.token = os.path.join(directory.name, "token")
        with open(self.token, "w") as file:
            file.write("t" * 40)
        self.home = directory.name

    def answer(self, method, path, body, headers):
        if self.status != 200:
            return self.status, {}
        if path.startswith("/csrf-token"):
            return 404, {}
        if path == "/work_pools/provision":
            return 200, dict(generation.POOL, id=str(uuid.uuid4()), name="provision", default_queue_id=str(uuid.uuid4()))
        if path == "/work_pools/provision/workers/connect":
            return 403, {}
        if path == "/work_pools/provision/get_scheduled_flow_runs":
            self.polls.append(body)
            return 200, []
        if path == "/work_pools/provision/workers/heartbeat":
            return 204, b""
        self.refused.append((method, path))
        return 403, {}

    def start(self, url, token=None):
        environment = dict(os.environ, PREFECT_API_URL=url, PREFECT_HOME=self.home, PYTHONPATH=fake.GLUE, BRIDGE_TOKEN_FILE=token or self.token,
                           PREFECT_WORKER_QUERY_SECONDS="0.2", PREFECT_WORKER_HEARTBEAT_SECONDS="1", PROVISION_POOL="provision")
        process = subprocess.Popen([sys.executable, "-m", "provision_glue.worker", "--limit", "2", "--name", "a", "host-a", "default"], env=environment,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def until(self, true):
        deadline = time.monotonic() + 120
        while not true():
            self.assertLess(time.monotonic(), deadline, "it took too long")
            time.sleep(0.05)

    def test_waits_for_its_token_polls_its_queues_and_ends_at_once(self):
        self.status = 401
        server = fake.Fake(self, self.answer)
        process = self.start(server.url)
        line = process.stderr.readline().decode()
        while "bridge: worker: asks for the" not in line:
            self.assertTrue(line, "it said nothing of the refusal")
            line = process.stderr.readline().decode()
        self.assertIsNone(process.poll())
        self.status = 200
        self.until(lambda: self.polls)
        self.assertEqual(["default", "host-a"], sorted(self.polls[0]["work_queue_names"]))
        self.assertEqual([], self.refused, "it asks for what its token is not for")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(0, process.wait(5))

    def test_takes_no_run_without_a_token(self):
        self.assertEqual(78, self.start("http://127.0.0.1:9/api", self.token + "-missing").wait(120))


if __name__ == "__main__":
    unittest.main()
