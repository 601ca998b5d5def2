"""A client's connection that never waits: its methods are generators, parts of a task (tasks.py). Whatever is not as it should be
is a Wrong."""

import errno
import hashlib
import json
import socket
import ssl
import time

import doip
from tasks import READ, WRITE

PATIENCE = 60            # seconds until the service must have done something: the machine may be slow, and thousands come at once
BIND_ADDRESS_NO_PORT = 24  # IP_BIND_ADDRESS_NO_PORT: the port is chosen at connect(), so that each address has all of them
LINE_MOST = 1 << 20
PIECE = 16384            # a TLS record
NAP = 0.1                # seconds that a slow reader sleeps at least


class Wrong(Exception):
    """The service did what it should not."""


def tls_context():
    made = doip.context()
    made.options |= ssl.OP_NO_RENEGOTIATION
    return made


class Answer:
    def __init__(self, head):
        self.head = head
        self.status = head.get("status")
        self.output = head.get("output")
        self.size = 0  # of a bytes segment
        self.digest = hashlib.sha256()


class Link:
    """`rate`: the bytes per second that it reads of an answer, in small pieces; 0: as fast as they come. What is slow keeps to its time also where
    the machine is too busy for a while: the service judges slowness, too."""

    def __init__(self, port, source, tls, rate=0):
        self.port, self.source, self.tls, self.rate = port, source, tls, rate
        self.socket = None
        self.begun = self.received = 0  # of an answer: when, and its bytes so far
        self.buffer = bytearray()

    def open(self):
        raw = socket.socket()
        self.socket = raw
        raw.setblocking(False)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.rate:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * PIECE)
        raw.setsockopt(socket.IPPROTO_IP, BIND_ADDRESS_NO_PORT, 1)
        raw.bind((self.source, 0))
        if raw.connect_ex((doip.HOST, self.port)) == errno.EINPROGRESS and not (yield WRITE, PATIENCE):
            raise Wrong(f"no connection within {PATIENCE} s")
        error = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, "connect")
        self.socket = self.tls.wrap_socket(raw, do_handshake_on_connect=False, suppress_ragged_eofs=False)
        yield from self.step(self.socket.do_handshake, "the handshake")

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None
        self.buffer.clear()

    def step(self, action, what):
        while True:
            try:
                return action()
            except ssl.SSLWantReadError:
                events = READ
            except ssl.SSLWantWriteError:
                events = WRITE
            if not (yield events, PATIENCE):
                raise Wrong(f"nothing for {PATIENCE} s in {what}")

    # writing

    def send(self, data):
        left = memoryview(data)
        while left:
            left = left[(yield from self.step(lambda: self.socket.send(left[:65536]), "a request")):]

    def send_slowly(self, data, piece, seconds):
        """Sends it piece by piece, in so many seconds."""
        begun = time.monotonic()
        for at in range(0, len(data), piece):
            yield from self.send(data[at:at + piece])
            early = begun + seconds * (at + piece) / len(data) - time.monotonic()
            if early > 0:
                yield 0, early

    # reading

    def fill(self, what):
        if self.rate:
            early = self.begun + self.received / self.rate - time.monotonic()
            if early > 0:
                yield 0, max(early, NAP)
        data = yield from self.step(lambda: self.socket.recv(PIECE), what)
        if not data:
            raise Wrong(f"the service closed the connection in {what}")
        self.buffer += data
        self.received += len(data)

    def line(self, what):
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > LINE_MOST:
                raise Wrong(f"no end of a line in {what}")
            yield from self.fill(what)
        line = bytes(self.buffer[:end])
        del self.buffer[:end + 1]
        return line

    def answer(self, what):
        """The next answer, whole: with one JSON segment, or one bytes segment, or none."""
        self.begun, self.received = time.monotonic(), 0
        answer = Answer(json.loads((yield from self.line(what))))
        yield from self.expect(b"#", what)
        while (line := (yield from self.line(what))) != b"#":
            if line == b"@":
                yield from self.bytes(answer, what)
            else:
                answer.output = json.loads(line)
                yield from self.expect(b"#", what)
        if self.buffer:
            raise Wrong(f"more than an answer in {what}: {bytes(self.buffer[:60])!r}")
        if answer.status != doip.OK:
            raise Wrong(f"{what}: {answer.head}")
        return answer

    def bytes(self, answer, what):
        while (line := (yield from self.line(what))) != b"#":
            left = int(line)
            answer.size += left
            while left:
                if not self.buffer:
                    yield from self.fill(what)
                piece = self.buffer[:left]
                del self.buffer[:left]
                left -= len(piece)
                answer.digest.update(piece)
            yield from self.expect(b"", what)

    def expect(self, mark, what):
        line = yield from self.line(what)
        if line != mark:
            raise Wrong(f"{line[:60]!r} instead of {mark!r} in {what}")

    def ask(self, operation, target, segments=(), **attributes):
        more = {"attributes": attributes} if attributes else {}
        yield from self.send(doip.message(operation, target, segments, **more))
        return (yield from self.answer(operation))

    def quiet(self, seconds):
        """Passes the time, in which nothing may come (but what TLS itself has to say)."""
        if not (yield READ, seconds):
            return
        try:
            data = self.socket.recv(64)
        except ssl.SSLWantReadError:
            yield 0, seconds
            return
        raise Wrong("the service closed an idle connection" if not data else f"{data!r} without a request")
