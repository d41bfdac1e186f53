import io
import os
import subprocess
import sys
import tempfile
import unittest
from contextlib import redirect_stdout

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import received  # noqa: E402

HEAD = "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs\n"


class Received(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.table = os.path.join(self.dir.name, "dev")
        self.write(7, 100)

    def write(self, lo, eth0):
        with open(self.table, "w") as f:
            f.write(HEAD + "    lo: %d 1 0\n  eth0:%d 2 0\n  eth1: 50 2 0\n" % (lo, eth0))

    def run_command(self, code):
        out = io.StringIO()
        with redirect_stdout(out):
            rc = received.main([sys.executable, "-c", code, self.table], every=0.05, table=self.table)
        return rc, out.getvalue()

    def test_all_but_lo_are_counted(self):
        self.assertEqual(received.received(self.table), 150)

    def test_a_table_that_cannot_be_read_counts_nothing(self):
        self.assertEqual(received.received(self.table + "x"), 0)
        for text in ("eth0: many\n", "eth0:\n"):
            with open(self.table, "w") as f:
                f.write(text)
            self.assertEqual(received.received(self.table), 0)

    def test_the_real_table(self):
        self.assertGreaterEqual(received.received(), 0)

    def test_what_came_since_the_beginning_is_said_and_the_code_kept(self):
        grow = "import sys; f = open(sys.argv[1], 'a'); f.write('  eth2: 4000 1\\n'); f.close(); sys.exit(3)"
        self.assertEqual(self.run_command(grow), (3, "received 4000 bytes\n"))

    def test_it_is_said_while_the_command_runs(self):
        grow = "import sys, time\nfor i in range(2):\n    f = open(sys.argv[1], 'a'); f.write('  w%d: 10 1\\n' % i); f.close(); time.sleep(1)"
        rc, out = self.run_command(grow)
        self.assertEqual((rc, out), (0, "received 10 bytes\nreceived 20 bytes\n"))

    def test_nothing_is_said_where_nothing_comes(self):
        self.assertEqual(self.run_command("pass"), (0, ""))

    def test_a_command_that_a_signal_ends(self):
        rc, _ = self.run_command("import os; os.kill(os.getpid(), 9)")
        self.assertEqual(rc, 137)

    def test_as_a_program(self):
        p = subprocess.run([sys.executable, received.__file__, sys.executable, "-c", "raise SystemExit(5)"], timeout=60)
        self.assertEqual(p.returncode, 5)


if __name__ == "__main__":
    unittest.main()
