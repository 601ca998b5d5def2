"""Section 2: the forms that segments may have. Bytes go in by Create and come out by Retrieve."""

import json

from .. import names
from ..message import EMPTY, bytes_segment, json_segment, text
from ..registry import MUST, SHOULD, case

WRITES = ("Create", "Retrieve")
EVERY_BYTE = bytes(range(256))
TRICKY = b"\n#\n#\n@\n5\nhello\n#\n\0{}\n#\n"


def says_hello(t, data, connection=None):
    """These bytes must be understood as a Hello."""
    answer = t.send(data, connection)
    t.equal(t.status(answer, names.OK).head.get("requestId"), "form", "requestId")
    return answer


def hello_head(t, **more):
    return t.service.head(names.HELLO, t.service.id, requestId="form", **more)


@case("segment.json.pretty-printed", "2", MUST, "JSON may be pretty-printed over many lines")
def pretty_printed(t):
    for indent in (0, 2, "\t"):
        says_hello(t, json.dumps(hello_head(t, attributes={"list": [1, {"a": []}]}), indent=indent).encode() + b"\n#\n#\n")


@case("segment.json.crlf", "2", MUST, "lines may end with carriage return and newline, a # too: blanks may stand there")
def crlf(t):
    data = json.dumps(hello_head(t), indent=1).replace("\n", "\r\n").encode()
    says_hello(t, data + b"\r\n#\r\n#\r\n")


@case("segment.json.blank-lines", "2", MUST, "JSON may hold empty lines and blanks around it")
def blank_lines(t):
    says_hello(t, json.dumps(hello_head(t), indent=1).replace("\n", "\n\n \t\n").encode() + b"\n\n \n#\n#\n")


@case("segment.json.hash-in-string", "2", MUST, "a # inside JSON ends it only at the beginning of a line")
def hash_in_string(t):
    value = hello_head(t, attributes={"#": "\n#\n#", "x": "#\n", "list": ["#"]})
    says_hello(t, json_segment(value) + EMPTY)
    says_hello(t, json.dumps(value, indent=1).encode() + b"\n#\n#\n")


@case("segment.json.unicode", "2", MUST, "JSON is UTF-8, written raw or with escapes")
def unicode(t):
    value = hello_head(t, attributes={"x": "\u00e9\u20ac\U0001f600"})
    says_hello(t, json_segment(value) + EMPTY)
    says_hello(t, json.dumps(value).encode() + b"\n#\n#\n")


@case("segment.json.large", "2", SHOULD, "a JSON segment of 256 KiB is read")
def large(t):
    says_hello(t, json_segment(hello_head(t, attributes={"x": "y" * (1 << 18)})) + EMPTY)


@case("segment.blanks.after-hash", "2", MUST, "blanks (space, tab, CR) may stand between a # and its newline")
def blanks_after_hash(t):
    for blanks in (b" ", b"\t", b"\r", b" \t\r "):
        says_hello(t, text(hello_head(t)) + b"\n#" + blanks + b"\n#" + blanks + b"\n")


@case("segment.blanks.256", "2", SHOULD, "up to 256 blanks may stand before a newline")
def blanks_256(t):
    says_hello(t, text(hello_head(t)) + b"\n#" + b" " * 256 + b"\n#" + b"\t" * 256 + b"\n")


@case("segment.blanks.before-message", "2", MUST, "white space before a message's first segment is skipped")
def blanks_before(t):
    data = json_segment(hello_head(t)) + EMPTY
    for before in (b"\n", b"\r\n\r\n", b" \t\n ", b" \n" * 500):
        says_hello(t, before + data)


@case("segment.blanks.between-messages", "2", MUST, "white space between two messages is skipped")
def blanks_between(t):
    connection, data = t.connect(), json_segment(hello_head(t)) + EMPTY
    for between in (b"", b"\n", b"\r\n \t\r\n"):
        says_hello(t, between + data, connection)


def stored(t, segment, data):
    """An object with an element sent as this bytes segment; its data must come back as it was."""
    target = t.new_id()
    value = {"id": target, "type": t.service.kind, "elements": [{"id": "data"}]}
    whole = t.head(names.CREATE) + json_segment(value) + json_segment({"id": "data"}) + segment + EMPTY
    t.made(t.send(whole))
    answer = t.status(t.retrieve(target, element="data"), names.OK)
    t.expect(answer.output == data, f"the element's {len(data)} bytes: {data[:60]!r}",
             f"{len(answer.output)} bytes: {answer.output[:60]!r}" if isinstance(answer.output, bytes) else answer)


@case("segment.bytes.one-chunk", "2", MUST, "a bytes segment of one chunk; the newline after it does not count", needs=WRITES)
def one_chunk(t):
    stored(t, b"@\n5\nhello\n#\n", b"hello")
    stored(t, b"@\n6\nhello\n\n#\n", b"hello\n")


@case("segment.bytes.many-chunks", "2", MUST, "a bytes segment of many chunks", needs=WRITES)
def many_chunks(t):
    data = EVERY_BYTE * 8
    for size in (1, 7, 64, 1000):
        stored(t, bytes_segment(data, size), data)


@case("segment.bytes.no-chunk", "2", MUST, "a bytes segment without a chunk is a legal, empty element", needs=WRITES)
def no_chunk(t):
    stored(t, b"@\n#\n", b"")


@case("segment.bytes.arbitrary", "2", MUST, "a chunk's bytes are arbitrary: they may look like framing, or be NUL", needs=WRITES)
def arbitrary(t):
    for data in (b"#", b"\n", b"\n#\n", b"@", b"@\n#\n", b"\0", TRICKY, EVERY_BYTE):
        stored(t, bytes_segment(data), data)


@case("segment.bytes.framing-at-chunk-ends", "2", MUST, "chunks may be cut within what looks like framing", needs=WRITES)
def framing_at_chunk_ends(t):
    for size in range(1, 8):
        stored(t, bytes_segment(TRICKY, size), TRICKY)


@case("segment.bytes.large", "2", MUST, "a chunk of 3 MiB, and as many in small chunks", needs=WRITES)
def large_bytes(t):
    data = EVERY_BYTE * (12 << 10)
    stored(t, bytes_segment(data, len(data)), data)
    stored(t, bytes_segment(data, 4093), data)


@case("segment.bytes.blanks", "2", MUST, "blanks may stand after @, a size, a chunk's bytes, and the closing #", needs=WRITES)
def bytes_blanks(t):
    for b in (b" ", b"\t", b"\r", b" \t\r "):
        stored(t, b"@" + b + b"\n3" + b + b"\nabc" + b + b"\n2" + b + b"\nde" + b + b"\n#" + b + b"\n", b"abcde")


@case("segment.bytes.split-anywhere", "2", MUST, "a bytes segment may be split at any place into two TLS records", needs=WRITES + ("Update",))
def bytes_split(t):
    target, connection = t.new_id(), t.connect()
    t.create({"id": target}, {"data": b"first"})
    segments = json_segment({"elements": [{"id": "data"}]}) + json_segment({"id": "data"}) + bytes_segment(TRICKY, 9) + EMPTY
    for at in range(1, len(segments)):
        connection.send(t.head(names.UPDATE, target) + segments[:at])
        t.status(t.send(segments[at:], connection), names.OK, f"split after {at} bytes")
    answer = t.retrieve(target, element="data")
    t.equal(answer.output, TRICKY, "the element's bytes")


@case("segment.bytes.byte-at-a-time", "2", MUST, "a bytes segment may come in TLS records of one byte", needs=WRITES)
def bytes_slowly(t):
    target, connection = t.new_id(), t.connect()
    value = {"id": target, "type": t.service.kind, "elements": [{"id": "data"}]}
    for byte in t.head(names.CREATE) + json_segment(value) + json_segment({"id": "data"}) + bytes_segment(TRICKY, 4) + EMPTY:
        connection.send(bytes([byte]))
    t.made(t.answer(connection))
    t.equal(t.retrieve(target, element="data").output, TRICKY, "the element's bytes")


@case("segment.chunk.largest-size", "2", SHOULD, "a chunk may be announced with 2147483647 bytes", needs=("Create",))
def largest_size(t):
    value = {"id": t.new_id(), "type": t.service.kind, "elements": [{"id": "data"}]}
    connection = t.connect()
    connection.send(t.head(names.CREATE) + json_segment(value) + json_segment({"id": "data"}) + b"@\n2147483647\nabc")
    t.expect(connection.quiet(1.0), "no answer before the chunk has come", bytes(connection.buffer[:300]) or connection.ended)
