"""Handlers that harm the process they run in, or what others have there: each costs one worker at most, which the log explains, and which is
replaced; other workers and their connections feel nothing. (Crashes, Abort, _exit() and stack overflow: test_daemon.py; hangs: test_processes.py; half
an answer: test_protocol.py.)"""

import os
import signal
import tempfile
import time

import doip
from base import Case, SharedCase, debug_request
from daemon import SERVICE, alive, until

TARGET = "35.TEST/deadly"


class Hostile(Case):
    """A daemon with two workers; an action of the debug handler costs it one of them. A new one each time: who dies often starts later."""

    def serve(self):
        self.made = self.make(start=False, handlers=("debug",), settings={"timeouts": {"shutdown": 3}})
        if "descriptors" in self.id() or "number_of_another" in self.id():
            self.made.environment["TSAN_OPTIONS"] = "report_bugs=0"  # closing what another thread uses is a race, and what these handlers are for
        self.addCleanup(self.made.stop)
        self.made.start()

    def per_worker(self):
        """A connection to each worker, by its pid."""
        found = {}
        while len(found) < 2:
            connection = self.made.connect()
            self.addCleanup(connection.close)
            found.setdefault(self.ok(connection.request("20.DOIP/Debug.Pid", SERVICE)).output, connection)
        return found

    def harmed(self, action, **attributes):
        """The action ends the worker that it is sent to, and nothing else: the log's line about that."""
        self.serve()
        connections = self.per_worker()
        victim, other = list(connections)
        connections[victim].send(debug_request(action, target=TARGET, **attributes))
        line = self.made.wait_log(rf"(?m)^.*worker \d+ \(pid {victim}\).*\[worker-died\]$").group()
        self.assertEqual(self.ok(connections[other].request("20.DOIP/Debug.Pid", SERVICE)).output, other)
        until(lambda: len(self.made.workers()) == 2, "another worker: " + self.made.tail(), 40)
        self.assertIn(other, self.made.workers())
        self.made.wait_ready()
        return line

    def names(self, line, action, *words):
        for word in ("handler debug", "20.DOIP/Debug." + action, TARGET, *words):
            self.assertIn(word, line)

    def test_exit(self):
        """A library that thinks it may end the process; 0 would look like an orderly end."""
        self.names(self.harmed("CallExit"), "CallExit", "exit(0) was called")
        self.names(self.harmed("CallExit", status=3, thread=True), "CallExit", "exit(3) was called", "in a thread that a handler or a library has started")

    def test_a_thread_that_is_ended(self):
        self.names(self.harmed("EndThread"), "EndThread", "a thread of the worker's was ended")

    def test_a_stack_that_is_written_over(self):
        """A little, so that the compiler's mark on it tells; and all of it, with what the thread has there of its own."""
        self.names(self.harmed("Smash", size=200), "Smash", "signal")
        self.names(self.harmed("Smash"), "Smash", "Segmentation fault")

    def test_a_crash_in_a_thread_of_the_handlers(self):
        self.assertIn("in a thread that a handler or a library has started", self.harmed("Threads", crash=True))

    def test_descriptors_that_are_closed(self):
        """Each kind that a worker has, and all of them; what it would serve after that could be anything."""
        for which in ("all", "listeners", "connections", "channel", "anon_inode:[eventpoll]", "anon_inode:[eventfd]", "anon_inode:[signalfd]", "standard"):
            with self.subTest(which):
                self.names(self.harmed("Close", which=which), "Close", "its descriptor", "closes descriptors that are not its own")

    def test_descriptors_that_are_replaced(self):
        """Another file is behind the number."""
        for which in ("all", "listeners", "connections", "channel", "standard"):
            with self.subTest(which), tempfile.NamedTemporaryFile() as file:
                line = self.harmed("Close", which=which, file=file.name)
                self.names(line, "Close", "its descriptor", "closes descriptors that are not its own")
                if which != "standard":  # the log may go there until somebody looks
                    self.assertEqual(file.read(), b"", "an answer in somebody else's file")

    def test_a_new_client_never_has_the_number_of_another(self):
        """A double close: the socket of one client is closed, and the next client's has its number."""
        self.serve()
        connections = self.per_worker()
        victim, other = list(connections)
        robbed = until(lambda: self.last(victim), "a connection to the same worker, and no free number below its own")
        port = robbed.sock.getsockname()[1]
        self.assertEqual(self.ok(connections[victim].request("20.DOIP/Debug.Close", TARGET, attributes={"which": f"port {port}"})).output["closed"], 1)
        for _ in range(100):
            if victim not in self.made.workers():
                break
            try:  # by a worker that is whole, or not at all
                self.assertNotEqual(self.ok(self.made.debug("Pid")).output, victim)
            except (OSError, doip.Broken):
                pass
        self.made.wait_log(rf"worker \d+ \(pid {victim}\) ended itself, as its descriptor \d+ was given again while in use.*Debug\.Close")
        self.assertEqual(self.ok(connections[other].request("20.DOIP/Debug.Pid", SERVICE)).output, other)

    def last(self, pid):
        """A new connection to the worker; None where it went to another, or left a lower number free: the next one would get that."""
        connection = self.made.connect()
        self.addCleanup(connection.close)
        ours = self.ok(connection.request("20.DOIP/Debug.Pid", SERVICE)).output == pid
        numbers = os.listdir(f"/proc/{pid}/fd")
        return connection if ours and len(numbers) == 1 + max(map(int, numbers)) else None

    def test_an_endless_loop_leaves_the_others_alone(self):
        self.serve()
        connections = self.per_worker()
        victim, other = list(connections)
        connections[victim].send(debug_request("Loop", target=TARGET))
        with self.made.connect() as more:
            for _ in range(50):
                self.ok(more.request(doip.HELLO))
                self.ok(connections[other].request(doip.HELLO))
        os.kill(victim, signal.SIGTERM)  # it can't end in order: its time is timeouts.shutdown
        until(lambda: not alive(victim), "the looping worker to end", 20)


class Copies(Case):
    """A handler that forks."""

    def fork(self, child):
        made = self.make(start=False, settings={"workers": {"processes": 1}})
        made.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":detect_leaks=0"  # a copy has lost its threads' stacks
        self.addCleanup(made.stop)
        made.start()
        with made.connect() as other, made.connect() as connection:
            worker, = made.workers()
            self.ok(other.request(doip.HELLO))
            answer = self.ok(connection.request("20.DOIP/Debug.Fork", TARGET, attributes={"child": child})).output
            self.assertEqual(answer["pid"], worker)
            for at in (connection, other):
                for _ in range(20):
                    self.assertEqual(self.ok(at.request("20.DOIP/Debug.Pid", SERVICE)).output, worker)
        self.assertEqual(made.workers(), [worker])
        return made, answer["child"]

    def ended(self, child):
        until(lambda: not alive(child), "the child to end", 10)

    def test_the_copy_that_comes_back_ends(self):
        """It would serve the worker's connections beside the worker."""
        made, child = self.fork("returns")
        self.ended(child)
        self.assertIn("handler debug has forked, and came back in the child", made.log())

    def test_what_happens_to_the_copy_is_not_the_workers(self):
        for child in ("exits", "crashes"):
            with self.subTest(child):
                made, pid = self.fork(child)
                self.ended(pid)
                os.kill(made.workers()[0], signal.SIGKILL)
                line = made.wait_log(r"(?m)^.*was killed by signal 9.*$").group()
                self.assertNotIn("Fork", line)

    def test_a_copy_that_stays_holds_neither_port_nor_clients(self):
        made, child = self.fork("stays")
        self.addCleanup(lambda: alive(child) and os.kill(child, signal.SIGKILL))
        client = made.connect()
        self.ok(client.request(doip.HELLO))
        made.stop(signal.SIGQUIT)
        self.assertTrue(alive(child))
        client.sock.settimeout(5)
        with self.assertRaises((OSError, doip.Broken)):
            client.request(doip.HELLO)
        client.close()
        made.start()
        self.ok(made.request(doip.HELLO))


class Ending(Case):
    """A worker that retires is looked at as closely as one that serves."""

    def test_a_handler_that_exits_in_a_worker_that_retires(self):
        made = self.make(settings={"workers": {"processes": 1}, "timeouts": {"shutdown": 20}})
        for action, words in (("Exit", "ended with status 0"), ("CallExit", r"exit\(0\) was called")):
            with self.subTest(action), made.connect() as connection:
                self.ok(connection.request(doip.HELLO))
                start = len(made.log())
                connection.send(debug_request("Sleep", ms=1500) + debug_request(action, target=TARGET))
                time.sleep(0.3)
                made.send(signal.SIGHUP)
                made.wait_log(rf"{words}.*in handler debug, operation 20.DOIP/Debug.{action}, target {TARGET}", start=start)

    def test_threads_that_outlive_their_handler(self):
        """They end with the process, which ends in order."""
        made = self.make(settings={"workers": {"processes": 1}})
        old = made.workers()
        self.assertEqual([self.ok(made.debug("Threads", count=5)).output], old)
        made.reload()
        made.stop()
        self.assertNotRegex(made.log(), "was killed|ended with status|ended itself")

    def test_the_log_tells_what_a_worker_that_had_to_be_killed_was_in(self):
        made = self.make(settings={"workers": {"processes": 1}, "timeouts": {"shutdown": 1},
                                   "handler": {"debug": {"options": {"slow_close": 60000}}}})
        old = made.workers()
        made.send(signal.SIGHUP)
        made.wait_log(r"does not end: killing it, in handler debug, operation close", seconds=30)
        until(lambda: not alive(old[0]), "its end")
        made.send(signal.SIGQUIT)
        made.process.wait(30)


class Leak(Case):
    def resident(self, pid):
        with open(f"/proc/{pid}/statm") as file:
            _, resident, shared, *_ = file.read().split()
        return (int(resident) - int(shared)) * os.sysconf("SC_PAGESIZE")

    def test_a_leaking_worker_is_replaced(self):
        """workers.memory: that worker alone, and no request is lost."""
        made = self.make(settings={"workers": {"processes": 2}})
        most = max(self.resident(pid) for pid in made.workers()) + (64 << 20)
        made.change({"workers": {"memory": f"{most >> 20}M"}})
        made.reload()
        with made.connect() as connection:
            leaky = self.ok(connection.request("20.DOIP/Debug.Pid", SERVICE)).output
            other, = set(made.workers()) - {leaky}
            for _ in range(10):
                self.assertEqual(self.ok(connection.request("20.DOIP/Debug.Leak", SERVICE, attributes={"size": 10 << 20})).output, leaky)
            made.wait_log(rf"\(pid {leaky}\) has \d+ MiB of its own: it is replaced \(workers\.memory\)")
            self.assertEqual(self.ok(connection.request("20.DOIP/Debug.Pid", SERVICE)).output, leaky)
        made.wait_retired([leaky], 30)
        until(lambda: len(made.workers()) == 2, "two workers")
        self.assertIn(other, made.workers())


class Misuse(SharedCase):
    """Against the rules, but harmless to others."""

    handlers = ("debug",)

    def test_reading_past_the_end_of_the_input(self):
        """The next request, which is there already, is not the handler's to read."""
        for input in ((), ({"a": 1},), ({"a": 1}, b"x" * 100000)):
            with self.subTest(len(input)), self.connect() as connection:
                connection.send(doip.message("20.DOIP/Debug.ReadPast", TARGET, input, id="first") + debug_request("Echo", "second"))
                first, second = connection.response(), connection.response()
                self.assertEqual((first.id, second.id), ("first", "second"))
                self.status(first, doip.INVALID)
                self.ok(second)
                self.still_usable(connection)

    def test_answering_twice(self):
        """There is one answer, and no second one that the next request's client would take for its own."""
        with self.connect() as connection:
            connection.send(debug_request("AnswerAgain", "first") + debug_request("Echo", "second"))
            self.assertEqual(self.status(connection.response(), doip.ERROR, "the status was set after output").id, "first")
            self.assertEqual(self.ok(connection.response()).id, "second")
            self.still_usable(connection)
