"""Handlers that answer later (doip_later()): all that holds of a request whose handler runs holds of one that is held, and it costs no thread."""

import re
import signal
import socket
import time

import doip
from base import Case, SharedCase, debug_request
from daemon import SERVICE, alive, until
from test_control import doipctl, report

LATER = "20.DOIP/Debug.Later"
TARGET = "35.TEST/later"


class Answers(SharedCase):
    handlers = ("debug",)
    settings = {"workers": {"processes": 1, "threads": 4}, "log": {"access": True}}

    def later(self, connection, **attributes):
        return connection.request(LATER, SERVICE, attributes=attributes)

    def test_an_answer(self):
        with self.daemon.connect() as connection:
            for ms in (0, 1, 50):
                self.assertEqual(self.ok(self.later(connection, ms=ms)).output["later"], ms)
            self.status(self.later(connection, ms=1, fail=True), "0.DOIP/Status.103", "Not even later.")
            self.still_usable(connection)

    def test_complete_before_the_function_returns(self):
        with self.daemon.connect() as connection:
            for _ in range(20):
                self.ok(self.later(connection, ms=0, early=True))
            self.status(self.later(connection, ms=0, early=True, fail=True), "0.DOIP/Status.103")

    def test_no_thread_is_kept(self):
        """As many at once as workers.threads, of which three run handlers: they take their own time, not one another's."""
        connections = [self.daemon.connect() for _ in range(4)]
        start = time.monotonic()
        for connection in connections:
            connection.send(debug_request("Later", ms=1500))
        with self.daemon.connect() as other:
            self.still_usable(other)
            self.assertLess(time.monotonic() - start, 1.4)
        for connection in connections:
            self.ok(connection.response())
            connection.close()
        self.assertLess(time.monotonic() - start, 2.9)

    def test_more_than_may_be_held(self):
        """Who finds no place waits in a thread; heads and Hello go on meanwhile, and all are answered."""
        connections = [self.daemon.connect() for _ in range(12)]
        for connection in connections:
            connection.send(debug_request("Later", ms=300))
        for connection in connections:
            self.ok(connection.response())
            self.still_usable(connection)
            connection.close()

    def test_pipelined(self):
        """Answers keep the order of their requests, whoever is sooner done."""
        with self.daemon.connect() as connection:
            parts = []
            for n in range(60):
                kind = n % 4
                if kind < 2:
                    parts.append(doip.message(LATER, SERVICE, id=str(n), attributes={"ms": n % 5, "early": kind == 1}))
                elif kind == 2:
                    parts.append(doip.message(doip.HELLO, SERVICE, id=str(n)))
                else:
                    parts.append(doip.message("20.DOIP/Debug.Sleep", SERVICE, id=str(n), attributes={"ms": 1}))
            connection.send(b"".join(parts))
            for n in range(60):
                response = self.ok(connection.response())
                self.assertEqual(response.id, str(n))

    def test_earlier_answers_do_not_wait(self):
        with self.daemon.connect() as connection:
            self.ok(self.later(connection, ms=0))
            for _ in range(3):
                self.still_usable(connection)
            connection.send(doip.message(doip.HELLO, SERVICE, id="1") + doip.message(LATER, SERVICE, id="2", attributes={"ms": 1500}))
            start = time.monotonic()
            self.assertEqual(connection.response().id, "1")
            self.assertLess(time.monotonic() - start, 1.2)
            self.assertEqual(connection.response().id, "2")

    def test_a_large_answer_waits_for_nobody(self):
        """It is kept until the client takes it: the thread that gives it goes on."""
        size = 8 << 20
        with self.daemon.connect() as slow, self.daemon.connect() as other:
            slow.send(debug_request("Later", ms=0, size=size, twice=True))
            until(lambda: self.ok(self.later(other, ms=0)).output["refused"] > 0, "the slow client's thread to have gone on")
            response = self.ok(slow.response())
            self.assertEqual(sum(len(part) for part in response.segments if isinstance(part, bytes)), size)
            self.still_usable(slow)

    def test_unread_input(self):
        with self.daemon.connect() as connection:
            connection.send(doip.message(LATER, SERVICE, id="1", attributes={"ms": 50}, segments=[bytes(500000)]))
            self.ok(connection.response())
            self.still_usable(connection)

    def test_twice(self):
        with self.daemon.connect() as connection:
            before = self.ok(self.later(connection, ms=0)).output["refused"]
            for _ in range(20):
                self.ok(self.later(connection, ms=0, twice=True))
            until(lambda: self.ok(self.later(connection, ms=0)).output["refused"] == before + 20, "all to be refused")

    def test_without_a_ticket(self):
        with self.daemon.connect() as connection:
            self.status(connection.request("20.DOIP/Debug.LaterUnasked", SERVICE), "0.DOIP/Status.500", "Internal Server Error")
            self.still_usable(connection)

    def test_a_ticket_and_an_answer_all_the_same(self):
        with self.daemon.connect() as connection:
            self.status(connection.request("20.DOIP/Debug.LaterAnyway", SERVICE), "0.DOIP/Status.500")
            self.still_usable(connection)

    def test_a_client_that_has_gone(self):
        for size in (-1, 1 << 20):
            for _ in range(10):
                connection = self.daemon.connect()
                connection.send(debug_request("Later", ms=50, size=size))
                time.sleep(0.01)
                connection.abort()
        until(lambda: report(self.daemon, "connections")["connections"] == [], "all to be closed")
        with self.daemon.connect() as connection:
            self.still_usable(connection)

    def test_seen_while_it_is_held(self):
        with self.daemon.connect() as connection:
            connection.send(doip.message(LATER, TARGET, id="1", attributes={"ms": 2000}))
            until(lambda: re.search(rf"debug {re.escape(LATER)} {TARGET}$", doipctl(self.daemon, "workers").stdout, re.M), "doipctl to show it")
            self.assertIn("running", doipctl(self.daemon, "connections").stdout)
            self.ok(connection.response())
            until(lambda: LATER not in doipctl(self.daemon, "workers").stdout, "it to be over")

    def test_accounted(self):
        """The log has how long it took in all, and the metrics as well."""
        start = len(self.daemon.log())
        with self.daemon.connect() as connection:
            self.ok(connection.request(LATER, SERVICE, id="timed", attributes={"ms": 700}))
        line = self.daemon.wait_log(rf"(?m)^.*{re.escape(LATER)}.*$", start=start).group()
        took = int(re.search(r"microseconds=(\d+)", line).group(1))
        self.assertTrue(690000 <= took < 5000000, line)


class Ends(Case):
    def held(self, made, action="Later", target=TARGET, **attributes):
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(debug_request(action, target=target, **attributes))
        until(lambda: f"20.DOIP/Debug.{action} {target}" in doipctl(made, "workers").stdout, "it to be held")
        return connection

    def one(self, **timeouts):
        made = self.make(handlers=("debug",), settings={"workers": {"processes": 1}, "timeouts": timeouts}, start=False)
        made.change({"handler": {"debug": {"options": {"close_file": made.path("closed")}}}})
        self.addCleanup(made.stop)
        made.start()
        return made

    def closed_by(self, made):
        try:
            with open(made.path("closed")) as file:
                return [int(line.split()[1]) for line in file]
        except FileNotFoundError:
            return []

    def test_a_reload_waits(self):
        made = self.one(shutdown=30)
        old = made.workers()
        connection = self.held(made, ms=2500)
        made.send(signal.SIGHUP)
        until(lambda: set(made.workers()) - set(old), "a new worker: " + made.tail())
        self.assertEqual(self.ok(connection.response()).output["pid"], old[0])
        connection.close()
        made.wait_retired(old, 15)
        self.assertEqual(self.closed_by(made), old, "its handlers were not closed in order")

    def test_a_stop_waits(self):
        made = self.one(shutdown=30)
        pid = made.workers()[0]
        connection = self.held(made, ms=2500)
        made.send(signal.SIGTERM)
        self.assertEqual(self.ok(connection.response()).output["pid"], pid)
        connection.close()
        made.process.wait(15)
        self.assertEqual(self.closed_by(made), [pid])

    def test_a_stop_does_not_wait_for_ever(self):
        made = self.one(shutdown=2)
        connection = self.held(made, "LaterNever")
        start = time.monotonic()
        made.stop()
        self.assertLess(time.monotonic() - start, 8)
        with self.assertRaises((doip.Broken, OSError)):
            self.ok(connection.response())

    def test_one_that_never_comes_overruns(self):
        made = self.one(handler=1, shutdown=3)
        old, start = made.workers(), len(made.log())
        with made.connect() as other:
            self.held(made, "LaterNever")
            said = made.wait_log(r"(?m)^.*error: .*timeouts\.handler.*$", start=start).group()
            for word in ("handler debug", "20.DOIP/Debug.LaterNever", TARGET):
                self.assertIn(word, said)
            until(lambda: set(made.workers()) - set(old), "a new worker: " + made.tail())
            self.still_usable(other)
        made.wait_retired(old, 12)

    def test_the_log_names_what_was_held_when_its_worker_died(self):
        made = self.one(shutdown=5)
        victim = made.workers()[0]
        self.held(made, ms=1000, crash=True)
        line = made.wait_log(rf"(?m)^.*worker \d+ \(pid {victim}\).*\[worker-died\]$").group()
        for word in ("handler debug", LATER, TARGET, "in a thread that a handler or a library has started"):
            self.assertIn(word, line)
        until(lambda: made.workers() and victim not in made.workers(), "another worker")
        self.assertFalse(alive(victim))

    def test_load(self):
        """Many clients, some of which go; reloads in between: nothing is lost, and nothing dies."""
        made = self.make(handlers=("debug",), settings={"workers": {"processes": 2}})
        for turn in range(4):
            connections = [made.connect() for _ in range(30)]
            for n, connection in enumerate(connections):
                connection.send(b"".join(doip.message(LATER, SERVICE, id=str(i), attributes={"ms": (n + i) % 7}) for i in range(8)))
            made.reload()
            for n, connection in enumerate(connections):
                if n % 5 == turn:
                    connection.abort()
                else:
                    for i in range(8):
                        self.assertEqual(self.ok(connection.response()).id, str(i))
                connection.close()
        made.stop()
        self.assertEqual(re.findall(r"worker-died|was killed|keeps dying", made.log()), [])
