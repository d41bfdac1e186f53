import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import uuid

from fake import GLUE
from provision_glue import bridge_serve

TOKEN = "0123456789abcdef" * 4


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.02)
    return False


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Bridge(unittest.TestCase):
    """Both ends as the processes that they are in production."""

    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.port = free_port()
        self.token = self.write("token", TOKEN + "\n")
        self.processes = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()

    def path(self, name):
        return os.path.join(self.dir.name, name)

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)
        return self.path(name)

    def read(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def start(self, arguments, **environment):
        values = dict(
            {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "BRIDGE"))},
            PYTHONPATH=GLUE, PYTHONDONTWRITEBYTECODE="1", BRIDGE_TOKEN_FILE=self.token, BRIDGE_LISTEN="127.0.0.1:%d" % self.port,
            BRIDGE_ADDRESS="127.0.0.1:%d" % self.port, BRIDGE_CONNECT_SECONDS="60", BRIDGE_KILL_SECONDS="1",
        )
        values.update(environment)
        process = subprocess.Popen(
            [sys.executable, "-m", "provision_glue.bridge"] + arguments, env=values, cwd=self.dir.name,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
        )
        self.processes.append(process)
        return process

    def serve(self, script, **environment):
        """An executor whose runs are this shell program."""
        process = self.start(["serve", "--", "/bin/sh", "-c", script], **environment)
        self.assertTrue(wait_for(self.listening), "the executor does not listen")
        return process

    def listening(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def run_client(self, run=None, **environment):
        return self.start(["run", "--", "prefect", "flow-run", "execute"], PREFECT__FLOW_RUN_ID=run or str(uuid.uuid4()), **environment)

    def finish(self, process, seconds=60):
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out.decode(), err.decode()

    def ping(self, **environment):
        code, out, _ = self.finish(self.start(["ping"], **environment))
        return code, json.loads(out) if out else None

    def state(self, key):
        """What the executor says of itself; None if it says nothing in time."""
        return (self.ping()[1] or {}).get(key)

    def exists(self, name):
        return os.path.exists(self.path(name))


class Runs(Bridge):
    def test_exit_codes_and_output(self):
        self.serve('echo "out $PREFECT__FLOW_RUN_ID"; echo err >&2; [ -z "${BRIDGE_TOKEN_FILE:-}" ] || exit 99; read x && exit 98; exit $(cat code)')
        for code in (0, 3, 255):
            self.write("code", str(code))
            run = str(uuid.uuid4())
            got, out, _ = self.finish(self.run_client(run))
            self.assertEqual((got, out), (code, "out %s\nerr\n" % run))

    def test_ended_by_a_signal(self):
        self.serve("kill -KILL $$")
        self.assertEqual(self.finish(self.run_client())[0], 137)

    def test_much_output(self):
        self.serve("i=0; while [ $i -lt 20000 ]; do echo 'line that is long enough to fill the pipes many times over'; i=$((i+1)); done")
        code, out, _ = self.finish(self.run_client())
        self.assertEqual((code, out.count("\n")), (0, 20000))

    def test_the_command_is_not_the_clients(self):
        self.serve("echo mine")
        client = self.start(["run", "--", "touch", self.path("theirs")], PREFECT__FLOW_RUN_ID=str(uuid.uuid4()))
        self.assertEqual(self.finish(client)[:2], (0, "mine\n"))
        self.assertFalse(self.exists("theirs"))

    def test_what_a_run_leaves_behind_ends_with_it(self):
        self.serve("sleep 300 & echo $! >left; exit 0")
        begun = time.monotonic()
        self.assertEqual(self.finish(self.run_client())[0], 0)
        self.assertLess(time.monotonic() - begun, 30)
        left = int(self.read("left"))
        self.assertTrue(wait_for(lambda: not alive(left)))

    def test_what_a_longer_run_leaves_behind_ends_with_it(self):
        """The executor waits for this run's end already when it comes, with the output still open."""
        self.serve("sleep 300 & echo $! >left; while [ ! -e go ]; do sleep 0.05; done; exit 5")
        client = self.run_client()
        self.assertTrue(wait_for(lambda: self.state("running") == 1 and self.exists("left")))
        self.write("go", "")
        self.assertEqual(self.finish(client)[0], 5)
        left = int(self.read("left"))
        self.assertTrue(wait_for(lambda: not alive(left)))

    def test_many_at_once(self):
        self.serve('echo "$PREFECT__FLOW_RUN_ID"; sleep 0.3; exit 4')
        ids = [str(uuid.uuid4()) for _ in range(20)]
        clients = [self.run_client(run) for run in ids]
        for run, client in zip(ids, clients):
            self.assertEqual(self.finish(client)[:2], (4, run + "\n"))

    def test_more_than_the_limit_wait(self):
        self.serve('n=$(ls -d on.* 2>/dev/null | wc -l); [ $n -lt 2 ] || exit 50; mkdir on.$$; while [ ! -e go ]; do sleep 0.05; done; rmdir on.$$', BRIDGE_LIMIT="2")
        clients = [self.run_client() for _ in range(6)]
        self.assertTrue(wait_for(lambda: self.state("waiting") == 4))
        self.assertEqual(self.state("running"), 2)
        self.write("go", "")
        self.assertEqual([self.finish(client)[0] for client in clients], [0] * 6)

    def test_a_command_that_is_not_there(self):
        process = self.start(["serve", "--", "/nonexistent"])
        self.assertTrue(wait_for(self.listening))
        self.assertEqual(self.finish(self.run_client())[0], 127)
        self.assertIsNone(process.poll())


class Tokens(Bridge):
    def test_a_wrong_token_starts_nothing(self):
        self.serve("touch started")
        other = self.write("other", "f" * 64)
        code, _, err = self.finish(self.run_client(BRIDGE_TOKEN_FILE=other))
        self.assertEqual(code, 77)
        self.assertIn("refuses", err)
        self.assertEqual(self.ping(BRIDGE_TOKEN_FILE=other)[0], 77)
        self.assertFalse(self.exists("started"))

    def test_missing_or_short(self):
        self.serve("true")
        for path in (self.path("nowhere"), self.write("short", "f" * 31)):
            for verb in ("serve", "run", "ping"):
                process = self.start([verb], BRIDGE_TOKEN_FILE=path, PREFECT__FLOW_RUN_ID=str(uuid.uuid4()), BRIDGE_LISTEN="127.0.0.1:0")
                self.assertEqual(self.finish(process)[0], 78, verb)

    def test_a_proof_is_good_for_one_nonce(self):
        self.serve("touch started")
        sys.path.insert(0, GLUE)
        from provision_glue import bridge_link as link
        run = str(uuid.uuid4())
        with socket.create_connection(("127.0.0.1", self.port)) as first, socket.create_connection(("127.0.0.1", self.port)) as second:
            nonce = self.hello(first)
            self.hello(second)
            words = {"run": run, "attempt": "a", "since": "", "proof": link.proof(TOKEN.encode(), nonce, "run", run, "a", "")}
            payload = json.dumps(words).encode()
            second.sendall(bytes([link.SUBMIT]) + len(payload).to_bytes(4, "big") + payload)
            second.settimeout(5)
            self.assertEqual(second.recv(5)[0], link.DENIED)
        self.assertFalse(self.exists("started"))

    def hello(self, sock):
        with sock.makefile("rb") as file:
            head = file.read(5)
            return json.loads(file.read(int.from_bytes(head[1:], "big")))["nonce"]

    def test_json_that_nothing_takes_is_refused_in_a_line(self):
        from provision_glue import bridge_link as link
        process = self.serve("exit 5")
        words = '{"run": "%s", "attempt": "%s", "since": "", "proof": "%s"}'
        for text in ("[" * 4000, '{"a":' * 700 + "1" + "}" * 700, words % ("r", "a", "\\ud800"), words % ("r", "\\ud800", "p"), words % ("\\udfff", "a", "p"),
                     '{"\\ud800": 1}', '{"run": %s}' % ("9" * 4000), "NaN"):
            for kind in (link.SUBMIT, link.PING):
                with self.subTest(text[:40], kind=kind), socket.create_connection(("127.0.0.1", self.port)) as sock:
                    sock.settimeout(60)
                    self.hello(sock)
                    payload = text.encode()
                    sock.sendall(bytes([kind]) + len(payload).to_bytes(4, "big") + payload)
                    while sock.recv(4096):
                        pass
        self.assertEqual(self.finish(self.run_client())[0], 5)
        process.terminate()
        self.assertNotIn("Traceback", self.finish(process)[2])

    def test_noise_harms_nobody(self):
        process = self.serve("exit 5")
        for noise in (b"GET / HTTP/1.1\r\n\r\n", b"S\xff\xff\xff\xff", b"S\x00\x00\x00\x02[]", b"\x00" * 4096, b""):
            with socket.create_connection(("127.0.0.1", self.port)) as sock:
                sock.sendall(noise)
        self.assertEqual(self.finish(self.run_client())[0], 5)
        self.assertIsNone(process.poll())


class Signals(Bridge):
    def test_a_signal_reaches_the_run(self):
        self.serve("trap 'exit 17' TERM; trap 'exit 18' INT; touch ready; while :; do sleep 0.05; done")
        for number, code in ((signal.SIGTERM, 17), (signal.SIGINT, 18)):
            client = self.run_client()
            self.assertTrue(wait_for(lambda: self.exists("ready")))
            client.send_signal(number)
            self.assertEqual(self.finish(client)[0], code)
            os.unlink(self.path("ready"))

    def test_a_run_without_a_handler(self):
        self.serve("touch ready; sleep 300")
        client = self.run_client()
        self.assertTrue(wait_for(lambda: self.exists("ready")))
        client.terminate()
        self.assertEqual(self.finish(client)[0], 143)

    def test_a_run_that_does_not_listen_is_killed(self):
        self.serve("trap '' TERM; touch ready; while :; do sleep 0.05; done")
        client = self.run_client()
        self.assertTrue(wait_for(lambda: self.exists("ready")))
        client.terminate()
        self.assertEqual(self.finish(client)[0], 137)

    def test_cancel_while_waiting(self):
        self.serve("touch started.$PREFECT__FLOW_RUN_ID; sleep 300", BRIDGE_LIMIT="1")
        first = self.run_client()
        self.assertTrue(wait_for(lambda: self.state("running") == 1))
        run = str(uuid.uuid4())
        second = self.run_client(run)
        self.assertTrue(wait_for(lambda: self.state("waiting") == 1))
        second.terminate()
        self.assertEqual(self.finish(second)[0], 143)
        self.assertEqual(self.state("waiting"), 0)
        self.assertFalse(self.exists("started." + run))
        self.assertIsNone(first.poll())

    def test_cancel_before_there_is_an_executor(self):
        client = self.run_client()
        self.assertIn(b"waiting for the executor", client.stderr.readline())
        client.terminate()
        self.assertEqual(self.finish(client)[0], 143)


class Links(Bridge):
    SLOW = "echo x >>starts; while [ ! -e go ]; do sleep 0.05; done; exit 9"

    def starts(self):
        return self.read("starts").count("x") if self.exists("starts") else 0

    def test_nobody_there(self):
        begun = time.monotonic()
        code, _, err = self.finish(self.run_client(BRIDGE_CONNECT_SECONDS="1"))
        self.assertEqual(code, 69)
        self.assertIn("no executor", err)
        self.assertLess(time.monotonic() - begun, 30)
        self.assertEqual(self.ping()[0], 69)

    def test_an_executor_that_comes_late(self):
        client = self.run_client()
        time.sleep(1)
        self.serve("exit 6")
        self.assertEqual(self.finish(client)[0], 6)

    def test_somebody_else_answers(self):
        with socket.socket() as server:
            server.bind(("127.0.0.1", self.port))
            server.listen(8)
            code, _, _ = self.finish(self.run_client(BRIDGE_CONNECT_SECONDS="1"))
        self.assertEqual(code, 69)

    def test_a_killed_client_does_not_end_the_run(self):
        self.serve(self.SLOW)
        run = str(uuid.uuid4())
        client = self.run_client(run)
        self.assertTrue(wait_for(lambda: self.starts() == 1))
        client.kill()
        client.wait()
        self.assertTrue(wait_for(lambda: self.state("clients") == 0))
        second = self.run_client(run)
        self.assertTrue(wait_for(lambda: self.state("clients") == 1))
        self.write("go", "")
        self.assertEqual(self.finish(second)[0], 9)
        self.assertEqual(self.starts(), 1)

    def test_two_clients_follow_one_run(self):
        self.serve(self.SLOW)
        run = str(uuid.uuid4())
        clients = [self.run_client(run) for _ in range(3)]
        self.assertTrue(wait_for(lambda: self.state("clients") == 3))
        self.write("go", "")
        self.assertEqual([self.finish(client)[0] for client in clients], [9, 9, 9])
        self.assertEqual(self.starts(), 1)

    def test_a_run_that_is_submitted_again_later_starts_again(self):
        self.serve("echo x >>starts; exit 9")
        run = str(uuid.uuid4())
        for wanted in (1, 2):
            self.assertEqual(self.finish(self.run_client(run))[0], 9)
            self.assertEqual(self.starts(), wanted)

    def through(self, port):
        """A relay to the executor that can be cut."""
        relay = Relay(port, self.port)
        self.addCleanup(relay.close)
        return relay

    def test_a_lost_link_is_made_again(self):
        self.serve(self.SLOW)
        relay = self.through(free_port())
        client = self.run_client(BRIDGE_ADDRESS="127.0.0.1:%d" % relay.port)
        self.assertTrue(wait_for(lambda: self.starts() == 1))
        relay.cut()
        time.sleep(0.5)
        relay.listen()
        self.write("go", "")
        self.assertEqual(self.finish(client)[0], 9)
        self.assertEqual(self.starts(), 1)

    def test_an_end_that_was_missed_is_told(self):
        self.serve(self.SLOW)
        relay = self.through(free_port())
        client = self.run_client(BRIDGE_ADDRESS="127.0.0.1:%d" % relay.port)
        self.assertTrue(wait_for(lambda: self.starts() == 1))
        relay.cut()
        self.write("go", "")
        self.assertTrue(wait_for(lambda: self.state("running") == 0))
        relay.listen()
        self.assertEqual(self.finish(client)[0], 9)
        self.assertEqual(self.starts(), 1)

    def test_an_executor_started_anew_does_not_have_the_run(self):
        first = self.serve(self.SLOW)
        client = self.run_client()
        self.assertTrue(wait_for(lambda: self.starts() == 1))
        first.kill()
        first.wait()
        self.serve(self.SLOW)
        code, _, err = self.finish(client)
        self.assertEqual(code, 70)
        self.assertIn("no longer has", err)
        self.assertEqual(self.starts(), 1)

    def test_an_executor_that_stays_away(self):
        executor = self.serve(self.SLOW)
        client = self.run_client(BRIDGE_REATTACH_SECONDS="1")
        self.assertTrue(wait_for(lambda: self.starts() == 1))
        executor.kill()
        executor.wait()
        self.assertEqual(self.finish(client)[0], 70)


class Ends(Bridge):
    def test_a_killed_executor_takes_its_runs_along(self):
        executor = self.serve("echo $$ >pid; exec sleep 300")
        self.run_client()
        self.assertTrue(wait_for(lambda: self.exists("pid") and self.read("pid").strip()))
        pid = int(self.read("pid"))
        executor.kill()
        executor.wait()
        self.assertTrue(wait_for(lambda: not alive(pid)), "the run outlived its executor")

    def test_a_run_whose_end_nobody_reports_is_lost(self):
        executor = bridge_serve.Executor(["true"], "token", 1, 1)
        for name, code, ago in (("runs", None, 0), ("ended now", 137, 1), ("ended long ago", 137, bridge_serve.REPORT_SECONDS + 1)):
            run = executor.runs[name] = bridge_serve.Run(name, "")
            run.code, run.ended = code, time.monotonic() - ago
        self.assertEqual(executor.known(), {"runs", "ended now"})

    def test_draining_waits_for_runs(self):
        executor = self.serve("touch ready; while [ ! -e go ]; do sleep 0.05; done; exit 9")
        client = self.run_client()
        self.assertTrue(wait_for(lambda: self.exists("ready")))
        executor.terminate()
        self.assertTrue(wait_for(lambda: self.state("draining")))
        late = self.run_client(BRIDGE_CONNECT_SECONDS="1")
        time.sleep(0.5)
        self.write("go", "")
        self.assertEqual(self.finish(client)[0], 9)
        self.assertEqual(self.finish(executor)[0], 0)
        self.assertEqual(self.finish(late)[0], 69)

    def test_draining_ends_runs_when_time_is_over(self):
        executor = self.serve("trap '' TERM; touch ready; while :; do sleep 0.05; done", BRIDGE_DRAIN_SECONDS="1")
        client = self.run_client()
        self.assertTrue(wait_for(lambda: self.exists("ready")))
        begun = time.monotonic()
        executor.terminate()
        self.assertEqual(self.finish(client)[0], 137)
        self.assertEqual(self.finish(executor)[0], 0)
        self.assertLess(time.monotonic() - begun, 30)

    def test_a_second_signal_hurries(self):
        executor = self.serve("touch ready; sleep 300", BRIDGE_DRAIN_SECONDS="300")
        client = self.run_client()
        self.assertTrue(wait_for(lambda: self.exists("ready")))
        executor.terminate()
        self.assertTrue(wait_for(lambda: self.state("draining")))
        executor.terminate()
        self.assertEqual(self.finish(client)[0], 143)
        self.assertEqual(self.finish(executor)[0], 0)

    def test_an_idle_executor_ends_at_once(self):
        executor = self.serve("true")
        begun = time.monotonic()
        executor.terminate()
        self.assertEqual(self.finish(executor)[0], 0)
        self.assertLess(time.monotonic() - begun, 30)

    def test_a_run_that_waits_for_the_next_executor(self):
        """A container that is restarted: what came while it drained is executed by its successor."""
        first = self.serve("touch ready; while [ ! -e go ]; do sleep 0.05; done")
        running = self.run_client()
        self.assertTrue(wait_for(lambda: self.exists("ready")))
        first.terminate()
        self.assertTrue(wait_for(lambda: self.state("draining")))
        waiting = self.run_client()
        time.sleep(0.5)
        self.write("go", "")
        self.finish(running)
        self.finish(first)
        self.serve("exit 11")
        self.assertEqual(self.finish(waiting)[0], 11)


class Relay:
    """Forwards one port to another until it is cut."""

    def __init__(self, port, target):
        self.port = port
        self.target = target
        self.process = None
        self.listen()

    def listen(self):
        program = (
            "import socket,sys,threading\n"
            "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(('127.0.0.1', %d)); s.listen(8)\n"
            "def pump(a, b):\n"
            "    while True:\n"
            "        d = a.recv(65536)\n"
            "        if not d: break\n"
            "        b.sendall(d)\n"
            "    b.shutdown(socket.SHUT_WR)\n"
            "while True:\n"
            "    a, _ = s.accept(); b = socket.create_connection(('127.0.0.1', %d))\n"
            "    threading.Thread(target=pump, args=(a, b), daemon=True).start(); threading.Thread(target=pump, args=(b, a), daemon=True).start()\n"
        ) % (self.port, self.target)
        self.process = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL)
        wait_for(self._ready)

    def _ready(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False

    def cut(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        self.cut()


if __name__ == "__main__":
    unittest.main()
