"""Sections 3 and 4: wrong content in well-framed messages. It is answered with 101, and the connection goes on."""

from functools import partial

from .. import names
from ..message import EMPTY, bytes_segment, json_segment
from ..registry import INTEROP, MUST, SHOULD, case
from ..trial import ABSENT

NOT_OBJECT = "The first segment is not a JSON object."
NOT_JSON = "Cannot parse the JSON object from the first segment."


def raw(body):
    return body + b"\n#\n" + EMPTY


def head(t, **more):
    """A request's head with other properties; `ask` is the operation, of an extended kind unless told."""
    return json_segment(t.service.head(more.pop("ask", "20.TEST/Op.None"), t.service.id, requestId=more.pop("requestId", "fault"), **more)) + EMPTY


def value(text):
    """A request whose attributes hold this JSON text."""
    return lambda t: json_segment(t.service.head(names.HELLO, t.service.id, requestId="fault", attributes={"a": 0})
                                  ).replace(b'"attributes":{"a":0}', b'"attributes":{"a":' + text + b"}") + EMPTY


# name, level, what it is, trial -> the message's bytes
NOT_OBJECTS = [
    ("array", MUST, "an array as the first segment", lambda t: raw(b"[1]")),
    ("string", MUST, "a string as the first segment", lambda t: raw(b'"x"')),
    ("number", MUST, "a number as the first segment", lambda t: raw(b"17")),
    ("true", MUST, "true as the first segment", lambda t: raw(b"true")),
    ("null", MUST, "null as the first segment", lambda t: raw(b"null")),
]
BAD_JSON = [
    ("cut-short", MUST, "JSON cut short", lambda t: raw(b'{"requestId":"r",')),
    ("two-values", MUST, "two JSON values in one segment", lambda t: raw(b"{} {}")),
    ("words", MUST, "plain words instead of JSON", lambda t: raw(b"hello there")),
    ("single-quotes", MUST, "single quotes in JSON", lambda t: raw(b"{'operationId':'x'}")),
    ("trailing-comma", MUST, "a trailing comma in JSON", value(b"[1,]")),
    ("nan", MUST, "NaN in JSON", value(b"NaN")),
    ("raw-newline-in-string", MUST, "a raw newline in a JSON string", value(b'"a\nb"')),
    ("invalid-utf-8", MUST, "invalid UTF-8", value(b'"\xff\xfe"')),
    ("overlong-utf-8", SHOULD, "overlong UTF-8", value(b'"\xc0\xaf"')),
    ("surrogate-utf-8", SHOULD, "a surrogate in UTF-8", value(b'"\xed\xa0\x80"')),
    ("duplicate-keys", SHOULD, "duplicate keys", value(b'{"b":1,"b":2}')),
    ("duplicate-keys-escaped", SHOULD, "duplicate keys, one written with an escape", value(b'{"b":1,"\\u0062":2}')),
    ("nul-escape", SHOULD, "\\u0000 in a string", value(b'"a\\u0000b"')),
    ("nul-byte", MUST, "a NUL byte in a string", value(b'"a\0b"')),
    ("integer-over-64-bits", SHOULD, "an integer beyond 64 bits", value(b"9223372036854775808")),
    ("integer-below-64-bits", SHOULD, "a negative integer beyond 64 bits", value(b"-9223372036854775809")),
    ("real-overflow", SHOULD, "a real that overflows", value(b"1e999")),
    ("lone-surrogate-escape", SHOULD, "a lone surrogate escape", value(b'"\\ud800"')),
]
PROPERTIES = [
    ("operationId-missing", MUST, "a missing operationId", lambda t: head(t, operationId=ABSENT)),
    ("operationId-null", MUST, "operationId null", lambda t: head(t, operationId=None)),
    ("operationId-number", MUST, "a number as operationId", lambda t: head(t, operationId=1)),
    ("operationId-object", MUST, "an object as operationId", lambda t: head(t, operationId={})),
    ("targetId-missing", MUST, "a missing targetId", lambda t: head(t, targetId=ABSENT)),
    ("targetId-null", MUST, "targetId null", lambda t: head(t, targetId=None)),
    ("targetId-number", MUST, "a number as targetId", lambda t: head(t, targetId=5)),
    ("targetId-array-for-hello", MUST, "an array as targetId of a Hello", lambda t: head(t, ask=names.HELLO, targetId=["x"])),
    ("targetId-513-bytes", MUST, "a targetId over 4096 bits", lambda t: head(t, targetId="x" * 513)),
    ("attributes-array", MUST, "an array as attributes", lambda t: head(t, ask=names.HELLO, attributes=[])),
    ("attributes-string", MUST, "a string as attributes", lambda t: head(t, ask=names.HELLO, attributes="x")),
    ("authentication-string", MUST, "a string as authentication", lambda t: head(t, ask=names.HELLO, authentication="x")),
    ("authentication-array", MUST, "an array as authentication", lambda t: head(t, ask=names.HELLO, authentication=[1])),
    ("clientId-number", MUST, "a number as clientId", lambda t: head(t, ask=names.HELLO, clientId=7)),
]
REQUEST_IDS = [
    ("requestId-513-bytes", MUST, "a requestId over 4096 bits", lambda t: head(t, ask=names.HELLO, requestId="x" * 513)),
    ("requestId-513-bytes-utf-8", MUST, "a requestId over 512 bytes in UTF-8", lambda t: head(t, ask=names.HELLO, requestId="\u20ac" * 171)),
    ("requestId-number", MUST, "a number as requestId", lambda t: head(t, ask=names.HELLO, requestId=12)),
]
MESSAGES = [
    ("empty-message", MUST, "an empty message", lambda t: EMPTY),
    ("bytes-first", MUST, "a bytes segment first", lambda t: bytes_segment(b"some bytes") + EMPTY),
    ("empty-bytes-first", MUST, "an empty bytes segment first",
     lambda t: bytes_segment(b"") + json_segment(t.service.head(names.HELLO, t.service.id)) + EMPTY),
]


ALL = NOT_OBJECTS + BAD_JSON + PROPERTIES + REQUEST_IDS + MESSAGES


def refused(t, message, **more):
    return t.status(t.send(message(t), **more), names.INVALID)


def plain(message, t):
    refused(t, message)


def echoing(message, t):
    t.equal(refused(t, message).head.get("requestId"), "fault", "requestId")


def silent(message, t):
    answer = refused(t, message)
    t.expect("requestId" not in answer.head, "no requestId in the answer, for there was no legal one", answer)


for table, run, words in ((NOT_OBJECTS + BAD_JSON + MESSAGES, plain, "is 101"),
                          (PROPERTIES, echoing, "is 101, with the request's requestId"),
                          (REQUEST_IDS, silent, "is 101, without a requestId")):
    for name, level, what, message in table:
        case("fault." + name, "3, 4", level, f"{what} {words}")(partial(run, message))


@case("fault.connection-goes-on", "4", MUST, "after wrong content that is well framed, the connection stays usable")
def connection_goes_on(t):
    connection = t.connect()
    for name, _, _, message in ALL:
        t.send(message(t), connection)
        t.goes_on(connection, name)


@case("fault.pipelined", "4", MUST, "wrong content among pipelined requests is answered in its place")
def pipelined(t):
    connection, count = t.connect(), 0
    data = b""
    for _, _, _, message in NOT_OBJECTS + MESSAGES:
        data += message(t) + t.message(names.HELLO, requestId=str(count))
        count += 1
    connection.send(data)
    for number in range(count):
        t.status(t.answer(connection, "an answer each"), names.INVALID)
        t.equal(t.answer(connection, "an answer each").head.get("requestId"), str(number), "requestId of the Hello after the fault")


@case("fault.unread-input", "4", MUST, "input that nobody wants is read away: the connection stays usable")
def unread_input(t):
    connection = t.connect()
    for size in (10, 5000, 300000):
        t.send(t.message("20.TEST/Op.None", None, [{"a": 1}, b"\n#\n" * (size // 3)]), connection)
        t.goes_on(connection, f"{size} bytes of input that nobody wanted")


@case("fault.text.not-an-object", "4", INTEROP, "the text about a first segment that is not an object is the Python SDK's")
def text_not_object(t):
    for _, _, _, message in NOT_OBJECTS:
        t.equal(refused(t, message).reason, NOT_OBJECT, "text")


@case("fault.text.not-json", "4", INTEROP, "the text about a first segment that does not parse begins as the Python SDK's")
def text_not_json(t):
    for body in (b'{"requestId":"r",', b"hello there", b"{} {}"):
        answer = refused(t, lambda _, body=body: raw(body))
        t.expect(answer.reason.startswith(NOT_JSON), f"a text that begins with {NOT_JSON!r}", answer)


@case("fault.text.position", "3", SHOULD, "the text about JSON that can't be kept tells its position")
def text_position(t):
    for body in (b'{"a":1,\n"b":2,\n"b":3}', b'{"a":1,\n"b":2,\n"c":1e999}', b'{"a":1,\n"b":2,\n,}'):
        answer = refused(t, lambda _, body=body: raw(body))
        t.expect(any(c.isdigit() for c in answer.reason), "a text with a line, a column or an offset", answer)
