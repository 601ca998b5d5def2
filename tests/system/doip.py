"""An independent DOIP client for the system tests: Python's standard library, nothing of libdoip.

It writes whatever bytes a test wants, and reads strictly: a response must have the plainest form that protocol section 2
describes (compact JSON on one line, no blanks, exact newlines), or NotPlain is raised. How a connection ended is told apart:
`clean` (close_notify) or not.
"""

import hashlib
import json
import re
import select
import socket
import ssl

HOST = "127.0.0.1"

OK = "0.DOIP/Status.001"
INVALID = "0.DOIP/Status.101"
UNAUTHENTICATED = "0.DOIP/Status.102"
FORBIDDEN = "0.DOIP/Status.103"
UNKNOWN = "0.DOIP/Status.104"
DUPLICATE = "0.DOIP/Status.105"
DECLINED = "0.DOIP/Status.200"
ERROR = "0.DOIP/Status.500"

HELLO = "0.DOIP/Op.Hello"
LIST = "0.DOIP/Op.ListOperations"
CREATE = "0.DOIP/Op.Create"
RETRIEVE = "0.DOIP/Op.Retrieve"
UPDATE = "0.DOIP/Op.Update"
DELETE = "0.DOIP/Op.Delete"
SEARCH = "0.DOIP/Op.Search"

EMPTY = b"#\n"


class NotPlain(AssertionError):
    """The service wrote something that is not the plainest form."""


class Broken(Exception):
    """The stream ended inside a message, or where one was due; `clean` says whether with close_notify."""

    def __init__(self, text, clean):
        super().__init__(f"{text} ({'close_notify' if clean else 'no close_notify'})")
        self.clean = clean


# ---------------------------------------------------------------- writing

def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def json_segment(value):
    """A JSON segment; bytes are taken as the JSON text itself."""
    return (value if isinstance(value, bytes) else text(value)) + b"\n#\n"


def bytes_segment(data, chunk=65536):
    out = [b"@\n"]
    for at in range(0, len(data), chunk):
        piece = data[at:at + chunk]
        out.append(b"%d\n%b\n" % (len(piece), piece))
    out.append(b"#\n")
    return b"".join(out)


def head(operation, target, **more):
    """A request's first segment. None leaves operation or target out; `id` is requestId, `client` clientId."""
    value = {}
    if "id" in more:
        value["requestId"] = more.pop("id")
    if "client" in more:
        value["clientId"] = more.pop("client")
    if target is not None:
        value["targetId"] = target
    if operation is not None:
        value["operationId"] = operation
    value.update(more)
    return json_segment(value)


def message(operation, target, segments=(), **more):
    """A whole request. In `segments`, bytes are bytes segments and all else JSON segments."""
    parts = [head(operation, target, **more)]
    for segment in segments:
        is_bytes = isinstance(segment, (bytes, bytearray))
        parts.append(bytes_segment(bytes(segment)) if is_bytes else json_segment(segment))
    parts.append(EMPTY)
    return b"".join(parts)


def object_segments(value, elements):
    """The segments of an object with element data; `elements` is a dict of id -> bytes."""
    out = [value]
    for name, data in elements.items():
        out += [{"id": name}, data]
    return out


def pattern(size, start=0):
    """What Debug.Big writes."""
    return bytes((at * 31 + (at >> 8) * 7 + (at >> 16) * 3) & 255 for at in range(start, start + size))


def sha256(data):
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- reading

class Response:
    def __init__(self, head_value, segments, compact):
        self.head = head_value
        self.status = head_value.get("status")
        self.id = head_value.get("requestId")
        self.attributes = head_value.get("attributes", {})
        self.segments = segments
        self.compact = compact

    @property
    def ok(self):
        return self.status == OK

    @property
    def output(self):
        """The only segment; None where there is none."""
        if not self.segments:
            return None
        if len(self.segments) != 1:
            raise AssertionError(f"expected one output segment, got {len(self.segments)}: {self!r}")
        return self.segments[0]

    @property
    def reason(self):
        return self.attributes.get("message")

    def elements(self):
        """Of an object with element data: (object, {id: bytes})."""
        rest = self.segments[1:]
        if len(rest) % 2:
            raise AssertionError(f"element headers and data do not pair: {self!r}")
        return self.segments[0], {rest[i]["id"]: rest[i + 1] for i in range(0, len(rest), 2)}

    def __repr__(self):
        shown = [f"<{len(s)} bytes>" if isinstance(s, bytes) else repr(s)[:300] for s in self.segments]
        return f"<{json.dumps(self.head)[:500]} {' '.join(shown)}>"


STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')


def strict(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise NotPlain(f"duplicate keys: {keys}")
    return dict(pairs)


def context(cert=None, key=None, versions=None, ciphers=None, ca=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # or an end without close_notify would look like one with
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if ca:
        made.load_verify_locations(ca)
        made.verify_mode = ssl.CERT_REQUIRED
    if versions:
        made.minimum_version, made.maximum_version = versions
    if ciphers:
        made.set_ciphers(ciphers)
    if cert:
        made.load_cert_chain(cert, key)
    return made


DEFAULT = context()


class Connection:
    """A TLS connection. Use it in `with`: leaving closes without ceremony."""

    def __init__(self, port, host=HOST, timeout=20, tls=None, buffer=None, source=None):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        raw = socket.socket(family, socket.SOCK_STREAM)
        try:
            if buffer:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
            raw.settimeout(timeout)
            if source:
                raw.bind((source, 0))
            raw.connect((host, port))
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sock = (tls or DEFAULT).wrap_socket(raw, suppress_ragged_eofs=False)
        except BaseException:
            raw.close()
            raise
        self.ended = None
        self.buffer = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def abort(self):
        """Closes with a TCP reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def end_writing(self):
        """Ends the sending direction below TLS, without close_notify."""
        socket.socket.shutdown(self.sock, socket.SHUT_WR)

    def close_notify(self):
        """Says close_notify and waits for the service's; false when it only ended the stream."""
        try:
            self.sock.unwrap()
            return True
        except (ssl.SSLError, OSError):
            return False

    def send(self, *parts):
        for part in parts:
            self.sock.sendall(part)

    def send_and_receive(self, data):
        """Sends while it keeps what comes, for answers that begin early. One thread: an SSL object is not made for two.
        Ends when all is sent, or the service has ended the stream."""
        left = memoryview(data)
        timeout = self.sock.gettimeout()
        self.sock.setblocking(False)
        try:
            while left and self.ended is None:
                wanted = [self.sock] if select.select([self.sock], [self.sock], [], timeout)[1] else []
                try:
                    while self._fill():
                        pass
                except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    pass
                if wanted and self.ended is None:
                    left = left[self._send_some(left):]
        finally:
            self.sock.settimeout(timeout)

    def _send_some(self, data):
        try:
            return self.sock.send(data[:65536])
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except (ssl.SSLError, OSError):
            self.ended = "ragged"
            return 0

    def _fill(self):
        if self.ended is None:
            try:
                data = self.sock.recv(65536)
                if data:
                    self.buffer += data
                    return True
                self.ended = "clean"
            except (ssl.SSLEOFError, ConnectionError, BrokenPipeError):
                self.ended = "ragged"
            except ssl.SSLError as error:
                if isinstance(error, (TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError)):
                    raise
                self.ended = f"ragged: {error}"
        return False

    def _need(self, size, what):
        while len(self.buffer) < size:
            if not self._fill():
                raise Broken(f"ended within {what} after {bytes(self.buffer[-60:])!r}", self.ended == "clean")

    def _line(self, what, limit=1 << 30):
        at = 0
        while True:
            end = self.buffer.find(b"\n", at)
            if end >= 0:
                break
            at = len(self.buffer)
            if at > limit:
                raise NotPlain(f"{what} is longer than {limit} bytes: {bytes(self.buffer[:80])!r}")
            if not self._fill():
                raise Broken(f"ended within {what} after {bytes(self.buffer[-60:])!r}", self.ended == "clean")
        line = bytes(self.buffer[:end])
        del self.buffer[:end + 1]
        return line

    def _json(self, what):
        line = self._line(what)
        mark = self._line("the end of " + what, 8)
        if mark != b"#":
            raise NotPlain(f"{what} is followed by {mark!r} instead of '#': {line[:200]!r}")
        decoded = line.decode("utf-8")
        if re.search(r"\s", STRINGS.sub('""', decoded)):
            raise NotPlain(f"{what} holds blanks: {decoded[:200]!r}")
        return json.loads(decoded, object_pairs_hook=strict)

    def _bytes(self, sink):
        self._line("a bytes segment")
        data = bytearray()
        while True:
            size = self._line("a chunk's size", 16)
            if size == b"#":
                return bytes(data)
            if not re.fullmatch(rb"[1-9][0-9]{0,9}", size):
                raise NotPlain(f"a chunk's size is {size!r}")
            left = int(size)
            while left:
                self._need(1, "a chunk")
                piece = bytes(self.buffer[:left])
                del self.buffer[:len(piece)]
                left -= len(piece)
                if sink:
                    sink(piece)
                else:
                    data += piece
            self._need(1, "a chunk's end")
            if self.buffer[:1] != b"\n":
                raise NotPlain(f"a chunk of {size!r} is followed by {bytes(self.buffer[:8])!r}")
            del self.buffer[:1]

    def response(self, sink=None):
        """The next response, whole; bytes go to `sink` where one is given."""
        self._need(1, "nothing: a response is due")
        value = self._json("a response's head")
        if not isinstance(value, dict) or not isinstance(value.get("status"), str):
            raise NotPlain(f"a response's head is {value!r}")
        unknown = set(value) - {"requestId", "status", "attributes", "output"}
        if unknown or not isinstance(value.get("attributes", {}), dict):
            raise NotPlain(f"a response's head has {value!r}")
        compact = "output" in value
        segments = [value["output"]] if compact else []
        while True:
            self._need(2, "a response")
            if self.buffer[:2] == EMPTY:
                del self.buffer[:2]
                break
            if compact:
                raise NotPlain(f"a compact response goes on: {bytes(self.buffer[:60])!r}")
            if self.buffer[:2] == b"@\n":
                segments.append(self._bytes(sink))
            elif self.buffer[:1] in b"@#":
                raise NotPlain(f"a segment begins with {bytes(self.buffer[:8])!r}")
            else:
                segments.append(self._json("a JSON segment"))
        return Response(value, segments, compact)

    def request(self, operation, target=None, segments=(), **more):
        self.send(message(operation, target, segments, **more))
        return self.response()

    def at_end(self):
        """Waits for the end of the stream: True for close_notify, False for an end without. AssertionError when data comes."""
        while self._fill():
            pass
        if self.buffer:
            raise AssertionError(f"expected the end of the stream, got {bytes(self.buffer[:200])!r}")
        return self.ended == "clean"


def request(port, operation, target=None, segments=(), tls=None, timeout=20, source=None, **more):
    """One request on a connection of its own."""
    with Connection(port, tls=tls, timeout=timeout, source=source) as connection:
        return connection.request(operation, target, segments, **more)
