"""Bad input: what is refused, how, whether the connection goes on, and that nobody else suffers."""

import os
import random
import socket

import doip
from base import SharedCase
from daemon import SERVICE
from doip import DECLINED, EMPTY, INVALID, UNAUTHENTICATED, UNKNOWN, head, json_segment, message

ECHO = "20.DOIP/Debug.Echo"
DISCARD = "20.DOIP/Debug.Discard"
IGNORE = "20.DOIP/Debug.Ignore"
NOT_OBJECT = "The first segment is not a JSON object."
NOT_JSON = "Cannot parse the JSON object from the first segment."


def raw_head(body):
    return body + b"\n#\n" + EMPTY


def with_attribute(value):
    """A request whose attributes hold this JSON text."""
    return raw_head(b'{"requestId":"r","targetId":"%b","operationId":"%b","attributes":{"a":%b}}'
                    % (SERVICE.encode(), ECHO.encode(), value))


# Wrong content, well framed: answered, and the connection goes on.
# (name, the message's bytes, status, part of the text or None, the requestId in the answer)
CONTENT = [
    ("an array", raw_head(b"[1]"), INVALID, NOT_OBJECT, None),
    ("a string", raw_head(b'"x"'), INVALID, NOT_OBJECT, None),
    ("a number", raw_head(b"17"), INVALID, NOT_OBJECT, None),
    ("true", raw_head(b"true"), INVALID, NOT_OBJECT, None),
    ("null", raw_head(b"null"), INVALID, NOT_OBJECT, None),
    ("cut short", raw_head(b'{"requestId":"r",'), INVALID, NOT_JSON, None),
    ("two values", raw_head(b"{} {}"), INVALID, NOT_JSON, None),
    ("plain words", raw_head(b"hello there"), INVALID, NOT_JSON, None),
    ("nested too deep", with_attribute(b"[" * 5000 + b"]" * 5000), INVALID, NOT_JSON, None),
    ("duplicate keys", raw_head(b'{"operationId":"a","targetId":"b","operationId":"c"}'), INVALID, NOT_JSON, None),
    ("duplicate keys deep inside", with_attribute(b'{"b":[{"c":1,"c":2}]}'), INVALID, NOT_JSON, None),
    ("duplicate keys, one escaped", with_attribute(b'{"b":1,"\\u0062":2}'), INVALID, NOT_JSON, None),
    ("invalid UTF-8", with_attribute(b'"\xff\xfe"'), INVALID, NOT_JSON, None),
    ("overlong UTF-8", with_attribute(b'"\xc0\xaf"'), INVALID, NOT_JSON, None),
    ("a surrogate in UTF-8", with_attribute(b'"\xed\xa0\x80"'), INVALID, NOT_JSON, None),
    ("a lone surrogate escape", with_attribute(b'"\\ud800"'), INVALID, NOT_JSON, None),
    ("an escaped NUL", with_attribute(b'"a\\u0000b"'), INVALID, NOT_JSON, None),
    ("an escaped NUL in a key", with_attribute(b'{"a\\u0000b":1}'), INVALID, NOT_JSON, None),
    ("a NUL byte", with_attribute(b'"a\0b"'), INVALID, NOT_JSON, None),
    ("a NUL byte after the value", raw_head(b"{}\0"), INVALID, NOT_JSON, None),
    ("an integer over 64 bits", with_attribute(b"9223372036854775808"), INVALID, NOT_JSON, None),
    ("an integer far below", with_attribute(b"-9223372036854775809"), INVALID, NOT_JSON, None),
    ("a real that overflows", with_attribute(b"1e999"), INVALID, NOT_JSON, None),
    ("no operationId", head(None, SERVICE, id="r") + EMPTY, INVALID, "operationId", "r"),
    ("operationId null", head(None, SERVICE, id="r", operationId=None) + EMPTY, INVALID, "operationId", "r"),
    ("operationId a number", head(None, SERVICE, id="r", operationId=1) + EMPTY, INVALID, "operationId", "r"),
    ("operationId an object", head(None, SERVICE, id="r", operationId={}) + EMPTY, INVALID, "operationId", "r"),
    ("operationId empty", head("", SERVICE, id="r") + EMPTY, INVALID, "operationId", "r"),
    ("no targetId", head(ECHO, None, id="r") + EMPTY, INVALID, "targetId", "r"),
    ("no targetId for Create", head(doip.CREATE, None, id="r") + EMPTY, INVALID, "targetId", "r"),
    ("targetId null", head(ECHO, None, id="r", targetId=None) + EMPTY, INVALID, "targetId", "r"),
    ("targetId a number", head(ECHO, None, id="r", targetId=5) + EMPTY, INVALID, "targetId", "r"),
    ("targetId an array for Hello", head(doip.HELLO, None, id="r", targetId=["x"]) + EMPTY, INVALID, "targetId", "r"),
    ("targetId over 4096 bits", head(ECHO, "x" * 513, id="r") + EMPTY, INVALID, "targetId", "r"),
    ("attributes an array", head(ECHO, SERVICE, id="r", attributes=[]) + EMPTY, INVALID, "attributes", "r"),
    ("attributes a string", head(ECHO, SERVICE, id="r", attributes="x") + EMPTY, INVALID, "attributes", "r"),
    ("authentication a string", head(ECHO, SERVICE, id="r", authentication="x") + EMPTY, INVALID, "authentication", "r"),
    ("authentication an array", head(ECHO, SERVICE, id="r", authentication=[1]) + EMPTY, INVALID, "authentication", "r"),
    ("authentication, and no users", head(ECHO, SERVICE, id="r", authentication={"token": "x"}) + EMPTY,
     UNAUTHENTICATED, None, "r"),
    ("a password, and no users", head(doip.HELLO, SERVICE, id="r", client="x", authentication={"password": "x"}) + EMPTY,
     UNAUTHENTICATED, None, "r"),
    ("clientId a number", head(ECHO, SERVICE, id="r", client=7) + EMPTY, INVALID, "clientId", "r"),
    ("requestId over 512 bytes", head(ECHO, SERVICE, id="x" * 513) + EMPTY, INVALID, "requestId", None),
    ("requestId over 512 bytes in UTF-8", head(ECHO, SERVICE, id="\u20ac" * 171) + EMPTY, INVALID, "requestId", None),
    ("requestId a number", head(ECHO, SERVICE, id=12) + EMPTY, INVALID, "requestId", None),
    ("an unknown operation", message("20.TEST/Nothing", SERVICE, id="r"), DECLINED, "This operation is not supported.", "r"),
    ("an unknown operation on an unknown target", message("x", "35.TEST/nobody", id="r"), DECLINED,
     "This operation is not supported.", "r"),
    ("Retrieve of an unknown object", message(doip.RETRIEVE, "35.TEST/nobody", id="r"), UNKNOWN, None, "r"),
    ("Update of an unknown object", message(doip.UPDATE, "35.TEST/nobody", [{"type": "Test"}], id="r"), UNKNOWN, None, "r"),
    ("Delete of an unknown object", message(doip.DELETE, "35.TEST/nobody", id="r"), UNKNOWN, None, "r"),
    ("ListOperations of an unknown object", message(doip.LIST, "35.TEST/nobody", id="r"), UNKNOWN, None, "r"),
    ("Hello to an object", message(doip.HELLO, "35.TEST/nobody", id="r"), INVALID, SERVICE, "r"),
    ("Create on an object", message(doip.CREATE, "35.TEST/nobody", [{"type": "Test"}], id="r"), INVALID, SERVICE, "r"),
    ("Search on an object", message(doip.SEARCH, "35.TEST/x", id="r", attributes={"query": "x"}), INVALID, SERVICE, "r"),
    ("Retrieve of the service", message(doip.RETRIEVE, SERVICE, id="r"), INVALID, None, "r"),
    ("Update of the service", message(doip.UPDATE, SERVICE, [{"type": "Test"}], id="r"), INVALID, None, "r"),
    ("Delete of the service", message(doip.DELETE, SERVICE, id="r"), INVALID, None, "r"),
    ("input, then more segments", head(ECHO, SERVICE, id="r", input=1) + json_segment(2) + EMPTY, INVALID, None, "r"),
    ("input, then a bytes segment", head(DISCARD, SERVICE, id="r", input=1) + doip.bytes_segment(b"x") + EMPTY,
     INVALID, None, "r"),
    ("an empty message", EMPTY, INVALID, None, None),
    ("a bytes segment first", doip.bytes_segment(b"some bytes") + EMPTY, INVALID, None, None),
    ("an empty bytes segment first", doip.bytes_segment(b"") + json_segment({"operationId": "x"}) + EMPTY,
     INVALID, None, None),
    ("Create with bytes where the object is due", message(doip.CREATE, SERVICE, [b"bytes"], id="r"), INVALID, None, "r"),
    ("Create with JSON where bytes are due", message(doip.CREATE, SERVICE, [
        {"type": "T", "elements": [{"id": "e"}]}, {"id": "e"}, {"not": "bytes"}], id="r"), INVALID, None, "r"),
    ("Create with bytes where an element header is due", message(doip.CREATE, SERVICE, [
        {"type": "T", "elements": [{"id": "e"}]}, b"bytes"], id="r"), INVALID, None, "r"),
    ("Create with an element header and nothing after it", message(doip.CREATE, SERVICE, [
        {"type": "T", "elements": [{"id": "e"}]}, {"id": "e"}], id="r"), INVALID, None, "r"),
    ("an element header for an unknown element", message(doip.CREATE, SERVICE, [
        {"type": "T", "elements": [{"id": "e"}]}, {"id": "other"}, b"x"], id="r"), INVALID, "other", "r"),
    ("an element header twice", message(doip.CREATE, SERVICE, [
        {"type": "T", "elements": [{"id": "e"}]}, {"id": "e"}, b"x", {"id": "e"}, b"y"], id="r"), INVALID, "e", "r"),
    ("an element header without an id", message(doip.CREATE, SERVICE, [
        {"type": "T", "elements": [{"id": "e"}]}, {"name": "e"}, b"x"], id="r"), INVALID, None, "r"),
    ("Create with no input", message(doip.CREATE, SERVICE, id="r"), INVALID, None, "r"),
    ("Create with broken JSON", head(doip.CREATE, SERVICE, id="r") + json_segment(b'{"type":') + EMPTY, INVALID, None, "r"),
    ("Create of an array", message(doip.CREATE, SERVICE, [[1]], id="r"), INVALID, None, "r"),
    ("Create without a type", message(doip.CREATE, SERVICE, [{"attributes": {}}], id="r"), INVALID, "type", "r"),
    ("Create with a type of a wrong kind", message(doip.CREATE, SERVICE, [{"type": 5}], id="r"), INVALID, "type", "r"),
    ("Create with attributes of a wrong kind", message(doip.CREATE, SERVICE, [{"type": "T", "attributes": 1}], id="r"),
     INVALID, "attributes", "r"),
    ("Create with elements of a wrong kind", message(doip.CREATE, SERVICE, [{"type": "T", "elements": {}}], id="r"),
     INVALID, "elements", "r"),
    ("Create with an element twice", message(doip.CREATE, SERVICE, [
        {"type": "T", "elements": [{"id": "e"}, {"id": "e"}]}], id="r"), INVALID, None, "r"),
    ("Create with an id over 4096 bits", message(doip.CREATE, SERVICE, [{"type": "T", "id": "x" * 513}], id="r"),
     INVALID, "id", "r"),
]
CONTENT += [
    (f"input for {operation.rpartition('.')[2]}, {form}",
     message(operation, target, segments, id="r", attributes={"query": "x"}, **more), INVALID, None, "r")
    for operation, target in ((doip.HELLO, SERVICE), (doip.LIST, SERVICE), (doip.SEARCH, SERVICE),
                              (doip.RETRIEVE, "35.TEST/x"), (doip.DELETE, "35.TEST/x"))
    for form, segments, more in (("compact", (), {"input": {}}), ("full", ({},), {}), ("bytes", (b"x",), {}))
]


# Broken framing of what follows a head: answered with 101, and the connection closes.
FRAMING = [
    ("chunk size 0", b"@\n0\n\n#\n#\n"),
    ("chunk size -1", b"@\n-1\nx\n#\n#\n"),
    ("chunk size +5", b"@\n+5\nabcde\n#\n#\n"),
    ("chunk size 007", b"@\n007\nabcdefg\n#\n#\n"),
    ("chunk size 99999999999", b"@\n99999999999\nabc\n#\n#\n"),
    ("chunk size 2147483648", b"@\n2147483648\nabc\n#\n#\n"),
    ("chunk size 18446744073709551617", b"@\n18446744073709551617\na\n#\n#\n"),
    ("chunk size 12x", b"@\n12x\nabcdefghijkl\n#\n#\n"),
    ("chunk size 1 2", b"@\n1 2\nabcdefghijkl\n#\n#\n"),
    ("chunk size 0x10", b"@\n0x10\nabcdefghijklmnop\n#\n#\n"),
    ("chunk size in Arabic digits", "@\n\u0665\nabcde\n#\n#\n".encode()),
    ("chunk size empty", b"@\n\nabc\n#\n#\n"),
    ("chunk size only blanks", b"@\n   \nabc\n#\n#\n"),
    ("blanks before a chunk size", b"@\n 3\nabc\n#\n#\n"),
    ("a second chunk of size 0", b"@\n3\nabc\n0\n\n#\n#\n"),
    ("a chunk longer than its size", b"@\n3\nabcd\n#\n#\n"),
    ("a chunk shorter than its size", b"@\n6\nabc\n#\n#\n"),
    ("no newline after a chunk", b"@\n3\nabc#\n#\n"),
    ("words after @", b"@ x\n3\nabc\n#\n#\n"),
    ("words after the # of a bytes segment", b"@\n3\nabc\n#x\n#\n"),
    ("words after the # of a JSON segment", b"{}\n#x\n#\n"),
    ("words after the # of the empty segment", b"#!\n"),
    ("two #", b"##\n"),
    ("257 blanks after @", b"@" + b" " * 257 + b"\n3\nabc\n#\n#\n"),
    ("257 blanks after #", b"#" + b" " * 257 + b"\n"),
    ("257 blanks after a size", b"@\n3" + b" " * 257 + b"\nabc\n#\n#\n"),
    ("257 blanks after a chunk", b"@\n3\nabc" + b" " * 257 + b"\n#\n#\n"),
]


class BadInput(SharedCase):
    """Wrong content: an answer each, the connection goes on, others are unharmed."""

    def test_wrong_content_is_answered_and_the_connection_goes_on(self):
        other = self.connect()
        for name, data, status, contains, request_id in CONTENT:
            with self.subTest(name), self.daemon.connect() as connection:
                connection.send(data)
                response = self.status(connection.response(), status, contains)
                self.assertEqual(response.id, request_id)
                self.assertEqual("requestId" in response.head, request_id is not None)
                self.still_usable(connection)
                self.still_usable(other)

    def test_wrong_content_all_on_one_connection(self):
        connection = self.connect()
        for name, data, status, contains, request_id in CONTENT:
            with self.subTest(name):
                connection.send(data)
                self.status(connection.response(), status, contains)
        self.still_usable(connection)

    def test_wrong_content_changed_nothing(self):
        self.assertEqual(self.request(doip.SEARCH, SERVICE, attributes={"query": "type:T"}).output["size"], 0)

    def test_a_parser_error_says_where(self):
        response = self.request_raw(raw_head(b'{"a":1,\n"b":2,\n"b":3}'))
        self.assertRegex(response.reason, r"line 3")

    def request_raw(self, data):
        connection = self.connect()
        connection.send(data)
        return connection.response()

    def test_broken_framing_is_answered_and_closes(self):
        other = self.connect()
        for name, data in FRAMING:
            for operation in (DISCARD, doip.CREATE, "20.DOIP/Debug.IgnoreErrors"):
                with self.subTest(name, operation=operation), self.daemon.connect() as connection:
                    connection.send(head(operation, SERVICE, id="r") + data)
                    response = self.status(connection.response(), INVALID)
                    self.assertEqual(response.id, "r")
                    self.closed(connection)
        self.still_usable(other)

    def test_broken_framing_while_the_answer_is_under_way(self):
        """Echo has begun its answer when it meets the fault: the error, or a broken stream, but nothing that looks whole."""
        for name, data in FRAMING:
            with self.subTest(name), self.daemon.connect() as connection:
                connection.send(head(ECHO, SERVICE, id="r") + data)
                try:
                    self.status(connection.response(), INVALID)
                    self.closed(connection)
                except doip.Broken as error:
                    self.assertFalse(error.clean, "a broken answer ended with close_notify")

    def test_broken_framing_that_nobody_reads_closes_too(self):
        for name, data in FRAMING:
            with self.subTest(name), self.daemon.connect() as connection:
                connection.send(head(IGNORE, SERVICE, id="r") + data)
                self.assertEqual(connection.response().id, "r")
                self.closed(connection)

    def test_broken_framing_of_the_first_segment(self):
        for name, data in [(n, d) for n, d in FRAMING if not d.startswith(b"{}")] + [("#x after a head", b"{}\n#x\n#\n")]:
            with self.subTest(name), self.daemon.connect() as connection:
                connection.send(data)
                self.status(connection.response(), INVALID)
                self.closed(connection)

    def test_broken_framing_after_64_kilobytes(self):
        connection = self.connect()
        data = doip.bytes_segment(os.urandom(200000))
        connection.send(head(DISCARD, SERVICE, id="r"), data[:-2], b"07\n")
        self.status(connection.response(), INVALID)
        self.closed(connection)

    def test_requests_before_broken_framing_are_answered(self):
        connection = self.connect()
        connection.send(message(doip.HELLO, SERVICE, id="1") + message(ECHO, SERVICE, [b"x"], id="2") +
                        head(DISCARD, SERVICE, id="3") + b"@\n0\n")
        self.assertEqual([connection.response().id for _ in range(2)], ["1", "2"])
        self.assertEqual(self.status(connection.response(), INVALID).id, "3")
        self.closed(connection)

    def test_plain_http_and_garbage_to_the_port(self):
        garbage = random.Random(7).randbytes(5000)
        for name, data in (("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ("garbage", garbage), ("NULs", b"\0" * 3000),
                           ("DOIP without TLS", message(doip.HELLO, SERVICE)), ("a TLS record cut short", b"\x16\x03\x01\x02\0\1"),
                           ("a huge TLS record", b"\x16\x03\x01\xff\xff" + garbage), ("nothing", b"")):
            with self.subTest(name), socket.create_connection((doip.HOST, self.port), 20) as plain:
                if data:
                    plain.sendall(data)
                plain.shutdown(socket.SHUT_WR)
                try:
                    answer = b"".join(iter(lambda: plain.recv(4096), b""))
                except ConnectionResetError:
                    answer = b""
                self.assertNotIn(b"requestId", answer)
                self.assertLess(len(answer), 100)
        self.ok(self.request(doip.HELLO, SERVICE))

    def test_http_and_garbage_inside_tls(self):
        for name, data in (("HTTP", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), ("garbage", b"\x80\x81\xff" * 500)):
            with self.subTest(name), self.daemon.connect() as connection:
                connection.send(data)
                connection.end_writing()
                try:
                    self.status(connection.response(), INVALID)
                except doip.Broken:
                    pass  # a message that was never complete need not be answered
                connection.at_end()

    def test_tls_without_a_request(self):
        for ending in ("close", "abort", "close_notify", "end_writing"):
            with self.subTest(ending), self.daemon.connect() as connection:
                getattr(connection, ending)()
        with self.daemon.connect() as connection:
            connection.send(b" \n\r\n\t ")
            connection.end_writing()
            connection.at_end()
        self.ok(self.request(doip.HELLO, SERVICE))

    def test_a_head_over_the_limit(self):
        for name, data in (("on one line", head(ECHO, SERVICE, id="r", attributes={"x": "y" * (1 << 20)})),
                           ("on many lines", b"{\n" + b'"a":\n' * 300000),
                           ("of blanks", b"{" + b" " * (1 << 20) + b"}\n#\n#\n"),
                           ("without an end", b'{"a":"' + b"x" * (1 << 20))):
            with self.subTest(name), self.daemon.connect() as connection:
                connection.send(data)
                self.status(connection.response(), INVALID)
                self.closed(connection)

    def test_an_input_segment_over_the_limit(self):
        connection = self.connect()
        connection.send(head(ECHO, SERVICE, id="r"), json_segment("x" * (1 << 20)), EMPTY)
        self.assertEqual(self.status(connection.response(), INVALID).id, "r")
        self.closed(connection)

    def test_a_head_just_under_the_limit(self):
        value = "y" * ((1 << 20) - 500)
        self.ok(self.request(IGNORE, SERVICE, attributes={"x": value}))
        self.assertEqual(self.ok(self.request(ECHO, SERVICE, input=value)).output, value)

    def test_blanks_before_a_message_without_end_cost_nothing(self):
        connection = self.connect()
        connection.send(b" \n" * 100000, message(doip.HELLO, SERVICE, id="x"))
        self.assertEqual(self.ok(connection.response()).id, "x")
