"""The worker of an agent host on Prefect 3: takes due runs of its queues, and has each executed over the bridge.

    python -m provision_glue.worker --limit N --name NAME QUEUE [QUEUE ...]      of the pool PROVISION_POOL

It hands on the id of a run and nothing else. What Prefect calls job variables (command, env, working_dir: of the pool, of a deployment, of a single
run) is not looked at, nor is the pool's template, so that nobody who may create or change runs can start anything here. Nothing of this container's
environment goes to the runs: they have that of the business logic. There is no process for a run on this side.

What holds when this process ends, by itself or by a signal (SIGTERM ends it at once, since there is nothing to wait for):

- A run that has begun goes on where the flows are, and reports its end by itself. Nobody follows it again: the next worker is given Scheduled runs
  alone, and its bridge would start no second process for a run that is there. A process of it that is killed without a word stays Running until the
  search for lost runs (``lost``) ends it.
- A run that is Pending or Submitting, and has not begun, is never given out again. ``lost`` on the same host ends it as Crashed: its
  infrastructure_pid, written as soon as the run is Pending, says whose it was. A worker that is killed within the one request between the two
  leaves a Pending run without owner.
- A run that comes up again (resumed, retried, rescheduled) is Scheduled anew, and so is another attempt for the bridge, which starts it again.

A pool or a server that is missing, a token that is refused: it says so and asks again. It speaks no websocket, so its token needs none: the channel of
workers falls back to plain requests at the first refusal, and the events that a worker tells of itself are left out.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys

if __name__ == "__main__":
    # Before the import, which takes seconds: the first process of a container never sees a signal that it has not asked for.
    for _number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(_number, lambda *_: os._exit(0))

from prefect.workers.base import BaseJobConfiguration, BaseWorker, BaseWorkerResult

from . import bridge_link as link
from . import bridge_run, generation

TEMPLATE = generation.POOL["base_job_template"]


class Configuration(BaseJobConfiguration):
    """Always the same: nothing of the server gets in here."""

    @classmethod
    async def from_template_and_values(cls, base_job_template, values, client=None):
        return cls()

    @classmethod
    async def resolve_for_flow_run(cls, flow_run, **_):
        """Without a look at deployment, pool and run."""
        return cls()

    def prepare_for_flow_run(self, *_, **__):
        """Prefect would write this process's settings, with the token, into the configuration."""


class Result(BaseWorkerResult):
    pass


class BridgeWorker(BaseWorker):
    type = generation.POOL["type"]
    job_configuration = Configuration
    _description = "Flow runs are executed in the host's business-logic container."
    _display_name = "Provision bridge"

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self._told = {}  # what was last said of each thing that is asked for

    @classmethod
    def get_default_base_job_template(cls):
        return TEMPLATE

    async def run(self, flow_run, configuration, task_status=None):
        client = bridge_run.Run(
            str(flow_run.id), link.read_token(), link.address("BRIDGE_ADDRESS", "business-logic:8787"),
            link.seconds("BRIDGE_CONNECT_SECONDS", 60), link.seconds("BRIDGE_REATTACH_SECONDS", 300),
        )
        if task_status is not None:
            task_status.started(owner())
        return Result(identifier=str(flow_run.id), status_code=await client.follow())

    async def _propose_pending_state(self, flow_run):
        """Says whose the run is as soon as it is nobody else's: Prefect itself would only once it has been submitted."""
        ready = await super()._propose_pending_state(flow_run)
        if ready:
            try:
                await self.client.update_flow_run(flow_run.id, infrastructure_pid=owner())
            except Exception as error:  # it is written again after the submission
                link.say("run %s: its owner could not be written: %s" % (flow_run.id, error))
        return ready

    # --- one failure is no end: Prefect's loops give up after a while, and would take all runs that are followed with them

    async def get_and_submit_flow_runs(self):
        return await self._patient("runs", super().get_and_submit_flow_runs()) or []

    async def _sync_and_initialize(self):
        await self._patient("pool", super()._sync_and_initialize())

    async def _patient(self, what, work):
        try:
            result = await work
        except Exception as error:
            text = " ".join(("%s: %s" % (type(error).__name__, error)).split())
            if text != self._told.get(what):
                link.say("worker: asks for the %s again later: %s" % (what, text))
            self._told[what] = text
            return None
        if self._told.pop(what, None):
            link.say("worker: was given the %s" % what)
        return result

    async def _submit_run(self, flow_run):
        try:
            await super()._submit_run(flow_run)
        except Exception as error:
            link.say("run %s: could not be submitted: %s: %s" % (flow_run.id, type(error).__name__, error))
            self._submitting_flow_run_ids.discard(flow_run.id)
            self._release_limit_slot(flow_run.id)

    # --- no events: they need a websocket, and a token that may send events may forge them

    def _emit_flow_run_submitted_event(self, configuration):
        return None

    async def _emit_worker_started_event(self):
        return None


def owner():
    """As ``lost`` looks for it: "agent-X:PID"."""
    return "%s:%d" % (os.environ.get("BRIDGE_AGENT_HOSTNAME") or socket.gethostname(), os.getpid())


def main(arguments):
    parser = argparse.ArgumentParser(prog="worker")
    parser.add_argument("--limit", type=int, required=True, help="the number of runs at once")
    parser.add_argument("--name", required=True)
    parser.add_argument("queues", nargs="+", metavar="QUEUE")
    options = parser.parse_args(arguments)
    link.read_token()  # without it no run could be executed: better none is taken
    worker = BridgeWorker(
        work_pool_name=os.environ.get("PROVISION_POOL", "provision"), work_queues=options.queues, name=options.name, limit=options.limit,
        create_pool_if_not_found=False,
    )
    asyncio.run(worker.start())
    return 1  # it has no end of its own


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
