"""Has Prefect's server end a run by ``zombies`` where the run is silent, and not where the server was deaf.

Prefect by itself fires when a window of the automation ends without an event, as the clock of whoever sent the last one has it, whatever the run's state
is by then. After an outage it has either forgotten the windows or finds all of them ended, so that dead runs stay Running, or living ones are
crashed before their next heartbeat arrives. So for this one automation:

- a window is counted by the server's clock, from the arrival of an event, and an event never fires;
- when it ends, the run itself is looked at: it must be Running or Pending, and one of the stack's pool or a subflow of such a one;
- its worker must be silent as well, which is asked of the database and not of events: while the host is there, worker and business-logic report what
  becomes of a run, and events may come late;
- a server that begins to hear (it has started, its database or Valkey is back, the automation was enabled) gives each such run a window of its own.

``provision_guard`` installs this in every process that loads Prefect's triggers.

    python -m provision_glue.silence      exit code 0 if it is installed; the build of the server's image runs it
"""

import datetime
import functools
import os
import sys

from .zombies import NAME

DEAF = datetime.timedelta(seconds=60)  # Prefect looks every 5 s; what waits longer may have missed whole heartbeats
DEPTH = 50  # of subflows
LISTED = 500
EMPTY = -1000000  # Prefect counts events that it has held back, and drops a window that is full: the state of the run says all of that


def install(module):
    """``module`` is prefect.server.events.triggers."""
    hearing = Hearing(module)
    module.evaluate = hearing.evaluating(module.evaluate)
    module.evaluate_proactive_triggers = hearing.looking(module.evaluate_proactive_triggers)


def _now():
    return datetime.datetime.now(datetime.timezone.utc)


class Hearing:
    """What one process has heard. One process of a stack evaluates automations: the server, or services beside several."""

    def __init__(self, module):
        self.module = module
        self.looked = None  # when it last could
        self.opened = set()  # the triggers whose windows were opened since it hears

    def evaluating(self, evaluate):
        @functools.wraps(evaluate)
        async def evaluated(session, trigger, bucket, now, triggering_event):
            if trigger.automation.name != NAME:
                return await evaluate(session, trigger, bucket, now, triggering_event)
            if triggering_event is not None:
                if trigger.starts_after(triggering_event.event):
                    return await self._open(session, trigger, bucket.bucketing_key, triggering_event)
                return bucket  # the look at its end sees what became of the run
            if _now() < bucket.end:
                return bucket
            gone, heard = await _look(session, bucket.bucketing_key)
            if not gone:
                return await self.module.remove_bucket(session, bucket)
            if heard is None or heard + trigger.within <= _now():
                await evaluate(session, trigger, bucket, bucket.end, None)
                # What was fired may be lost on its way; it is fired again as long as the run is what it was.
                return await self._open(session, trigger, bucket.bucketing_key, bucket.last_event)
            return await self._open(session, trigger, bucket.bucketing_key, bucket.last_event, heard + trigger.within)

        return evaluated

    async def _open(self, session, trigger, key, event, end=None):
        now = _now()
        return await self.module.start_new_bucket(
            session, trigger, bucketing_key=tuple(key), start=now, end=end or now + trigger.within, count=EMPTY, last_event=event,
        )

    def looking(self, look):
        @functools.wraps(look)
        async def looked():
            await self._listen()
            # Automations may have been loaded meanwhile, with windows from before.
            while set(self._ours()) - self.opened:
                await self._listen()
            return await look()

        return looked

    def _ours(self):
        return {trigger.id: trigger for trigger in list(self.module.triggers.values()) if trigger.automation.name == NAME}

    async def _listen(self):
        """Nothing is evaluated before this has succeeded."""
        if self.looked is None or _now() - self.looked > DEAF:
            self.opened.clear()
        ours = self._ours()
        closed = set(ours) - self.opened
        async with self.module.automations_session(begin_transaction=bool(closed), with_for_update=bool(closed)) as session:
            runs = await _in_flight(session, closed)
            for number in closed:
                for run in runs:
                    await self._open(session, ours[number], ("prefect.flow-run.%s" % run,), None)
        self.opened = set(ours)
        self.looked = _now()


def _database():
    from prefect.server.database import provide_database_interface
    return provide_database_interface()


async def _in_flight(session, wanted):
    """The ids of runs that are somebody's. Without ``wanted`` it is a question that shows whether the database answers."""
    import sqlalchemy as sa
    db = _database()
    if not wanted:
        await session.execute(sa.select(sa.literal(1)))
        return []
    ids, after = [], None
    while True:
        query = sa.select(db.FlowRun.id).where(db.FlowRun.state_type.in_(("RUNNING", "PENDING"))).order_by(db.FlowRun.id).limit(LISTED)
        page = list((await session.execute(query if after is None else query.where(db.FlowRun.id > after))).scalars())
        ids += page
        if len(page) < LISTED:
            return ids
        after = page[-1]


async def _look(session, key):
    """Whether silence of this run means that it is gone, and when its worker was heard, if it has one."""
    import uuid
    import sqlalchemy as sa
    db = _database()
    try:
        run_id = uuid.UUID(key[0].rpartition(".")[2])
    except (ValueError, IndexError):
        return False, None
    run = await _run(session, db, run_id)
    if run is None or run.state_type not in ("RUNNING", "PENDING"):
        return False, None
    root = run
    for _ in range(DEPTH):
        if root is None or _pool(root) or not root.parent_task_run_id:
            break
        parent = (await session.execute(sa.select(db.TaskRun.flow_run_id).where(db.TaskRun.id == root.parent_task_run_id))).scalar()
        root = await _run(session, db, parent)
    if root is None or _pool(root) != os.environ.get("PROVISION_POOL", "provision"):
        return False, None
    worker = (root.labels or {}).get("prefect.worker.name") or (root.infrastructure_pid or "").rpartition(":")[0]
    if not worker:
        return True, None
    return True, (await session.execute(sa.select(sa.func.max(db.Worker.last_heartbeat_time)).where(db.Worker.name == worker))).scalar()


def _pool(run):
    """A queue goes with its host, while a run keeps what the worker wrote of itself."""
    return run.pool or (run.labels or {}).get("prefect.work-pool.name")


async def _run(session, db, run_id):
    import sqlalchemy as sa
    return (await session.execute(
        sa.select(db.FlowRun.state_type, db.FlowRun.parent_task_run_id, db.FlowRun.infrastructure_pid, db.FlowRun.labels, db.WorkPool.name.label("pool"))
        .outerjoin(db.WorkQueue, db.FlowRun.work_queue_id == db.WorkQueue.id).outerjoin(db.WorkPool, db.WorkQueue.work_pool_id == db.WorkPool.id)
        .where(db.FlowRun.id == run_id)
    )).first()


def main():
    from prefect.server.events import triggers
    from prefect.server.events.services import triggers as service
    for function in (triggers.evaluate, service.triggers.evaluate_proactive_triggers):
        if function.__code__.co_filename != __file__ and not function.__code__.co_filename.endswith("provision_glue/silence.py"):
            print("silence: %s is Prefect's own" % function.__qualname__, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
