"""The running daemon: signals, workers that die, threads and connections."""

import os
import select
import signal
import socket
import ssl
import time

import doip
from base import Case, SharedCase, debug_request
from daemon import SERVICE, alive, free_port, until

class Ending(Case):
    def in_flight(self, made, ms=1500):
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(debug_request("Sleep", ms=ms))
        return connection

    def begun(self, made, connection):
        """Waits until the request has reached a worker: a request that was not read yet may be lost."""
        time.sleep(0.3)

    def test_sigterm_and_sigint_complete_what_is_in_flight(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number.name):
                made = self.make(settings={"handler": {"debug": {"options": {"close_file": "/dev/null"}}}})
                connection = self.in_flight(made)
                self.begun(made, connection)
                made.send(number)
                self.assertEqual(self.ok(connection.response()).id, "x")
                self.assertEqual(made.process.wait(30), 0, made.tail())

    def test_sigterm_completes_an_upload(self):
        made = self.make()
        data = os.urandom(200000)
        whole = doip.message(doip.CREATE, SERVICE, doip.object_segments({"id": "up", "type": "T", "elements": [{"id": "e"}]}, {"e": data}))
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(whole[:150000])
        self.begun(made, connection)
        made.send(signal.SIGTERM)
        time.sleep(0.3)
        connection.send(whole[150000:])
        self.ok(connection.response())
        self.assertEqual(made.process.wait(30), 0)
        made.start()
        self.assertTrue(made.request(doip.RETRIEVE, "up", attributes={"element": "e"}).output == data)

    def test_sigterm_refuses_new_connections_and_closes_handlers(self):
        made = self.make(start=False)
        closed = made.path("closed")
        made.change({"handler": {"debug": {"options": {"close_file": closed}}}})
        made.start()
        workers = made.workers()
        made.stop()
        with open(closed) as file:
            self.assertEqual(sorted(int(line.split()[1]) for line in file), workers, "close() once per worker")
        with self.assertRaises(OSError):
            socket.create_connection((doip.HOST, made.port), 5)

    def test_idle_connections_do_not_hold_up_the_end(self):
        made = self.make(settings={"timeouts": {"shutdown": 60}})
        idle = [made.connect() for _ in range(5)]
        for connection in idle[:3]:
            self.ok(connection.request(doip.HELLO, SERVICE))
        made.send(signal.SIGTERM)
        self.assertEqual(made.process.wait(30), 0)
        for connection in idle:
            connection.at_end()
            connection.close()

    def test_timeouts_shutdown_ends_the_wait(self):
        made = self.make(settings={"timeouts": {"shutdown": 1}})
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(debug_request("Hang"))
        self.begun(made, connection)
        workers = made.workers()
        made.send(signal.SIGTERM)
        made.process.wait(30)
        until(lambda: not [w for w in workers if alive(w)], "hanging workers to end")

    def test_sigquit_does_not_wait(self):
        made = self.make(settings={"timeouts": {"shutdown": 300}})
        self.begun(made, self.in_flight(made, ms=300000))
        workers = made.workers()
        made.send(signal.SIGQUIT)
        self.assertEqual(made.process.wait(20), 0, made.tail())
        until(lambda: not [w for w in workers if alive(w)], "the workers to end")

    def test_a_second_sigterm_does_not_wait(self):
        made = self.make(settings={"timeouts": {"shutdown": 300}})
        self.begun(made, self.in_flight(made, ms=300000))
        workers = made.workers()
        made.send(signal.SIGTERM)
        time.sleep(0.5)
        self.assertIsNone(made.process.poll(), "the first SIGTERM did not wait")
        made.send(signal.SIGTERM)
        self.assertEqual(made.process.wait(20), 0, made.tail())
        until(lambda: not [w for w in workers if alive(w)], "the workers to end")

    def test_workers_end_when_the_master_is_killed(self):
        made = self.make()
        workers = made.workers()
        os.kill(made.pid, signal.SIGKILL)
        made.process.wait()
        made.process = None
        until(lambda: not [w for w in workers if alive(w)], "the workers to end", 30)

    def test_workers_ignore_the_terminal(self):
        made = self.make()
        workers = made.workers()
        for pid in workers:
            os.kill(pid, signal.SIGINT)
        time.sleep(0.3)
        self.assertEqual(made.workers(), workers)
        self.ok(made.request(doip.HELLO))


class Dying(SharedCase):
    """Workers that die are replaced, and the log says in which handler, operation and target."""

    workers_die = True
    handlers = ("debug", "store")
    settings = {"workers": {"processes": 2, "threads": 16}}

    def setUp(self):
        until(lambda: len(self.daemon.workers()) == 2, "two workers: " + self.daemon.tail(), 40)
        super().setUp()
        self.start = len(self.daemon.log())

    def replaced(self):
        def two_new():
            now = self.daemon.workers()
            return len(now) == 2 and now != self.before
        until(two_new, "a new worker: " + self.daemon.tail(), 40)
        self.daemon.wait_ready()

    def test_a_killed_worker_is_replaced(self):
        os.kill(self.before[0], signal.SIGKILL)
        self.replaced()
        self.ok(self.request(doip.HELLO))

    def test_a_crash_ends_one_worker_and_the_log_says_where(self):
        for action, sign in (("Crash", "SIGSEGV|Segmentation fault|signal 11"), ("Abort", "SIGABRT|Aborted|signal 6"),
                             ("Exit", "status 0"), ("Overflow", "SIGSEGV|Segmentation fault|signal 11")):
            with self.subTest(action):
                self.setUp()
                with self.daemon.connect() as connection:
                    connection.send(debug_request(action, target="35.TEST/deadly"))
                    with self.assertRaises(doip.Broken):
                        connection.response()
                self.replaced()
                self.assertEqual(len(set(self.daemon.workers()) & set(self.before)), 1, "the other worker must live on")
                line = self.daemon.wait_log(rf"(?m)^.*Debug\.{action}\b.*$", start=self.start).group()
                self.assertIn("35.TEST/deadly", line)
                self.assertIn("debug", line)
                self.assertRegex(self.daemon.log()[self.start:], sign)

    def test_a_crash_in_a_basic_operation(self):
        with self.daemon.connect() as connection:
            connection.send(doip.message(doip.RETRIEVE, "debug/x", attributes={"debug": "Crash"}))
            with self.assertRaises(doip.Broken):
                connection.response()
        self.replaced()
        line = self.daemon.wait_log(r"(?m)^.*debug/x.*$", start=self.start).group()
        self.assertIn(doip.RETRIEVE, line)

    def test_others_are_served_while_workers_die(self):
        for _ in range(3):
            try:
                self.debug("Crash")
            except (doip.Broken, OSError):
                pass
            self.daemon.wait_ready(40)
        self.ok(self.request(doip.HELLO))


class Workers(Case):
    def test_a_worker_that_dies_at_once_is_not_replaced_in_a_hurry(self):
        made = self.make(start=False, settings={"workers": {"processes": 1}})
        made.start()
        for _ in range(6):
            workers = until(made.workers, "a worker", 60)
            try:
                os.kill(workers[0], signal.SIGKILL)
            except ProcessLookupError:
                pass
            until(lambda: made.workers() != workers, "the kill")
        self.assertIsNone(made.process.poll())
        made.wait_ready(60)
        made.stop()

    def test_not_thread_safe_handlers_are_serialised(self):
        made = self.make(handlers=("serial", "debug"))
        made.wait_log("serial")
        results = self.at_once(made, 12, doip.message("20.DOIP/Serial.Overlap", SERVICE))
        self.assertEqual({r.output["overlap"] for r in results}, {1})
        made.change({"workers": {"processes": 1}})
        made.reload()
        results = self.at_once(made, 6, debug_request("Count", ms=500))
        self.assertGreater(max(r.output for r in results), 1, "thread-safe handlers must not be serialised")

    def at_once(self, made, count, data):
        connections = [made.connect() for _ in range(count)]
        for connection in connections:
            connection.send(data)
        results = [self.ok(connection.response()) for connection in connections]
        for connection in connections:
            connection.close()
        return results

    def test_a_serial_handler_does_not_hold_up_the_others(self):
        made = self.make(handlers=("serial", "debug"), settings={"workers": {"processes": 1}})
        slow = [made.connect() for _ in range(10)]
        for connection in slow:
            connection.send(doip.message("20.DOIP/Serial.Overlap", SERVICE))
        self.ok(made.debug("Pid"))
        for connection in slow:
            self.ok(connection.response())
            connection.close()

    def test_one_thread_is_never_given_to_a_handler(self):
        """With both threads wanted by sleeping handlers, handshakes and the daemon's own answers still move."""
        made = self.make(handlers=("debug",), settings={"workers": {"processes": 1, "threads": 2}, "timeouts": {"handshake": 3}})
        old = doip.context(versions=(ssl.TLSVersion.TLSv1_2,) * 2)  # whose tickets come within the handshake
        busy = [made.connect(tls=old) for _ in range(3)]
        for connection in busy:
            connection.send(debug_request("Sleep", ms=2000))
        time.sleep(0.3)
        for _ in range(3):
            with made.connect() as connection:
                self.assertIsNotNone(connection.sock.version())
        self.assertEqual(select.select([busy[-1].sock], [], [], 0)[0], [], "the handshakes waited for the handlers")
        for connection in busy:
            self.ok(connection.response())
            connection.close()
        self.ok(made.request(doip.HELLO))

    def test_more_requests_than_threads(self):
        made = self.make(settings={"workers": {"processes": 1, "threads": 3}})
        results = self.at_once(made, 30, debug_request("Sleep", ms=20))
        self.assertEqual(len(results), 30)

    def test_more_connections_than_allowed(self):
        made = self.make(settings={"workers": {"processes": 1, "connections": 4, "threads": 4}})
        held = [made.connect() for _ in range(4)]
        for connection in held:
            self.ok(connection.request(doip.HELLO, SERVICE))
        late = socket.create_connection((doip.HOST, made.port), 20)
        self.addCleanup(late.close)
        for connection in held:
            self.ok(connection.request(doip.HELLO, SERVICE))
            connection.close()
        made.wait_ready()

    def test_handlers_that_hang_do_not_hurt_others(self):
        made = self.make(settings={"timeouts": {"shutdown": 1}})
        hung = [made.connect() for _ in range(6)]
        for connection in hung:
            connection.send(debug_request("Hang", target="35.TEST/hung"))
        for _ in range(20):
            self.ok(made.request(doip.HELLO))
        made.stop(signal.SIGQUIT)
        for connection in hung:
            connection.close()

    def test_hundreds_of_idle_connections(self):
        made = self.make()
        idle = [made.connect() for _ in range(500)]
        for connection in idle[::50]:
            self.ok(connection.request(doip.HELLO, SERVICE))
        self.ok(made.request(doip.HELLO))
        for connection in idle:
            connection.close()
        self.ok(made.request(doip.HELLO))

    def test_many_listen_addresses(self):
        second = free_port()
        made = self.make(start=False)
        made.change({"listen": [f"{doip.HOST}:{made.port}", f"[::1]:{second}"]})
        try:
            with socket.socket(socket.AF_INET6) as probe:
                probe.bind(("::1", 0))
        except OSError:
            self.skipTest("no IPv6 here")
        self.addCleanup(made.stop)
        made.start()
        with doip.Connection(second, host="::1") as connection:
            info = self.ok(connection.request("20.DOIP/Debug.Info", SERVICE)).output
            self.assertTrue(info["peer"].startswith("[::1]:"), info)
