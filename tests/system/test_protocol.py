"""The protocol on the wire: the forms a request may have, and the answers to it."""

import json
import os
import socket
import ssl
import unittest

import doip
from base import SharedCase
from daemon import SERVICE, until
from doip import DECLINED, EMPTY, ERROR, INVALID, UNAUTHENTICATED, UNKNOWN, head, message

ECHO = "20.DOIP/Debug.Echo"
DISCARD = "20.DOIP/Debug.Discard"


class Forms(SharedCase):
    """The forms that a request may have, all meaning the same."""

    VALUES = ({"a": [1, 2.5, None, True, "\u00e9\u20ac\U0001f600"]}, [], {}, "", "x\n#\n@\n", 0, -1, False, 9223372036854775807,
              -9223372036854775808, 1e300, 0.1, [[[]]], "\"\\/\b\f\n\r\t\u0001\u007f")

    def test_compact_and_full_form_are_alike(self):
        for value in self.VALUES:
            with self.subTest(value=value):
                compact = self.ok(self.request(ECHO, SERVICE, input=value))
                full = self.ok(self.request(ECHO, SERVICE, [value]))
                self.assertEqual(compact.segments, [value])
                self.assertEqual(full.segments, [value])
                self.assertTrue(compact.compact and full.compact, "one JSON segment leaves in the compact form")
                for element in (type(compact.output), type(full.output)):
                    self.assertIs(element, type(value))

    def test_no_input_at_all(self):
        for more in ({}, {"input": None}):
            with self.subTest(more=more):
                response = self.ok(self.request(ECHO, SERVICE, **more))
                self.assertEqual((response.segments, response.compact), ([], False))

    def test_null_as_a_segment_is_input(self):
        self.assertEqual(self.ok(self.request(ECHO, SERVICE, [None])).segments, [None])

    def test_null_for_every_optional_property(self):
        response = self.ok(self.request(doip.HELLO, SERVICE, id=None, client=None, attributes=None, authentication=None, input=None))
        self.assertNotIn("requestId", response.head)

    def test_unknown_properties_are_ignored(self):
        self.ok(self.request(doip.HELLO, SERVICE, extra={"a": 1}, sender="x", output=3))

    def test_hello_without_a_target(self):
        for target in (None, ""):
            self.assertEqual(self.ok(self.request(doip.HELLO, target)).output["id"], SERVICE)

    def test_many_segments_of_both_kinds(self):
        segments = [{"a": 1}, b"", b"@\n#\n\n#\n", [1], b"\0" * 70000, b"x", "end", 5, b"#\n"]
        response = self.ok(self.request(ECHO, SERVICE, segments))
        self.assertEqual(response.segments, segments)
        self.assertFalse(response.compact)

    def test_two_json_segments_are_no_compact_form(self):
        response = self.ok(self.debug("Twice"))
        self.assertEqual((response.segments, response.compact), ([1, 2], False))

    def test_chunks_of_every_small_size(self):
        data = os.urandom(64)
        for size in range(1, 65):
            response = self.request_bytes(head(ECHO, SERVICE) + doip.bytes_segment(data, size) + EMPTY)
            self.assertEqual(self.ok(response).output, data)

    def request_bytes(self, data):
        with self.daemon.connect() as connection:
            connection.send(data)
            return connection.response()

    def test_trailing_blanks_everywhere(self):
        for blanks in (b" ", b"\t", b"\r", b" \t\r ", b" " * 256):
            e = blanks + b"\n"
            data = (head(ECHO, SERVICE, id="r")[:-2] + b"#" + e + b'{"a":1}\n#' + e + b"@" + e + b"3" + e + b"abc" + e +
                    b"2" + e + b"de" + e + b"#" + e + b"#" + e)
            with self.subTest(blanks=blanks[:4]):
                self.assertEqual(self.ok(self.request_bytes(data)).segments, [{"a": 1}, b"abcde"])

    def test_crlf_clients(self):
        data = b'{"operationId":"%b","targetId":"%b","input":"x"}\r\n#\r\n#\r\n' % (ECHO.encode(), SERVICE.encode())
        self.assertEqual(self.ok(self.request_bytes(data)).output, "x")

    def test_pretty_printed_json(self):
        value = {"operationId": ECHO, "targetId": SERVICE, "requestId": "p", "input": {"a": ["#", {"b": "@\n#\n"}]}}
        for indent in (0, 2, 4, "\t"):
            data = json.dumps(value, indent=indent).encode() + b"\n#\n#\n"
            with self.subTest(indent=indent):
                self.assertEqual(self.ok(self.request_bytes(data)).output, value["input"])
        data = head(ECHO, SERVICE) + json.dumps(value, indent=1).replace("\n", "\r\n").encode() + b"\n#\n#\n"
        self.assertEqual(self.ok(self.request_bytes(data)).output, value)

    def test_white_space_before_a_message(self):
        connection = self.connect()
        for before in (b"\n", b"\r\n\r\n", b"  \t\n "):
            connection.send(before, message(doip.HELLO, SERVICE, id="w"))
            self.assertEqual(self.ok(connection.response()).id, "w")

    def test_one_byte_at_a_time(self):
        data = message(ECHO, SERVICE, [{"a": 1}, b"some bytes\n#\n", "x"], id="slow")
        with self.daemon.connect() as connection:
            for at in range(len(data)):
                connection.send(data[at:at + 1])
            response = self.ok(connection.response())
            self.assertEqual((response.id, response.segments), ("slow", [{"a": 1}, b"some bytes\n#\n", "x"]))
            self.still_usable(connection)

    def test_every_split_in_two(self):
        data = message(ECHO, SERVICE, ["x", b"ab"], id="s")
        connection = self.connect()
        for at in range(1, len(data)):
            connection.send(data[:at])
            connection.send(data[at:])
            self.assertEqual(self.ok(connection.response()).segments, ["x", b"ab"], f"split at {at}")

    def test_heads_that_trickle_cost_no_thread(self):
        """More half-sent heads than the two workers have threads, and the service still answers."""
        trickle = [self.connect() for _ in range(80)]
        for connection in trickle:
            connection.send(b'{"operationId":"0.DOIP/Op.Hello",')
        for _ in range(10):
            self.ok(self.request(doip.HELLO, SERVICE))
        for connection in trickle:
            connection.send(b'"requestId":"t"}\n#\n#\n')
        for connection in trickle:
            self.assertEqual(self.ok(connection.response()).id, "t")


class Answers(SharedCase):
    def test_request_id_is_echoed(self):
        for value in ("1", "x" * 512, "\u20ac" * 170, "a\"b\\c\n#\n\u0001", " "):
            with self.subTest(value=value[:10]):
                self.assertEqual(self.ok(self.request(doip.HELLO, SERVICE, id=value)).id, value)
        self.assertNotIn("requestId", self.request(doip.HELLO, SERVICE).head)

    def test_statuses_of_a_handler(self):
        connection = self.connect()
        for status in (INVALID, UNAUTHENTICATED, doip.FORBIDDEN, UNKNOWN, doip.DUPLICATE, DECLINED, ERROR, "20.TEST/Own"):
            with self.subTest(status):
                response = connection.request("20.DOIP/Debug.Fail", SERVICE, id=status, input={"unread": 1},
                                              attributes={"status": status, "message": f"because \"{status}\"\n\u20ac"})
                self.status(response, status)
                self.assertEqual((response.id, response.reason), (status, f"because \"{status}\"\n\u20ac"))
        self.still_usable(connection)

    def test_a_status_with_output_of_its_own(self):
        response = self.debug("Status", status=DECLINED)
        self.status(response, DECLINED, False)
        self.assertEqual((response.output, response.attributes), ("output beside a status", {"kind": "debug"}))

    def test_faults_of_a_handler(self):
        """(action, status, text or None): each leaves the connection usable."""
        connection = self.connect()
        for action, status, reason in (("FailSilently", ERROR, "Internal Server Error"),
                                       ("FailAfterOutput", ERROR, "failed after output"),
                                       ("FailAfterRead", ERROR, "failed after reading"),
                                       ("OkAfterFail", doip.FORBIDDEN, "failed, then forgot it"),
                                       ("Decline", DECLINED, "This operation is not supported."),
                                       ("DeclineAfterRead", ERROR, None), ("DeclineAfterOutput", ERROR, None),
                                       ("BadResult", ERROR, None), ("BadText", ERROR, None), ("NoMemory", ERROR, None),
                                       ("NoFile", ERROR, None)):
            with self.subTest(action):
                response = connection.request("20.DOIP/Debug." + action, SERVICE, [{"some": "input"}], id=action)
                self.status(response, status)
                if reason:
                    self.assertEqual(response.reason, reason)
                self.assertEqual(response.id, action)
                self.assertNotIn("never to be seen", repr(response))
        self.still_usable(connection)

    def test_internals_do_not_reach_the_client(self):
        self.assertNotIn("/nonexistent/debug", self.debug("NoFile").reason)

    def test_hundred_requests_in_one_write(self):
        parts, expected = [], []
        for n in range(100):
            kind = n % 5
            if kind == 0:
                parts.append(message(doip.HELLO, SERVICE, id=str(n)))
            elif kind == 1:
                parts.append(message(ECHO, SERVICE, [{"n": n}, b"x" * n], id=str(n)))
            elif kind == 2:
                parts.append(message("20.DOIP/Debug.Fail", SERVICE, id=str(n)))
            elif kind == 3:
                parts.append(message("20.TEST/Nothing", SERVICE, [b"y" * n], id=str(n)))
            else:
                parts.append(message("20.DOIP/Debug.Sleep", SERVICE, id=str(n), attributes={"ms": n % 3}))
            expected.append((str(n), [doip.OK, doip.OK, ERROR, DECLINED, doip.OK][kind]))
        connection = self.connect()
        connection.send(b"".join(parts))
        self.assertEqual([(r.id, r.status) for r in (connection.response() for _ in range(100))], expected)
        self.still_usable(connection)

    @unittest.skipIf("DOIPD_TEST_SLOWNESS" in os.environ, "no request is quick in this build")
    def test_pipelined_answers_leave_together(self):
        """Where the next request is there already and is a quick one, its answer shares the record."""
        hello = message(doip.HELLO, SERVICE)
        connection = self.connect()
        for _ in range(50):
            self.ok(connection.request(doip.HELLO, SERVICE))

        def together():
            connection.send(16 * hello)
            connection._fill()
            first = connection.buffer.count(b"\n#\n#\n")
            for _ in range(16):
                self.ok(connection.response())
            return first > 1

        until(together, "two answers in one record", 10, 0)

    def test_pipelined_answers_do_not_wait_for_a_slow_one(self):
        connection = self.connect()
        for _ in range(50):
            self.ok(connection.request(doip.HELLO, SERVICE))
        connection.send(message(doip.HELLO, SERVICE, id="1") + message("20.DOIP/Debug.Sleep", SERVICE, id="2", attributes={"ms": 400}) +
                        message(doip.HELLO, SERVICE, id="3"))
        self.assertEqual(self.ok(connection.response()).id, "1")
        self.assertEqual(bytes(connection.buffer), b"", "the answer came with the slow one's")
        self.assertEqual([self.ok(connection.response()).id for _ in range(2)], ["2", "3"])

    def test_pipelined_while_answers_are_large(self):
        connection = self.connect()
        connection.send(b"".join(message("20.DOIP/Debug.Big", SERVICE, id=str(n), attributes={"size": 300000})
                                 for n in range(20)))
        want = doip.pattern(300000)
        for n in range(20):
            response = self.ok(connection.response())
            self.assertEqual(response.id, str(n))
            self.assertTrue(response.output == want, "the bytes differ")

    def test_two_hundred_requests_on_one_connection(self):
        connection = self.connect()
        for n in range(200):
            self.assertEqual(self.ok(connection.request(ECHO, SERVICE, id=str(n), input=n)).output, n)

    def test_large_input_is_whole(self):
        data = os.urandom(8 << 20)
        answer = self.ok(self.request(DISCARD, SERVICE, [{"a": 1}, data, b"", data[:1000]])).output
        self.assertEqual(answer, {"segments": 4, "bytes": len(data) + 1000, "sha256": doip.sha256(data + data[:1000])})

    def test_large_output_is_whole(self):
        for size in (0, 1, 16383, 16384, 16385, 65536, 1000003):
            self.assertTrue(self.ok(self.debug("Big", size=size)).output == doip.pattern(size), size)

    def test_echo_while_still_sending(self):
        """Input and output stream at the same time: neither waits for the other's end."""
        data = os.urandom(4 << 20)
        connection = self.connect()
        connection.send_and_receive(message(ECHO, SERVICE, [data], id="e"))
        self.assertGreater(len(connection.buffer), 0, "nothing came while it was sent")
        response = self.ok(connection.response())
        self.assertTrue(response.output == data)

    def test_an_answer_broken_half_way_can_not_look_whole(self):
        for size in (1 << 20, 5_000_000):
            connection = self.connect()
            connection.send(message("20.DOIP/Debug.Half", SERVICE, attributes={"size": size}))
            with self.assertRaises(doip.Broken) as caught:
                connection.response()
            self.assertFalse(caught.exception.clean, "a broken answer ended with close_notify")
        self.daemon.wait_log("failed half-way")

    def test_a_small_answer_broken_half_way(self):
        """Nothing may have left yet: either the error itself, or a broken stream, never success."""
        for action, attributes in (("Half", {"size": 10}), ("ShortFile", {})):
            connection = self.connect()
            connection.send(message("20.DOIP/Debug." + action, SERVICE, attributes=attributes))
            try:
                self.status(connection.response(), ERROR)
            except doip.Broken as error:
                self.assertFalse(error.clean)

    def test_the_end_of_the_stream_after_a_request_does_not_lose_its_answer(self):
        connection = self.connect()
        connection.send(message(doip.HELLO, SERVICE, id="1") +
                        message("20.DOIP/Debug.Sleep", SERVICE, id="2", attributes={"ms": 300}))
        connection.end_writing()
        self.assertEqual([self.ok(connection.response()).id for _ in range(2)], ["1", "2"])
        connection.at_end()

    def test_close_notify_is_answered(self):
        connection = self.connect()
        self.still_usable(connection)
        self.assertTrue(connection.close_notify(), "the service ended without close_notify")

    def test_info_of_the_request(self):
        connection = self.connect()
        info = self.ok(connection.request("20.DOIP/Debug.Info", "35.TEST/t", id="i", client="20.TEST/alice",
                                          attributes={"n": 1})).output
        self.assertEqual(info["peer"], "%s:%d" % connection.sock.getsockname())
        info.pop("peer")
        self.assertEqual(info, {"operation": "20.DOIP/Debug.Info", "target": "35.TEST/t", "service": SERVICE, "toService": False,
                                "id": "i", "client": None, "groups": None, "claimed": "20.TEST/alice", "certificate": False,
                                "verified": False, "attributes": {"n": 1}})
        info = self.ok(self.debug("Info")).output
        self.assertEqual((info["toService"], info["attributes"], info["id"], info["claimed"]), (True, {}, None, None))

    def test_attributes_as_values_and_as_strings(self):
        """(getter, value, what it gives); INVALID where it must not fit."""
        for kind, value, want in (("int", 10, 10), ("int", "10", 10), ("int", "-3", -3), ("int", None, -1), ("int", "1x", INVALID),
                                  ("int", "", INVALID), ("int", True, INVALID), ("int", 1.5, INVALID), ("int", [1], INVALID),
                                  ("int", "99999999999999999999", INVALID),
                                  ("bool", True, True), ("bool", "true", True), ("bool", "false", False), ("bool", None, False),
                                  ("bool", "yes", INVALID), ("bool", [], INVALID), ("bool", {}, INVALID),
                                  ("string", "x", "x"), ("string", "", ""), ("string", None, "default"), ("string", {}, INVALID)):
            with self.subTest(kind=kind, value=value):
                response = self.debug("Attribute", value=value, **{"as": kind})
                if want == INVALID:
                    self.status(response, INVALID, "value")
                else:
                    self.assertIs(type(self.ok(response).output), type(want))
                    self.assertEqual(response.output, want)

    def test_objects_from_the_input(self):
        elements = [{"id": "a"}, {"id": "b"}, {"id": "c"}]
        response = self.request("20.DOIP/Debug.Object", SERVICE, [
            {"type": "T", "elements": elements}, {"id": "b"}, b"12345", {"id": "a"}, b""])
        self.assertEqual(self.ok(response).output, [["b", 5], ["a", 0]])


class ServiceInformation(SharedCase):
    settings = {"service": {"description": "for tests"}}

    def test_hello(self):
        info = self.ok(self.request(doip.HELLO, SERVICE)).output
        self.assertEqual((info["id"], info["type"]), (SERVICE, "0.TYPE/DOIPServiceInfo"))
        attributes = info["attributes"]
        key = attributes.pop("publicKey")
        self.assertEqual(attributes, {"ipAddress": doip.HOST, "port": self.port, "protocol": "TCP", "protocolVersion": "2.0",
                                      "serviceName": "test", "serviceDescription": "for tests"})
        self.assertEqual((key["kty"], key["crv"]), ("EC", "P-256"))
        self.assertRegex(key["x"] + key["y"], r"\A[-_A-Za-z0-9]{86}\Z")
        self.assertNotIn("d", key)

    def test_operations_of_the_service(self):
        listed = self.ok(self.request(doip.LIST, SERVICE)).output
        for operation in (doip.HELLO, doip.LIST, doip.CREATE, doip.SEARCH, ECHO):
            self.assertIn(operation, listed)
        for operation in (doip.RETRIEVE, doip.UPDATE, doip.DELETE):
            self.assertNotIn(operation, listed)
        self.assertEqual(len(listed), len(set(listed)))

    def test_operations_of_an_object(self):
        made = self.create()
        listed = self.ok(self.request(doip.LIST, made["id"])).output
        for operation in (doip.LIST, doip.RETRIEVE, doip.UPDATE, doip.DELETE, ECHO):
            self.assertIn(operation, listed)
        for operation in (doip.HELLO, doip.CREATE, doip.SEARCH):
            self.assertNotIn(operation, listed)

    def test_a_small_answer_is_one_tls_record(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = doip.context(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)).wrap_bio(incoming, outgoing)
        with socket.create_connection((doip.HOST, self.port), 20) as plain:
            def pump(call):
                while True:
                    try:
                        value = call()
                        plain.sendall(outgoing.read())
                        return value
                    except ssl.SSLWantReadError:
                        plain.sendall(outgoing.read())
                        incoming.write(plain.recv(65536))
            pump(tls.do_handshake)
            pump(lambda: tls.write(message(doip.HELLO, SERVICE)))
            record = b""
            while len(record) < 5 or len(record) < 5 + int.from_bytes(record[3:5], "big"):
                record += plain.recv(65536)
            self.assertEqual(len(record), 5 + int.from_bytes(record[3:5], "big"), "more than one record came")
            incoming.write(record)
            answer = tls.read(65536)
        self.assertTrue(answer.startswith(b'{"') and answer.endswith(b"\n#\n#\n"), answer)


class ServiceAddress(SharedCase):
    settings = {"service": {"address": "objects.example.org", "port": 4444}}

    def test_hello_gives_what_is_configured(self):
        attributes = self.ok(self.request(doip.HELLO, SERVICE)).output["attributes"]
        self.assertEqual((attributes["ipAddress"], attributes["port"]), ("objects.example.org", 4444))
