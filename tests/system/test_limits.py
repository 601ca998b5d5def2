"""Limits and interruptions: what a client can't make the service hold, wait for, or keep."""

import concurrent.futures
import os
import re
import socket
import time

import doip
from base import SharedCase, store_files, unchanged_files
from daemon import SERVICE, until
from doip import INVALID, UNKNOWN, head, json_segment, message

ECHO = "20.DOIP/Debug.Echo"
DISCARD = "20.DOIP/Debug.Discard"
IGNORE = "20.DOIP/Debug.Ignore"


class Limits(SharedCase):
    settings = {"limits": {"json_segment": "4K", "unread": "64K"}, "timeouts": {"write": 1, "read": 2, "handshake": 1, "idle": 60}}

    def test_json_segment_is_a_limit(self):
        connection = self.connect()
        self.ok(connection.request(ECHO, SERVICE, input="x" * 3800))
        connection.send(message(ECHO, SERVICE, ["x" * 4200], id="r"))
        self.assertEqual(self.status(connection.response(), INVALID).id, "r")
        self.closed(connection)

    def test_what_is_written_may_be_larger(self):
        self.assertEqual(self.ok(self.debug("BigJson", size=100000)).output, list(range(100000)))

    def test_unread_input_is_read_away_up_to_the_limit(self):
        connection = self.connect()
        connection.send(message(IGNORE, SERVICE, [b"x" * 50000], id="small"))
        self.assertEqual(self.ok(connection.response()).id, "small")
        self.still_usable(connection)
        connection.send_and_receive(message(IGNORE, SERVICE, [b"x" * 300000], id="large"))
        self.assertEqual(self.ok(connection.response()).id, "large")
        connection.at_end()

    def test_an_error_is_readable_while_much_is_still_being_sent(self):
        """The service answers early, and goes on reading a while: the answer must not be lost to a reset."""
        with self.daemon.connect() as connection:
            connection.send(head(doip.CREATE, SERVICE, id="r"), json_segment({"type": 5}), b"@\n")
            for _ in range(100):  # more than the daemon waits for before it asks a handler
                connection.send(b"1000\n" + b"x" * 1000 + b"\n")
            self.assertEqual(self.status(connection.response(), INVALID).id, "r")

    def test_a_client_that_stops_reading_is_cut_off_and_hurts_nobody(self):
        stalled = [self.connect(buffer=4096) for _ in range(4)]
        logged = len(self.daemon.log())
        for connection in stalled:
            connection.send(message("20.DOIP/Debug.Big", SERVICE, attributes={"size": 50_000_000}))
        for _ in range(30):
            self.ok(self.request(doip.HELLO, SERVICE))
        time.sleep(1.5)
        for _ in range(10):
            self.ok(self.request(doip.HELLO, SERVICE))
        # of each its time counts from when it took the last byte; whoever reads before it is over is no longer slow
        until(lambda: self.daemon.log()[logged:].count("20.DOIP/Debug.Big") == len(stalled), "all of them to be cut off")
        for connection in stalled:
            with self.assertRaises(doip.Broken) as caught:
                connection.response(sink=lambda data: None)
            self.assertFalse(caught.exception.clean, "a cut answer looked like an orderly end")

    def test_a_slow_handshake_is_cut_off(self):
        with socket.create_connection((doip.HOST, self.port), 20) as plain:
            self.assertEqual(plain.recv(100), b"")

    def test_a_head_that_never_ends_is_cut_off(self):
        connection = self.connect()
        connection.send(b'{"requestId":"r",')
        self.status(connection.response(), INVALID, "did not arrive in time")
        self.closed(connection)

    def test_a_body_that_stops_is_cut_off(self):
        """Once before a handler has begun (a small body is waited for), once within a handler's doip_read()."""
        for size in (10, 200000):
            with self.subTest(size), self.daemon.connect() as connection:
                connection.send(head(DISCARD, SERVICE, id="r"), b"@\n%d\n" % (size + 10), b"x" * size)
                words = "did not arrive in time" if size == 10 else "sent nothing, or too slowly"
                self.assertEqual(self.status(connection.response(), INVALID, words).id, "r")
                self.closed(connection)


class Paced(SharedCase):
    """limits.body_rate, 30 seconds' worth of which a client may fall behind: these are never silent for as long as the timeouts, yet slow, or
    they are not. All at once, as each takes its half minute."""

    settings = {"limits": {"body_rate": "64K"}, "timeouts": {"read": 10, "write": 10, "idle": 100}, "workers": {"processes": 1}}
    seconds = 150
    STEP, SLOW, QUICK = 0.5, 2000, 100000  # a piece each STEP seconds: below the rate, and above it

    def in_pieces(self, connection, size, every):
        """Sends these, until the service says something, and tells how long that took."""
        begun = time.monotonic()
        for _ in every:
            connection.send(b"x" * size)
            connection.sock.settimeout(self.STEP)
            try:
                connection._need(1, "nothing")
                break
            except TimeoutError:
                connection.sock.settimeout(20)
        return time.monotonic() - begun

    def told(self, connection, words):
        self.status(connection.response(), INVALID, words)
        self.closed(connection)

    def slow_head(self):
        with self.daemon.connect() as connection:
            connection.send(b'{"requestId":"')
            seconds = self.in_pieces(connection, self.SLOW, range(200))
            self.told(connection, "did not arrive in time")
            return seconds

    def slow_body(self):
        """In a handler, after much that came quickly."""
        with self.daemon.connect() as connection:
            connection.send(head(DISCARD, SERVICE, id="r"), b"@\n%d\n" % 90_000_000, b"x" * 30_000_000)
            seconds = self.in_pieces(connection, self.SLOW, range(200))
            self.told(connection, "sent nothing, or too slowly")
            return seconds

    def slow_small_body(self):
        with self.daemon.connect() as connection:
            connection.send(head(DISCARD, SERVICE, id="r"), b"@\n60000\n")
            seconds = self.in_pieces(connection, 200, range(200))
            self.told(connection, "did not arrive in time")
            return seconds

    def reads(self, size, *requests):
        """Of the answers, this much each STEP, until they end or the time is over: a cut one does not look like an orderly end."""
        with self.daemon.connect(buffer=4096) as connection:
            connection.send(*requests)
            begun = time.monotonic()
            try:
                while time.monotonic() < begun + 50:
                    connection._need(size, "an answer")
                    del connection.buffer[:size]
                    time.sleep(self.STEP)
            except doip.Broken as error:
                self.assertFalse(error.clean)

    def slow_reader(self):
        """Of what a handler writes."""
        self.reads(self.SLOW, message("20.DOIP/Debug.Big", SERVICE, attributes={"size": 50_000_000}))

    def slow_reader_of_many(self):
        """Of answers that wait without a handler."""
        self.reads(self.SLOW, *[message("20.DOIP/Debug.BigJson", SERVICE, attributes={"size": 8000})] * 300)

    def quick_reader(self):
        self.reads(self.QUICK, message("20.DOIP/Debug.Big", SERVICE, attributes={"size": 50_000_000}))

    def quick_body(self):
        with self.daemon.connect() as connection:
            connection.send(head(DISCARD, SERVICE, id="r"), b"@\n%d\n" % (90 * self.QUICK))
            seconds = self.in_pieces(connection, self.QUICK, range(90))
            connection.send(b"\n#\n#\n")
            self.ok(connection.response())
            return seconds

    def test_the_slow_are_cut_off_and_nobody_else(self):
        slow = (self.slow_head, self.slow_body, self.slow_small_body, self.slow_reader, self.slow_reader_of_many)
        with concurrent.futures.ThreadPoolExecutor(len(slow) + 2) as pool:
            running = {one: pool.submit(one) for one in (*slow, self.quick_reader, self.quick_body)}
            time.sleep(27)
            self.assertNotIn("client-slow", self.daemon.log())
            took = {one.__name__: running[one].result() for one in running}
        for name in ("slow_head", "slow_body", "slow_small_body"):
            self.assertLess(took[name], 42, name)
        self.assertGreater(took["quick_body"], 44)
        log = self.daemon.log()
        self.assertTrue(all(28e6 < int(took) < 42e6 for took in re.findall(r"too slowly\" .*microseconds=(\d+)", log)), log)
        self.assertEqual(len(re.findall(r"connection ends inside a request: .*less than limits\.body_rate \[client-slow\]", log)), 3, log)
        self.assertEqual(len(re.findall(r"connection ended inside an answer: .*less than limits\.body_rate \[client-slow\]", log)), 2, log)


class Idle(SharedCase):
    settings = {"timeouts": {"idle": 1}}

    def test_an_idle_connection_is_closed(self):
        fresh, used = self.connect(), self.connect()
        self.still_usable(used)
        fresh.at_end()
        used.at_end()


class Cut(SharedCase):
    """A connection that ends anywhere within a Create leaves nothing behind."""

    ELEMENT = b"element bytes \n#\n"

    def creation(self, data):
        return message(doip.CREATE, SERVICE, doip.object_segments(
            {"type": "Cut", "elements": [{"id": "e"}]}, {"e": data}), id="cut")

    def cut(self, data, at, ending):
        connection = self.daemon.connect()
        try:
            connection.send(data[:at])
            getattr(connection, ending)()
        except OSError:
            pass
        finally:
            connection.close()

    def nothing_is_left(self, before):
        unchanged_files(self.daemon.root, before)
        found = self.ok(self.request(doip.SEARCH, SERVICE, attributes={"query": "type:Cut"})).output
        self.assertEqual(found["size"], 0)

    def test_the_connection_cut_at_every_byte_of_a_create(self):
        before, data = store_files(self.daemon.root), self.creation(self.ELEMENT)
        for at in range(len(data)):
            self.cut(data, at, ("close", "abort", "end_writing", "close_notify")[at % 4])
        self.nothing_is_left(before)

    def test_cut_within_a_large_element(self):
        before, data = store_files(self.daemon.root), self.creation(os.urandom(1 << 20))
        for at in (70000, 200000, 500000, 1000000, len(data) - 5, len(data) - 3, len(data) - 2, len(data) - 1):
            for ending in ("close", "abort"):
                self.cut(data, at, ending)
        self.nothing_is_left(before)

    def test_an_update_cut_short_changes_nothing(self):
        made = self.create({"type": "Whole"}, {"e": b"before"})
        before = store_files(self.daemon.root)
        data = message(doip.UPDATE, made["id"], doip.object_segments(
            {"type": "Cut", "attributes": {"a": 1}, "elements": [{"id": "e"}]}, {"e": b"after"}))
        for at in range(20, len(data), 3):
            self.cut(data, at, "close")
        self.cut(data, len(data) - 1, "close")
        self.nothing_is_left(before)
        now, elements = self.ok(self.request(doip.RETRIEVE, made["id"], attributes={"includeElementData": True})).elements()
        self.assertEqual((now, elements), (made, {"e": b"before"}))

    def test_broken_framing_after_the_object_creates_nothing(self):
        before, data = store_files(self.daemon.root), self.creation(self.ELEMENT)
        for tail in (b"#x\n", b"x", b"@x\n", b"@\n1\nx\n#\n#\n", b'{"id":"e"}\n#\n@\n#\n#\n', b"{}\n#\n#\n"):
            with self.subTest(tail), self.daemon.connect() as connection:
                connection.send(data[:-2] + tail)
                connection.end_writing()
                try:
                    self.status(connection.response(), INVALID)
                except doip.Broken:
                    self.assertEqual(tail, b"x")
        self.nothing_is_left(before)


class Ids(SharedCase):
    """Identifiers are any text, and never become paths."""

    IDS = ("35.TEST/a/b/c", "../../../../tmp/escape", "..", ".", "/", "/etc/passwd", "a\"b", "a'b; DROP TABLE objects; --", "a\\b",
           "a\nb", "\n", "a\tb\rc", "\u0001\u001b[31m", "%2e%2e%2f", "a b", " ", "*", "?", "[a]", "\u20ac" * 170 + "ab",
           "x" * 512, "\U0001f600" * 128, "e\u0301", "\u00e9", "NULL", "%s%n%d", "35.TEST/", "#", "@", "{}", "-rf", "~", "A", "a")

    def test_round_trip(self):
        outside = self.listing()
        for value in self.IDS:
            with self.subTest(value=value[:30]):
                data = value.encode()
                made = self.create({"id": value, "type": "Ids"}, {value: data})
                self.assertEqual(made["id"], value)
                got = self.ok(self.request(doip.RETRIEVE, value, attributes={"includeElementData": True}))
                self.assertEqual((got.elements()[0]["id"], got.elements()[1]), (value, {value: data}))
                part = self.ok(self.request(doip.RETRIEVE, value, attributes={"element": value}))
                self.assertEqual(part.output, data)
                self.status(self.request(doip.CREATE, SERVICE, [{"id": value, "type": "Ids"}]), doip.DUPLICATE)
                self.ok(self.request(doip.UPDATE, value, doip.object_segments({"elements": [{"id": value}]}, {value: b"2"})))
        found = self.ok(self.request(doip.SEARCH, SERVICE, attributes={"query": "type:Ids", "type": "id"})).output
        self.assertEqual(sorted(found["results"]), sorted(self.IDS))
        for value in self.IDS:
            self.ok(self.request(doip.DELETE, value))
            self.status(self.request(doip.RETRIEVE, value), UNKNOWN)
        self.assertEqual(self.listing(), outside, "a file outside the store")
        self.assertFalse(os.path.exists("/tmp/escape"))

    def listing(self):
        return sorted(path for path in self.every_file() if not path.startswith(self.daemon.root))

    def every_file(self):
        for folder, _, names in os.walk(self.daemon.dir):
            for name in names:
                yield os.path.join(folder, name)

    def test_ids_are_escaped_in_the_log(self):
        self.request(doip.RETRIEVE, "evil\n2026 error: forged\u001b[31m")
        self.daemon.wait_log("forged")
        log = self.daemon.log()
        self.assertNotIn("\u001b", log)
        self.assertFalse(re.search(r"^2026 error: forged", log, re.M))
