"""Executes flow runs where there is no agent's container: the executor of the bridge, and beside it in the same container an agent that fetches for it.

    python -m provision_glue.serve prefect agent start ...

The agent hands its runs over the bridge here, too, on the loopback device: so they outlive it, and it is started again when it ends. SIGTERM ends the
agent at once and has the executor drain; its exit code is this one's. If the executor ends by itself, so does the agent.
"""

import os
import signal
import subprocess
import sys
import time

from . import bridge_link as link

EXECUTOR = [sys.executable, "-m", "provision_glue.bridge", "serve"]
PAUSE = 5.0


class Pair:
    """Both processes; ``agent`` is None while it does not run.

    They are waited for here alone: a Popen that is dropped or asked would take the end of its child for itself."""

    def __init__(self, agent, executor):
        self.command = agent
        self.stopping = False
        self.executor = self.agent = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        self.executor = subprocess.Popen(executor)
        self.start_agent()

    def stop(self, _number, _frame):
        """The second time the executor is told again, and cuts its waiting short."""
        self.stopping = True
        self.end_agent()
        if self.executor is None:
            sys.exit(128 + signal.SIGTERM)
        try:
            os.kill(self.executor.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass

    def start_agent(self):
        if not self.stopping:
            self.agent = subprocess.Popen(self.command)
        if self.stopping:  # the signal came while it was started
            self.end_agent()

    def end_agent(self):
        if self.agent is not None:
            try:
                os.kill(self.agent.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass  # it ended in this very moment

    def wait(self):
        while True:
            pid, status = os.wait()
            if pid == self.executor.pid:
                self.executor.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
                self.end_agent()
                if self.agent is not None:
                    self.agent.wait()
                return self.executor.returncode
            if self.agent is not None and pid == self.agent.pid:
                self.agent.returncode = status
                self.agent = None
                if not self.stopping:
                    link.say("the agent ended, it is started again")
                    time.sleep(PAUSE)
                self.start_agent()


def main(arguments):
    if not arguments:
        print("usage: python -m provision_glue.serve COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 64
    return Pair(arguments, EXECUTOR).wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
