"""The words that both ends of the bridge use: frames, proof of the token, exit codes. No policy."""

import asyncio
import hashlib
import hmac
import json
import os
import socket
import struct

# Exit codes of the client beside those of the run itself (128+N for a run that signal N ended).
UNREACHABLE = 69  # nothing was started
LOST = 70  # something was started and its end is not known here
REFUSED = 77  # the token is not the one of the other end
MISCONFIGURED = 78

# What a server says.
HELLO, DENIED, WAITING, RUNNING, DRAINING, GONE, OUTPUT, EXIT, PONG = b"HNWADLOEP"
# What a client says.
SUBMIT, PING, SIGNAL = b"SQK"

MAX_FRAME = 64 << 10
MAX_UNPROVEN = 4 << 10  # nothing longer is read from a client that has not shown the token


class Link:
    """Frames over one connection: a byte for the kind, four for the length, the payload."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer
        _keep_alive(writer.get_extra_info("socket"))

    async def receive(self, limit=MAX_FRAME):
        """The next frame, or ConnectionError: a stream that ends is a lost link, whatever was said before."""
        try:
            kind, length = struct.unpack("!BI", await self.reader.readexactly(5))
            if length > limit:
                raise ConnectionError("a frame of %d bytes" % length)
            return kind, await self.reader.readexactly(length)
        except asyncio.IncompleteReadError:
            raise ConnectionError("the link ended") from None
        except OSError as error:
            raise ConnectionError(str(error)) from None

    async def receive_json(self, expected, limit=MAX_UNPROVEN):
        kind, payload = await self.receive(limit)
        if kind != expected:
            raise ConnectionError("unexpected frame %r" % chr(kind))
        return decode(payload)

    def send(self, kind, payload=b""):
        """Never waits: the caller looks at ``backlog`` where much is sent."""
        if isinstance(payload, dict):
            payload = json.dumps(payload).encode()
        self.writer.write(struct.pack("!BI", kind, len(payload)) + payload)

    def backlog(self):
        return self.writer.transport.get_write_buffer_size()

    async def close(self):
        try:
            self.writer.close()
            await asyncio.wait_for(self.writer.wait_closed(), 5)
        except (OSError, asyncio.TimeoutError):
            self.writer.transport.abort()


def decode(payload):
    """A JSON object of text that can be encoded, or ConnectionError: a peer that sends anything else is none of ours."""
    try:
        value = json.loads(payload.decode())
        json.dumps(value, ensure_ascii=False).encode()  # JSON knows halves of characters, which nothing else takes
    except (ValueError, RecursionError):
        raise ConnectionError("a frame that is no JSON") from None
    if not isinstance(value, dict):
        raise ConnectionError("a frame that is no object")
    return value


def proof(token, nonce, *words):
    """Shows that the sender has the token, for this nonce and these words alone. The token itself never travels."""
    return hmac.new(token, "|".join((nonce,) + words).encode(), hashlib.sha256).hexdigest()


def same(given, wanted):
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def read_token():
    """The token's bytes, or SystemExit(78). A short one is as bad as none."""
    path = os.environ.get("BRIDGE_TOKEN_FILE", "/run/secrets/bridge_token")
    try:
        with open(path, "rb") as file:
            token = file.read(4096).strip()
    except OSError as error:
        raise SystemExit(fail(MISCONFIGURED, "cannot read the token: %s" % error))
    if len(token) < 32:
        raise SystemExit(fail(MISCONFIGURED, "%s holds less than 32 characters" % path))
    return token


def address(variable, default):
    host, colon, port = os.environ.get(variable, default).rpartition(":")
    if not colon or not port.isdigit():
        raise SystemExit(fail(MISCONFIGURED, "%s is no HOST:PORT" % variable))
    return host.strip("[]"), int(port)


def seconds(variable, default):
    text = os.environ.get(variable, "")
    try:
        value = float(text) if text else float(default)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise SystemExit(fail(MISCONFIGURED, "%s is no number of seconds" % variable))
    return value


def say(text):
    """One event, one line on stderr; a reader that went away is no reason to end."""
    try:
        os.write(2, ("bridge: %s\n" % text).encode())
    except OSError:
        pass


def fail(code, text):
    say(text)
    return code


def _keep_alive(sock):
    """A peer whose machine vanished sends no end of stream: find out within half a minute."""
    for level, option, value in (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
    ):
        sock.setsockopt(level, option, value)
