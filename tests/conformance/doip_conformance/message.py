"""Messages and segments: writing requests, reading answers. The reader takes every form that is legal, and nothing else."""

import json
import re

EMPTY = b"#\n"
BLANKS = b" \t\r"
LARGEST = (1 << 31) - 1


class Malformed(Exception):
    """The service wrote something that is no legal message."""


# ---------------------------------------------------------------- writing

def text(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def json_segment(value):
    """A JSON segment; bytes are taken as the JSON text itself."""
    return (value if isinstance(value, bytes) else text(value)) + b"\n#\n"


def bytes_segment(data, chunk=65536):
    pieces = [data[at:at + chunk] for at in range(0, len(data), chunk)]
    return b"@\n" + b"".join(b"%d\n%b\n" % (len(piece), piece) for piece in pieces) + b"#\n"


def segments_bytes(segments):
    """Segments as they go out: bytes are bytes segments, all else is JSON."""
    return b"".join(bytes_segment(s) if isinstance(s, bytes) else json_segment(s) for s in segments)


def object_segments(value, elements):
    """An object with element data; `elements` is a dict of id -> bytes."""
    out = [value]
    for name, data in elements.items():
        out += [{"id": name}, data]
    return out


# ---------------------------------------------------------------- reading

class Answer:
    """A response: its head, and its output as a list of segments, whether it came compact or not."""

    def __init__(self, head, segments, compact, raw):
        self.head, self.segments, self.compact, self.raw = head, segments, compact, raw
        self.status = head.get("status")
        attributes = head.get("attributes")
        self.attributes = attributes if isinstance(attributes, dict) else {}

    @property
    def output(self):
        """The only output segment; None where there are none or more."""
        return self.segments[0] if len(self.segments) == 1 else None

    @property
    def reason(self):
        """The text of an error, wherever the service put it."""
        output = self.output if isinstance(self.output, dict) else {}
        for found in (self.attributes.get("message"), output.get("reason"), output.get("message")):
            if isinstance(found, str):
                return found
        return self.output if isinstance(self.output, str) else ""

    def __str__(self):
        shown = [f"<{len(s)} bytes>" if isinstance(s, bytes) else text(s).decode()[:300] for s in self.segments]
        head = {name: value for name, value in self.head.items() if name != "output"}
        return " ".join([text(head).decode()[:300]] + shown[:6])


def no_duplicates(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise Malformed(f"duplicate keys in JSON: {sorted(k for k in set(keys) if keys.count(k) > 1)}")
    return dict(pairs)


def only_blanks(rest, what):
    if rest.strip(BLANKS) or len(rest) > 256:
        raise Malformed(f"{what} is followed by {rest[:40]!r}")


def no_constant(name):
    raise Malformed(f"{name} is not JSON")


class Reader:
    """Reads one message from a connection."""

    def __init__(self, connection):
        self.connection, self.raw = connection, bytearray()

    def line(self, what):
        line = self.connection.line(what)
        self.raw += line + b"\n"
        return line

    def segment(self):
        """The next segment: bytes, or (value,) for JSON; None for the empty one."""
        kind = self.connection.peek("a segment")
        if kind == b"#":
            only_blanks(self.line("the empty segment")[1:], "the empty segment's #")
            return None
        return self.bytes() if kind == b"@" else (self.json(),)

    def json(self):
        lines = []
        while True:
            line = self.line("the end of a JSON segment")
            if line.startswith(b"#"):
                only_blanks(line[1:], "a JSON segment's #")
                break
            lines.append(line)
        whole = b"\n".join(lines)
        try:
            return json.loads(whole.decode(), object_pairs_hook=no_duplicates, parse_constant=no_constant)
        except ValueError as error:
            raise Malformed(f"a segment is not JSON ({error}): {whole[:200]!r}") from None

    def bytes(self):
        only_blanks(self.line("a bytes segment")[1:], "a bytes segment's @")
        data = bytearray()
        while True:
            line = self.line("a chunk's size")
            if line.startswith(b"#"):
                only_blanks(line[1:], "a bytes segment's #")
                return bytes(data)
            size = line.rstrip(BLANKS)
            if not re.fullmatch(rb"[1-9][0-9]{0,9}", size) or int(size) > LARGEST:
                raise Malformed(f"a chunk's size is {line[:40]!r}")
            data += self.connection.take(int(size), "a chunk's bytes")
            self.raw += b"(%b bytes)" % size
            only_blanks(self.line("a chunk's end"), "a chunk")


def read_answer(connection):
    """The next response. Malformed, Ended or Silent where there is none, or no legal one."""
    reader = Reader(connection)
    connection.peek("an answer")
    first = reader.segment()
    if not isinstance(first, tuple) or not isinstance(first[0], dict):
        raise Malformed("the first segment of an answer is not a JSON object")
    head, segments = first[0], []
    while True:
        segment = reader.segment()
        if segment is None:
            break
        segments.append(segment[0] if isinstance(segment, tuple) else segment)
    compact = "output" in head
    if compact and segments:
        raise Malformed("an answer has both an output and output segments")
    return Answer(head, [head["output"]] if compact else segments, compact, bytes(reader.raw))
