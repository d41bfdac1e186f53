"""The table of operations: its form, what nobody may do, and with Prefect itself that it is whole."""

import os
import unittest

import fake  # finds the package
from provision_glue import operations

try:
    import prefect
    NO_PREFECT = "" if prefect.__version__ == "3.9.1" else "the table is that of Prefect 3.9.1, here is %s" % prefect.__version__
except ImportError:
    NO_PREFECT = "Prefect is not installed beside this Python"

FILE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "operations.txt")


class Table(unittest.TestCase):
    def setUp(self):
        with open(FILE, encoding="utf-8") as file:
            self.text = file.read()
        self.table = operations.read(self.text)

    def granted(self, who):
        return {key for key, names in self.table.items() if who in names}

    def test_sorted(self):
        paths = [path.replace(":pool}", "}") for _, path in self.table]
        self.assertEqual(sorted(paths), paths)

    def test_greetings(self):
        self.assertEqual({("GET", "/" + path) for path in ("admin/version", "csrf-token", "health", "hello", "ready", "version")}, self.granted("all"))

    def test_nobody_writes_what_is_executed(self):
        for method, path in self.granted("poll") | self.granted("run"):
            if method in ("GET", "WEBSOCKET") or path.endswith(("/filter", "/get_scheduled_flow_runs", "/workers/heartbeat", "/create_flow_run")):
                continue
            self.assertIn(path.split("/")[1], ("flows", "flow_runs", "task_runs", "logs", "artifacts", "v2"), path)

    def test_a_worker_has_no_websocket_and_its_own_pool_alone(self):
        for method, path in self.granted("poll"):
            self.assertNotEqual("WEBSOCKET", method)
            self.assertTrue(not path.startswith("/work_pools") or ":pool}" in path, path)

    def test_nobody_reads_all_secrets(self):
        self.assertEqual(("-",), self.table["POST", "/block_documents/filter"])

    def test_what_is_no_line(self):
        for line in (
            "GET /x", "GET /x all more", "FETCH /x all", "GET x all", "GET /x anybody", "GET /x run,-", "GET /x all,run", "GET /x/{id:int} run",
            "GET /work_pools/{name} poll", "POST /work_pools/{work_pool_name}/queues/{name:pool} poll", "GET /flows/{name:pool} run", "GET /x run\nGET /x poll",
        ):
            with self.assertRaises(operations.Bad, msg=line):
                operations.read(line)
        self.assertEqual({}, operations.read("# nothing\n\n"))

    def test_differences(self):
        table = operations.read("GET /a/{id:uuid} run\nGET /work_pools/{name:pool} poll\nWEBSOCKET /b -")
        same = {("GET", "/a/{id:uuid}"), ("GET", "/work_pools/{name}"), ("WEBSOCKET", "/b")}
        self.assertEqual([], operations.differences(table, same))
        self.assertEqual(
            ["GET /a/{id} is in this Prefect, not in the table", "GET /a/{id:uuid} is in the table, not in this Prefect", "WEBSOCKET /b is in the table, not in this Prefect"],
            operations.differences(table, {("GET", "/a/{id}"), ("GET", "/work_pools/{name}")}),
        )


@unittest.skipIf(NO_PREFECT, NO_PREFECT)
class Installed(unittest.TestCase):
    def test_the_table_is_whole(self):
        with open(FILE, encoding="utf-8") as file:
            table = operations.read(file.read())
        self.assertEqual([], operations.differences(table, operations.installed()))
        self.assertEqual(5, sum(method == "WEBSOCKET" for method, _ in table))


if __name__ == "__main__":
    unittest.main()
