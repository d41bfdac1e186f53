"""Deletes flow runs that ended longer ago than they are kept, because Prefect 2 deletes nothing by itself.

    python -m provision_glue.retention SECONDS     a pass at once, then hourly, for ever
    python -m provision_glue.retention --check     exit code 0 if a pass has moved within the last hours

A run goes with its states, task runs, their states, logs, artifacts and inputs, or it stays with all of it: a batch is one transaction, and a process
that is killed leaves nothing half done. What runs, waits or is younger is never touched; nor are subflows before the run that called them is gone.
"""

import asyncio
import os
import sys
import time

RUNS = 100  # in one transaction
PAUSE = 0.2  # between two of them, so that the server gets its turn
EVERY = 3600.0
AGAIN = 60.0  # after a failure
STUCK = 3 * EVERY
MARK = "/tmp/moved"
ADDRESS = {"host": "postgres", "port": 5432, "user": "prefect", "database": "prefect"}
PASSWORD = "/run/secrets/password"

# Runs that another transaction holds are about to change: the next pass sees what became of them.
OLD = """
SELECT id FROM flow_run
WHERE state_type IN ('COMPLETED', 'FAILED', 'CRASHED', 'CANCELLED') AND end_time < now() - $1 * interval '1 second' AND parent_task_run_id IS NULL
ORDER BY end_time LIMIT $2 FOR UPDATE SKIP LOCKED
"""
TASKS = "SELECT id FROM task_run WHERE flow_run_id = ANY($1)"
# Prefect deletes these neither with their run nor by themselves.
LOGS = "DELETE FROM log WHERE flow_run_id = ANY($1) OR task_run_id = ANY($2)"
ARTIFACTS = "DELETE FROM artifact WHERE flow_run_id = ANY($1) OR task_run_id = ANY($2) RETURNING key"
# The collection names the latest artifact of a key; the one before it becomes the latest, as it does when Prefect deletes one. A run that writes one of
# that key meanwhile waits for the lock.
KEYS = "SELECT 1 FROM artifact_collection WHERE key = ANY($1) ORDER BY key FOR UPDATE"
REMAINING = """
UPDATE artifact_collection c SET latest_id = a.id, task_run_id = a.task_run_id, flow_run_id = a.flow_run_id, type = a.type, data = a.data,
       description = a.description, metadata_ = a.metadata_, created = a.created, updated = a.updated
FROM (SELECT DISTINCT ON (key) * FROM artifact WHERE key = ANY($1) ORDER BY key, created DESC) a
WHERE c.key = a.key AND NOT EXISTS (SELECT 1 FROM artifact l WHERE l.id = c.latest_id)
"""
COLLECTIONS = "DELETE FROM artifact_collection c WHERE key = ANY($1) AND NOT EXISTS (SELECT 1 FROM artifact a WHERE a.key = c.key)"
# Its states, task runs, their states and inputs go with the row.
FLOW_RUNS = "DELETE FROM flow_run WHERE id = ANY($1)"


async def batch(connection, seconds, limit=RUNS):
    """How many runs were deleted; 0 if none is left that is old enough."""
    async with connection.transaction():
        runs = [row["id"] for row in await connection.fetch(OLD, seconds, limit)]
        if not runs:
            return 0
        tasks = [row["id"] for row in await connection.fetch(TASKS, runs)]
        await connection.execute(LOGS, runs, tasks)
        keys = list({row["key"] for row in await connection.fetch(ARTIFACTS, runs, tasks) if row["key"]})
        if keys:
            await connection.execute(KEYS, keys)
            await connection.execute(REMAINING, keys)
            await connection.execute(COLLECTIONS, keys)
        await connection.execute(FLOW_RUNS, runs)
    return len(runs)


async def one_pass(connect, seconds, moved=lambda: None):
    """Deletes all that is old enough; gives how many runs that were."""
    connection = await connect()
    try:
        total = 0
        while True:
            deleted = await batch(connection, seconds)
            moved()
            total += deleted
            if not deleted:
                return total
            await asyncio.sleep(PAUSE)
    finally:
        await connection.close()


async def forever(connect, seconds, say, passes=None):
    """One line per pass; ``passes`` is for tests."""
    while passes is None or passes > 0:
        passes = passes and passes - 1
        began = time.monotonic()
        try:
            total = await one_pass(connect, seconds, moved)
            say("deleted %d flow runs that ended more than %d seconds ago, in %.1f s" % (total, seconds, time.monotonic() - began))
            pause = EVERY
        except Exception as error:  # the database is away, or was changed: whatever it is, the next pass begins with nothing half done
            say("deletes flow runs again later: %s: %s" % (type(error).__name__, " ".join(str(error).split())))
            pause = AGAIN
        if passes != 0:
            await asyncio.sleep(pause)


def moved():
    with open(MARK, "w"):
        pass


def check():
    try:
        return time.time() - os.stat(MARK).st_mtime < STUCK
    except OSError:
        return False


async def connect():
    import asyncpg
    with open(PASSWORD) as file:
        password = file.read().strip()
    return await asyncpg.connect(password=password, timeout=30, command_timeout=600, **ADDRESS)


def main(arguments):
    if arguments == ["--check"]:
        return 0 if check() else 1
    if len(arguments) != 1 or not arguments[0].isdigit() or int(arguments[0]) < 3600:
        print("usage: python -m provision_glue.retention SECONDS|--check; SECONDS is an hour or more", file=sys.stderr)
        return 64
    asyncio.get_event_loop().run_until_complete(forever(connect, int(arguments[0]), lambda text: print("retention: " + text, flush=True)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
