"""The executor: starts each flow run once, tells every client that follows it how it goes, and ends with its runs."""

import asyncio
import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
import uuid

from . import bridge_link as link
from . import lost

KEEP_SECONDS = 600  # how long an exit code waits for a client whose link was lost
REPORT_SECONDS = 120  # how long who follows a run may take to report its end
MAX_OUTPUT = 16 << 10  # in one frame
MAX_BACKLOG = 1 << 20  # output beyond this is not kept for a client that does not read
PR_SET_PDEATHSIG = 1


class Run:
    """One flow run. ``code`` is None for as long as it waits or runs."""

    def __init__(self, run_id, attempt):
        self.id = run_id
        self.attempt = attempt
        self.clients = set()
        self.task = None
        self.begun = False  # its process is there or about to be: from here on it is started once and never again
        self.pid = None
        self.pending = None  # a signal for a process that is about to be there
        self.code = None
        self.ended = 0.0
        self.signalled = False

    def tell(self, kind, payload=b""):
        for client in self.clients:
            if kind != link.OUTPUT or client.backlog() < MAX_BACKLOG:
                client.send(kind, payload)

    def signal(self, number):
        """To all processes of the run."""
        if self.pid is None:
            self.pending = number
        else:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:
                pass


class _End(asyncio.SubprocessProtocol):
    """Hands a run's output on. The end of its process and the end of its output are two events: asyncio's Process.wait() of Python 3.11 to
    3.13 waits for both, thus for whatever the run left behind with its output open (python/cpython#119710)."""

    def __init__(self, run):
        self.run = run
        self.exited = asyncio.Event()
        self.silent = asyncio.Event()

    def pipe_data_received(self, fd, data):
        if self.run.clients:
            for begin in range(0, len(data), MAX_OUTPUT):
                self.run.tell(link.OUTPUT, data[begin:begin + MAX_OUTPUT])
        else:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()

    def pipe_connection_lost(self, fd, exc):
        self.silent.set()

    def process_exited(self):
        self.exited.set()


class Executor:
    """All runs of this container. ``command`` is fixed: a client names the flow run, never what is executed."""

    def __init__(self, command, token, limit, kill_seconds):
        self.command = command
        self.token = token
        self.kill_seconds = kill_seconds
        self.instance = secrets.token_hex(16)
        self.limit = limit
        self.slots = asyncio.Semaphore(limit)
        self.runs = {}
        self.draining = False
        self.idle = asyncio.Event()
        self.idle.set()

    def live(self):
        return [run for run in self.runs.values() if run.code is None]

    def known(self):
        """The runs that are nobody's loss. Who follows a run reports how it ended, and has a while for that; where nobody follows, nobody does."""
        return {run.id for run in self.runs.values() if run.code is None or time.monotonic() - run.ended < REPORT_SECONDS}

    # --- one client

    async def client(self, reader, writer):
        connection = link.Link(reader, writer)
        try:
            await self._greet(connection)
        except (OSError, asyncio.TimeoutError):
            pass
        finally:
            await connection.close()

    async def _greet(self, connection):
        nonce = secrets.token_hex(32)
        connection.send(link.HELLO, {"protocol": 1, "instance": self.instance, "nonce": nonce})
        kind, payload = await asyncio.wait_for(connection.receive(link.MAX_UNPROVEN), 10)
        words = link.decode(payload)
        if kind == link.PING and link.same(words.get("proof"), link.proof(self.token, nonce, "ping")):
            connection.send(link.PONG, self.state())
        elif kind == link.SUBMIT and self._proven(nonce, words):
            await self._submitted(connection, words)
        else:
            peer = connection.writer.get_extra_info("peername") or ("?",)
            link.say("refused a client at %s: wrong token" % peer[0])
            connection.send(link.DENIED)

    def _proven(self, nonce, words):
        named = [words.get(key) for key in ("run", "attempt", "since")]
        if not all(isinstance(word, str) for word in named):
            return False
        return link.same(words.get("proof"), link.proof(self.token, nonce, "run", *named))

    async def _submitted(self, connection, words):
        try:
            run_id = str(uuid.UUID(words["run"]))
        except ValueError:
            raise ConnectionError("no flow run id") from None
        run = self._find_or_start(run_id, words["attempt"], words["since"])
        if not isinstance(run, Run):
            connection.send(run)
            return
        if run.code is not None:
            connection.send(link.EXIT, {"code": run.code})
            return
        run.clients.add(connection)
        connection.send(link.RUNNING if run.begun else link.WAITING)
        try:
            while True:
                kind, payload = await connection.receive(link.MAX_UNPROVEN)
                if kind == link.SIGNAL:
                    self._signal(run, link.decode(payload).get("signal"))
        finally:
            run.clients.discard(connection)
            if not run.begun and run.code is None and not run.clients:
                # It knows that nothing was started, so it will submit again if it still lives.
                run.task.cancel()

    def _find_or_start(self, run_id, attempt, since):
        """The run to follow, or the frame that says why there is none."""
        self._forget()
        run = self.runs.get(run_id)
        if run is not None and (run.code is None or run.attempt == attempt):
            return run
        if since and since != self.instance:
            return link.GONE
        if self.draining:
            return link.DRAINING
        run = self.runs[run_id] = Run(run_id, attempt)
        self.idle.clear()
        run.task = asyncio.ensure_future(self._execute(run))
        return run

    def _signal(self, run, number):
        if number not in (signal.SIGTERM, signal.SIGINT):
            return
        if not run.begun:
            self._end(run, 128 + number)
            run.task.cancel()
        elif not run.signalled:
            run.signalled = True
            link.say("run %s: signal %d" % (run.id, number))
            run.signal(number)
            asyncio.get_event_loop().call_later(self.kill_seconds, self._kill, run)

    def _kill(self, run):
        if run.code is None:
            run.signal(signal.SIGKILL)

    # --- one run

    async def _execute(self, run):
        try:
            async with self.slots:
                if run.code is None:
                    self._end(run, await self._process(run))
        except asyncio.CancelledError:
            if run.code is None and self.runs.get(run.id) is run:
                del self.runs[run.id]
        except OSError as error:
            link.say("run %s: cannot be started: %s" % (run.id, error))
            self._end(run, 127)
        finally:
            if not self.live():
                self.idle.set()

    async def _process(self, run):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("BRIDGE_")}
        environment["PREFECT__FLOW_RUN_ID"] = run.id
        run.begun = True
        # Told before it is true: who has not heard of it when this executor is killed would have the run started twice.
        run.tell(link.RUNNING)
        process, end = await asyncio.get_event_loop().subprocess_exec(
            lambda: _End(run), *self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=environment, start_new_session=True, preexec_fn=_end_with_parent(os.getpid()),
        )
        run.pid = process.get_pid()
        link.say("run %s: started, process %d" % (run.id, run.pid))
        if run.pending is not None:
            run.signal(run.pending)
        await end.exited.wait()
        # What the run left behind in its group must not outlive it, and would hold its output open.
        run.signal(signal.SIGKILL)
        await _first(5, end.silent.wait())
        code = process.get_returncode()
        process.close()
        return code if code >= 0 else 128 - code

    def _end(self, run, code):
        run.code = code
        run.ended = time.monotonic()
        link.say("run %s: ended with %d" % (run.id, code))
        run.tell(link.EXIT, {"code": code})

    def _forget(self):
        oldest = time.monotonic() - KEEP_SECONDS
        for run_id in [r.id for r in self.runs.values() if r.code is not None and r.ended < oldest]:
            del self.runs[run_id]

    def state(self):
        live = self.live()
        running = sum(1 for run in live if run.begun)
        clients = sum(len(run.clients) for run in live)
        return {"running": running, "waiting": len(live) - running, "clients": clients, "limit": self.limit, "draining": self.draining}

    # --- the end

    async def drain(self, patience, hurry):
        """Takes no more runs and waits for those that are here; then ends them. ``hurry`` cuts the waiting short."""
        self.draining = True
        for run in self.live():
            if not run.begun:
                run.tell(link.DRAINING)
                run.task.cancel()
        link.say("draining: %d running, at most %d s" % (self.state()["running"], patience))
        await _first(patience, self.idle.wait(), hurry.wait())
        for number, wait in ((signal.SIGTERM, self.kill_seconds), (signal.SIGKILL, 5)):
            for run in self.live():
                link.say("run %s: signal %d, the time to drain is over" % (run.id, number))
                run.signal(number)
            await _first(wait, self.idle.wait())
        await asyncio.sleep(0.1)  # the last exit codes are on their way


async def serve(command):
    """Serves until SIGTERM or SIGINT, then drains; a second signal cuts the waiting short."""
    drain_seconds = link.seconds("BRIDGE_DRAIN_SECONDS", 60)
    limit = int(link.seconds("BRIDGE_LIMIT", 64)) or 1
    executor = Executor(command, link.read_token(), limit, link.seconds("BRIDGE_KILL_SECONDS", 10))
    stop, hurry = asyncio.Event(), asyncio.Event()

    def signalled():
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_event_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signalled)
    host, port = link.address("BRIDGE_LISTEN", "0.0.0.0:8787")
    try:
        server = await asyncio.start_server(executor.client, host or None, port)
    except OSError as error:
        return link.fail(71, "cannot listen on %s:%d: %s" % (host, port, error))
    link.say("listening on port %d, at most %d runs at once" % (server.sockets[0].getsockname()[1], limit))
    sweeping = asyncio.ensure_future(lost.sweep_forever(executor.known))
    await stop.wait()
    sweeping.cancel()
    await executor.drain(drain_seconds, hurry)
    server.close()
    return 0


async def _first(timeout, *waits):
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _end_with_parent(parent):
    """Without this, processes of a run would outlive an executor that is killed where no container ends with it.

    The kernel ties the signal to the thread that forks: the event loop's, which is the main one."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prepare():
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(143)

    return prepare
