"""The executor and its agent in one container."""

import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from fake import GLUE as HERE
# What the module does, with programs of the test's own in the place of the two.
RUN = "import sys; from provision_glue import serve; serve.PAUSE = 0.05; sys.exit(serve.Pair(['/bin/sh', '-c', sys.argv[1]], ['/bin/sh', '-c', sys.argv[2]]).wait())"


class Serve(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = directory.name

    def start(self, agent, executor):
        process = subprocess.Popen([sys.executable, "-c", RUN, agent, executor], cwd=self.directory, env=dict(os.environ, PYTHONPATH=HERE), stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def lines(self, name, least):
        """The lines of a file, once there are so many."""
        path, deadline = os.path.join(self.directory, name), time.monotonic() + 60
        while time.monotonic() < deadline:
            if os.path.exists(path):
                with open(path) as file:
                    found = file.read().split()
                if len(found) >= least:
                    return found
            time.sleep(0.02)
        self.fail("%s has not %d lines" % (name, least))

    def gone(self, pid):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.02)
        self.fail("process %d goes on" % pid)

    def test_drains(self):
        process = self.start("echo $$ >>agent; exec sleep 300", "trap 'sleep 1; echo drained >drained; exit 7' TERM; echo $$ >executor; while :; do sleep 0.05; done")
        agent = int(self.lines("agent", 1)[0])
        self.lines("executor", 1)
        process.send_signal(signal.SIGTERM)
        self.gone(agent)
        self.assertEqual(process.wait(60), 7)
        self.assertEqual(self.lines("drained", 1), ["drained"])
        self.assertEqual(len(self.lines("agent", 1)), 1)

    def test_agent_is_started_again(self):
        process = self.start("echo $$ >>agent", "exec sleep 300")
        self.assertGreaterEqual(len(self.lines("agent", 3)), 3)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(60), 128 + signal.SIGTERM)

    def test_executor_ends(self):
        process = self.start("echo $$ >>agent; exec sleep 300", "while [ ! -s agent ]; do sleep 0.05; done; exit 3")
        self.assertEqual(process.wait(60), 3)
        self.gone(int(self.lines("agent", 1)[0]))

    def test_usage(self):
        done = subprocess.run([sys.executable, "-m", "provision_glue.serve"], env=dict(os.environ, PYTHONPATH=HERE), stderr=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 64)


if __name__ == "__main__":
    unittest.main()
