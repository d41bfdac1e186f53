"""What is deleted of old runs, and what is not. With PROVISION_TEST_DATABASE=postgresql+asyncpg://USER@HOST:PORT/NAME, an empty database, on the schema
that Prefect 2 makes in PostgreSQL."""

import asyncio
import os
import subprocess
import sys
import tempfile
import unittest
import uuid
from datetime import datetime, timedelta, timezone
from unittest import mock
from urllib.parse import urlsplit

import fake  # finds the package
from provision_glue import retention

DATABASE = os.environ.get("PROVISION_TEST_DATABASE", "")
try:
    import asyncpg
    import prefect
    NO_DATABASE = "" if DATABASE and prefect.__version__ == "2.20.25" else "PROVISION_TEST_DATABASE is not set, or this is not Prefect 2.20.25"
except ImportError:
    NO_DATABASE = "Prefect is not installed beside this Python"

KEPT = 3600 * 24 * 90
NOW = datetime.now(timezone.utc)
OLD, YOUNG = NOW - timedelta(days=91), NOW - timedelta(days=89)


def run(work):
    return asyncio.new_event_loop().run_until_complete(work)


class Passes(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        patch = mock.patch.multiple(retention, MARK=os.path.join(directory.name, "moved"), PAUSE=0, AGAIN=0, EVERY=0)
        patch.start()
        self.addCleanup(patch.stop)

    def passes(self, number, *batches):
        """What is said in so many passes; a batch is how many runs it deletes, or what goes wrong."""
        left, closed, said = list(batches), [], []

        class Connection:
            async def close(self):
                closed.append(True)

        async def batch(connection, seconds, limit=0):
            next_one = left.pop(0)
            if isinstance(next_one, Exception):
                raise next_one
            return next_one

        async def connect():
            return Connection()

        with mock.patch.object(retention, "batch", batch):
            run(retention.forever(connect, 7200, said.append, number))
        self.assertEqual(number, len(closed), "a connection is left open")
        return said

    def test_one_line_each(self):
        said = self.passes(2, 100, 7, 0, 0)
        self.assertEqual(2, len(said))
        self.assertIn("deleted 107 flow runs that ended more than 7200 seconds ago", said[0])
        self.assertIn("deleted 0 flow runs", said[1])

    def test_goes_on_after_a_failure(self):
        said = self.passes(2, OSError("no\nroute"), 3, 0)
        self.assertIn("again later: OSError: no route", said[0])
        self.assertIn("deleted 3 flow runs", said[1])

    def test_health(self):
        self.assertFalse(retention.check())
        self.passes(1, OSError("away"))
        self.assertFalse(retention.check(), "nothing has worked yet")
        self.passes(1, 0)
        with mock.patch.object(retention, "STUCK", 60):
            self.assertEqual(0, retention.main(["--check"]))
        with mock.patch.object(retention, "STUCK", -1):
            self.assertEqual(1, retention.main(["--check"]))

    def test_what_is_no_age(self):
        for arguments in ([], ["x"], ["-7200"], ["60"], ["7200", "1"]):
            with mock.patch.object(sys, "stderr"):
                self.assertEqual(64, retention.main(arguments), arguments)


@unittest.skipIf(NO_DATABASE, NO_DATABASE)
class Database(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with tempfile.TemporaryDirectory() as home:
            environment = dict(os.environ, PREFECT_HOME=home, PREFECT_API_DATABASE_CONNECTION_URL=DATABASE)
            subprocess.run([os.path.join(os.path.dirname(sys.executable), "prefect"), "server", "database", "upgrade", "-y"], env=environment, stdout=subprocess.DEVNULL, check=True, timeout=600)

    def setUp(self):
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)
        self.connection = self.do(self.connect())
        self.addCleanup(lambda: self.do(self.connection.close()))
        self.ask("TRUNCATE flow, flow_run, flow_run_state, task_run, task_run_state, log, artifact, artifact_collection, flow_run_input CASCADE")
        self.flow = self.row("flow", name="f")

    def do(self, work):
        return self.loop.run_until_complete(work)

    @staticmethod
    async def connect():
        url = urlsplit(DATABASE)
        return await asyncpg.connect(host=url.hostname, port=url.port, user=url.username, password=url.password, database=url.path[1:])

    def ask(self, query, *values):
        return self.do(self.connection.fetch(query, *values))

    def row(self, table, **fields):
        fields = dict({"id": uuid.uuid4()}, **fields)
        names = sorted(fields)
        self.ask("INSERT INTO %s (%s) VALUES (%s)" % (table, ", ".join(names), ", ".join("$%d" % n for n in range(1, len(names) + 1))), *[fields[n] for n in names])
        return fields["id"]

    def made(self, name, kind, end, parent=None, key=None):
        """A run with two of everything, and the task run that is a subflow's place in it."""
        made = self.row("flow_run", name=name, flow_id=self.flow, end_time=end, parent_task_run_id=parent)
        for n in range(2):
            task = self.row("task_run", name="t", task_key="t", dynamic_key=str(n), flow_run_id=made)
            artifact = self.row("artifact", key=key, flow_run_id=made, task_run_id=task, created=(end or NOW) + timedelta(seconds=n))
            self.row("artifact", task_run_id=task)
            state = self.row("task_run_state", type="COMPLETED", name="c", task_run_id=task, result_artifact_id=artifact)
            self.ask("UPDATE task_run SET state_id = $1 WHERE id = $2", state, task)
            state = self.row("flow_run_state", type=kind, name=kind.title(), flow_run_id=made, timestamp=NOW + timedelta(seconds=n))
            self.ask("UPDATE flow_run SET state_id = $1, state_type = $2, state_name = $3 WHERE id = $4", state, kind, kind.title(), made)
            self.row("log", name="l", level=20, message="m", timestamp=NOW, flow_run_id=made)
            self.row("log", name="l", level=20, message="m", timestamp=NOW, flow_run_id=made, task_run_id=task)
        self.row("flow_run_input", key="k", value="v", flow_run_id=made)
        if key:
            self.ask("INSERT INTO artifact_collection (key, latest_id, flow_run_id) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET latest_id = $2, flow_run_id = $3", key, artifact, made)
        return made, task

    def kept(self):
        return sorted(row["name"] for row in self.ask("SELECT name FROM flow_run"))

    def a_pass(self):
        with mock.patch.object(retention, "PAUSE", 0):
            return self.do(retention.one_pass(self.connect, KEPT))

    def test_which_runs(self):
        for kind, old_stays in (
            ("COMPLETED", False), ("FAILED", False), ("CRASHED", False), ("CANCELLED", False),
            ("RUNNING", True), ("PENDING", True), ("SCHEDULED", True), ("PAUSED", True), ("CANCELLING", True),
        ):
            self.made(kind + " old", kind, OLD)
            self.made(kind + " young", kind, YOUNG)
            self.made(kind + " without an end", kind, None)
        before = self.kept()
        self.assertEqual(4, self.a_pass())
        self.assertEqual([name for name in before if name not in ("COMPLETED old", "FAILED old", "CRASHED old", "CANCELLED old")], self.kept())
        self.assertEqual(0, self.a_pass())

    def test_with_all_that_is_theirs(self):
        self.made("young", "COMPLETED", YOUNG)
        tables = ("flow_run", "flow_run_state", "task_run", "task_run_state", "log", "artifact", "flow_run_input")
        counts = [self.ask("SELECT count(*) FROM " + table)[0][0] for table in tables]
        for n in range(3):
            self.made("old", "FAILED", OLD)
        self.assertEqual(3, self.a_pass())
        self.assertEqual(counts, [self.ask("SELECT count(*) FROM " + table)[0][0] for table in tables])

    def test_subflows_go_after_their_caller(self):
        _, place = self.made("running", "RUNNING", None)
        self.made("old, of a running one", "COMPLETED", OLD, parent=place)
        _, place = self.made("old", "COMPLETED", OLD)
        _, place = self.made("old, of an old one", "COMPLETED", OLD, parent=place)
        self.made("old, of one of an old one", "COMPLETED", OLD, parent=place)
        self.made("young, of an old one", "COMPLETED", YOUNG, parent=place)
        self.assertEqual(3, self.a_pass())
        self.assertEqual(["old, of a running one", "running", "young, of an old one"], self.kept())

    def test_collections_of_artifacts(self):
        self.made("old", "COMPLETED", OLD, key="gone")
        self.made("old", "COMPLETED", OLD - timedelta(days=1), key="both")
        young, _ = self.made("young", "COMPLETED", YOUNG, key="both")
        self.made("young", "COMPLETED", YOUNG, key="back")
        self.made("old", "COMPLETED", OLD, key="back")  # somebody sets it back: the collection names the older one
        self.a_pass()
        rows = self.ask("SELECT c.key, c.flow_run_id, a.flow_run_id AS latest FROM artifact_collection c LEFT JOIN artifact a ON a.id = c.latest_id ORDER BY c.key")
        self.assertEqual(["back", "both"], [row["key"] for row in rows])
        self.assertEqual(young, rows[1]["latest"])
        for row in rows:
            self.assertIsNotNone(row["latest"])
            self.assertEqual(row["latest"], row["flow_run_id"])

    def test_batches(self):
        for _ in range(7):
            self.made("old", "COMPLETED", OLD)
        sizes = []
        for _ in range(4):
            sizes.append(self.do(retention.batch(self.connection, KEPT, 3)))
        self.assertEqual([3, 3, 1, 0], sizes)

    def test_killed_within_a_batch(self):
        self.made("old", "COMPLETED", OLD)
        before = self.ask("SELECT count(*) FROM log")
        with mock.patch.object(retention, "FLOW_RUNS", "SELECT 1/0 WHERE $1::uuid[] IS NOT NULL"):
            with self.assertRaises(asyncpg.DivisionByZeroError):
                self.a_pass()
        self.assertEqual(before, self.ask("SELECT count(*) FROM log"))
        self.assertEqual(1, self.a_pass())

    def test_one_that_is_about_to_change_is_left(self):
        made, _ = self.made("old", "FAILED", OLD)
        other = self.do(self.connect())
        transaction = other.transaction()
        self.do(transaction.start())
        self.do(other.execute("UPDATE flow_run SET state_type = 'SCHEDULED', end_time = NULL WHERE id = $1", made))
        self.assertEqual(0, self.a_pass())
        self.do(transaction.commit())
        self.do(other.close())
        self.assertEqual(0, self.a_pass())
        self.assertEqual(["old"], self.kept())


if __name__ == "__main__":
    unittest.main()
