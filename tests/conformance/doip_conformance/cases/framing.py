"""Sections 2 and 4: broken framing. What follows can't be found: 101, and the connection closes."""

import time
from functools import partial

from .. import names
from ..message import json_segment
from ..registry import MUST, SHOULD, case

# name, what it is, the bytes where an element's data is due
BYTES = [
    ("chunk-size-0", "a chunk of size 0", b"@\n0\n\n#\n#\n"),
    ("chunk-size-plus", "a chunk's size with a plus sign", b"@\n+5\nabcde\n#\n#\n"),
    ("chunk-size-minus", "a chunk's size with a minus sign", b"@\n-1\nx\n#\n#\n"),
    ("chunk-size-leading-zero", "a chunk's size with a leading zero", b"@\n007\nabcdefg\n#\n#\n"),
    ("chunk-size-2147483648", "a chunk of 2147483648 bytes", b"@\n2147483648\nabc\n#\n#\n"),
    ("chunk-size-huge", "a chunk's size over 64 bits", b"@\n18446744073709551617\na\n#\n#\n"),
    ("chunk-size-letters", "letters after a chunk's size", b"@\n12x\nabcdefghijkl\n#\n#\n"),
    ("chunk-size-hex", "a chunk's size in hexadecimal", b"@\n0x10\nabcdefghijklmnop\n#\n#\n"),
    ("chunk-size-arabic", "a chunk's size in Arabic digits", "@\n\u0665\nabcde\n#\n#\n".encode()),
    ("chunk-size-two-numbers", "two numbers as a chunk's size", b"@\n1 2\nabcdefghijkl\n#\n#\n"),
    ("chunk-size-missing", "an empty line as a chunk's size", b"@\n\nabc\n#\n#\n"),
    ("chunk-size-after-blanks", "blanks before a chunk's size", b"@\n 3\nabc\n#\n#\n"),
    ("chunk-size-0-second", "a second chunk of size 0", b"@\n3\nabc\n0\n\n#\n#\n"),
    ("chunk-too-long", "a chunk longer than its size", b"@\n3\nabcd\n#\n#\n"),
    ("chunk-too-short", "a chunk shorter than its size", b"@\n6\nabc\n#\n#\n"),
    ("chunk-without-newline", "no newline after a chunk", b"@\n3\nabc#\n#\n"),
    ("words-after-at", "words after @", b"@ x\n3\nabc\n#\n#\n"),
    ("words-after-bytes-end", "words after the # of a bytes segment", b"@\n3\nabc\n#x\n#\n"),
    ("words-after-empty", "words after the # of the empty segment", b"@\n3\nabc\n#\n#!\n"),
]
BLANKS = [
    ("blanks-257-after-at", "257 blanks after @", b"@" + b" " * 257 + b"\n3\nabc\n#\n#\n"),
    ("blanks-257-after-size", "257 blanks after a chunk's size", b"@\n3" + b" " * 257 + b"\nabc\n#\n#\n"),
    ("blanks-257-after-chunk", "257 blanks after a chunk", b"@\n3\nabc" + b" " * 257 + b"\n#\n#\n"),
    ("blanks-257-after-hash", "257 blanks after a #", b"@\n3\nabc\n#" + b" " * 257 + b"\n#\n"),
]
# the bytes of a message from its beginning
FIRST = [
    ("words-after-json-end", "words after the # of a JSON segment", b"{}\n#x\n#\n"),
    ("two-hashes", "two # where a message begins", b"##\n"),
    ("first-segment-at-words", "words after @ where a message begins", b"@x\n3\nabc\n#\n#\n"),
]


def before(t, target):
    """What a broken bytes segment follows: an object in a Create, or, where nothing may be created, a Hello."""
    if t.service.why_not(("Create",)):
        return t.head(names.HELLO, requestId="broken")
    value = {"id": target, "type": t.service.kind, "elements": [{"id": "data"}]}
    return t.head(names.CREATE, requestId="broken") + json_segment(value) + json_segment({"id": "data"})


def refused(t, connection, data):
    """Sends broken framing: 101 is due, then the end. The answer."""
    answer = t.status(t.send(data, connection, "101, then the end of the connection"), names.INVALID)
    t.closed(connection)
    return answer


def broken_bytes(data, t):
    target, connection = t.new_id(), t.connect()
    refused(t, connection, before(t, target) + data)
    if not t.service.why_not(("Create", "Retrieve")):
        t.status(t.retrieve(target), names.UNKNOWN, "nothing may have been created")


def broken_first(data, t):
    refused(t, t.connect(), data)


for table, level, run in ((BYTES, MUST, broken_bytes), (BLANKS, SHOULD, broken_bytes), (FIRST, MUST, broken_first)):
    for name, words, data in table:
        case("framing." + name, "2, 4", level, f"{words} breaks the framing: 101, and the connection closes")(partial(run, data))

FAULT = BYTES[0][2]


@case("framing.requestId", "4", SHOULD, "the answer to broken framing carries the request's requestId")
def request_id(t):
    answer = t.send(before(t, t.new_id()) + FAULT, expected="101")
    t.equal(answer.head.get("requestId"), "broken", "requestId")


@case("framing.close-notify", "4", SHOULD, "a connection closed for broken framing ends with close_notify")
def ends_well(t):
    connection = t.connect()
    connection.send(before(t, t.new_id()) + FAULT)
    t.answer(connection)
    t.equal(t.closed(connection), "close_notify", "how the service ends")


@case("framing.answer-survives", "4", SHOULD, "an answer is not lost when the connection closes while the client is still sending")
def answer_survives(t):
    connection = t.connect()
    connection.send(before(t, t.new_id()) + FAULT)
    for _ in range(64):
        connection.send(b"x" * 8192)
        time.sleep(0.005)  # so that the service meets the fault meanwhile, and answers
    t.status(t.answer(connection, "the answer 101"), names.INVALID)


@case("framing.earlier-requests", "4", MUST, "requests before the broken one are answered, in order")
def earlier_requests(t):
    connection = t.connect()
    connection.send(t.message(names.HELLO, requestId="1") + t.message(names.HELLO, requestId="2") + before(t, t.new_id()) + FAULT)
    for number in "12":
        t.equal(t.status(t.answer(connection, "three answers"), names.OK).head.get("requestId"), number, "requestId")
    t.status(t.answer(connection, "three answers"), names.INVALID)


@case("framing.others-unharmed", "4", MUST, "broken framing on one connection leaves others as they are")
def others_unharmed(t):
    other = t.connect()
    t.goes_on(other, "connecting")
    with t.connect() as connection:
        connection.send(before(t, t.new_id()) + FAULT)
    t.goes_on(other, "broken framing on another connection")
