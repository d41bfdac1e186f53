"""The agent's end of the bridge: stands in for one flow run's process, which lives at the other end."""

import asyncio
import os
import secrets
import signal
import sys
import time
import uuid

from . import bridge_link as link

ATTEMPT_TIMEOUT = 10.0  # for one connection with its handshake


class Run:
    """One flow run, followed from here until its exit code is known or given up."""

    def __init__(self, run, token, where, connect_seconds, reattach_seconds):
        self.run = run
        self.token = token
        self.where = where
        self.connect_seconds = connect_seconds
        self.reattach_seconds = reattach_seconds
        # Names this process for as long as it lives: a link that is made anew continues this run,
        # while another process with the same run id (a run that is resumed or retried) starts it again.
        self.attempt = secrets.token_hex(16)
        self.since = None  # the executor that may have started this attempt
        self.link = None
        self.signals = []  # to hand on at the next link

    def interrupt(self, number):
        """A signal goes to where the run is. Before there is a run, it ends this process."""
        if self.link is not None:
            self.link.send(link.SIGNAL, {"signal": int(number)})
        elif self.since is not None and not self.signals:
            self.signals.append(int(number))
        else:
            os._exit(128 + number)

    async def follow(self):
        """The exit code."""
        deadline = time.monotonic() + self.connect_seconds
        pause, told = 0.2, ""
        while True:
            try:
                code = await self._attach()
                if code is not None:
                    return code
                reason = "it is draining"
                deadline = time.monotonic() + self.connect_seconds
            except (OSError, asyncio.TimeoutError) as error:
                reason = str(error) or type(error).__name__
                if self.link is not None:
                    deadline = time.monotonic() + (self.reattach_seconds if self.since else self.connect_seconds)
                    pause, told = 0.2, ""
            self.link = None
            if reason != told:
                link.say("waiting for the executor at %s:%d: %s" % (self.where + (reason,)))
                told = reason
            if time.monotonic() >= deadline:
                break
            await asyncio.sleep(min(pause, max(0.0, deadline - time.monotonic())))
            pause = min(2 * pause, 3.0)
        place = "%s:%d" % self.where
        if self.since is None:
            return link.fail(link.UNREACHABLE, "no executor at %s: %s" % (place, reason))
        return link.fail(link.LOST, "the executor at %s did not come back (%s); the run's end is unknown" % (place, reason))

    async def _attach(self):
        """One link. None: the other end takes nothing now."""
        connection, nonce, instance = await asyncio.wait_for(connect(self.where), ATTEMPT_TIMEOUT)
        try:
            since = self.since or ""
            self.since = self.since or instance  # until it says otherwise, this executor may have begun
            connection.send(link.SUBMIT, {
                "run": self.run, "attempt": self.attempt, "since": since,
                "proof": link.proof(self.token, nonce, "run", self.run, self.attempt, since),
            })
            self.link = connection
            for number in self.signals:
                connection.send(link.SIGNAL, {"signal": number})
            self.signals = []
            return await self._listen(connection, instance)
        finally:
            await connection.close()

    async def _listen(self, connection, instance):
        while True:
            kind, payload = await connection.receive()
            if kind == link.OUTPUT:
                write(payload)
            elif kind == link.RUNNING:
                self.since = instance
            elif kind == link.WAITING:
                self.since = None
            elif kind == link.DRAINING:
                self.since = None
                return None
            elif kind == link.EXIT:
                code = link.decode(payload).get("code")
                return code if isinstance(code, int) else link.LOST
            elif kind == link.DENIED:
                return link.fail(link.REFUSED, "the executor refuses this token")
            elif kind == link.GONE:
                return link.fail(link.LOST, "the executor was started anew and no longer has this run")


async def connect(where):
    """A link whose other end has greeted, its nonce and its name for this life of it."""
    reader, writer = await asyncio.open_connection(*where)
    connection = link.Link(reader, writer)
    try:
        hello = await connection.receive_json(link.HELLO)
        return connection, str(hello.get("nonce", "")), str(hello.get("instance", ""))
    except BaseException:
        writer.transport.abort()
        raise


async def ping(token, where):
    """What the executor says of itself, or an exit code."""
    try:
        connection, nonce, _ = await asyncio.wait_for(connect(where), 5)
        try:
            connection.send(link.PING, {"proof": link.proof(token, nonce, "ping")})
            kind, payload = await asyncio.wait_for(connection.receive(), 5)
        finally:
            await connection.close()
    except (OSError, asyncio.TimeoutError) as error:
        return link.fail(link.UNREACHABLE, "no executor at %s:%d: %s" % (where + (error or type(error).__name__,)))
    if kind != link.PONG:
        return link.fail(link.REFUSED, "the executor refuses this token")
    return link.decode(payload)


async def run(run_id):
    """Follows one flow run to its exit code."""
    try:
        run_id = str(uuid.UUID(run_id))
    except ValueError:
        return link.fail(64, "PREFECT__FLOW_RUN_ID is no UUID")
    client = Run(
        run_id, link.read_token(), link.address("BRIDGE_ADDRESS", "business-logic:8787"),
        link.seconds("BRIDGE_CONNECT_SECONDS", 60), link.seconds("BRIDGE_REATTACH_SECONDS", 300),
    )
    loop = asyncio.get_event_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, client.interrupt, number)
    return await client.follow()


def write(payload):
    """The run's output. A reader that went away does not end the run."""
    try:
        sys.stdout.buffer.write(payload)
        sys.stdout.buffer.flush()
    except OSError:
        pass
