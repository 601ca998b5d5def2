"""How many connections there may be, how many requests on each, how deep their JSON; and the sockets' own settings."""

import ctypes
import os
import re
import resource
import signal
import socket
import ssl
import threading
import time

import doip
from base import Case
from daemon import SERVICE, process_stat, until
from doip import INVALID, head, message
from test_control import report

ECHO = "20.DOIP/Debug.Echo"


class Connections(Case):
    def fill(self, made, count, **more):
        held = []
        for _ in range(count):
            held.append(made.connect(**more))
            self.addCleanup(held[-1].close)
            self.still_usable(held[-1])
        return held

    def test_the_longest_idle_makes_room(self):
        made = self.make(settings={"workers": {"processes": 1, "threads": 4, "connections": 4}})
        held = self.fill(made, 4)
        time.sleep(1)
        self.still_usable(held[0])  # now held[1] has been idle the longest
        time.sleep(1.5)
        self.still_usable(self.fill(made, 1)[0])
        self.closed(held[1])
        for index in (0, 2, 3):
            self.still_usable(held[index])
        self.assertEqual(len(re.findall(r"connections-full", made.log())), 1, "said once, not again and again")

    def test_a_connection_at_work_is_never_closed_for_another(self):
        made = self.make(settings={"workers": {"processes": 1, "threads": 2, "connections": 2}})
        held = self.fill(made, 2)
        for connection in held:
            connection.send(head(ECHO, SERVICE, id="r")[:-2])  # inside a request
        late = []
        thread = threading.Thread(target=lambda: late.append(made.request(doip.HELLO)))
        thread.start()
        time.sleep(3)
        self.assertEqual(late, [], "served although there was no room")
        held[0].send(b"#\n#\n")
        self.ok(held[0].response())
        thread.join(20)
        self.ok(late[0])  # held[0] fell idle, and made room
        held[1].send(b"#\n#\n")
        self.ok(held[1].response())


class Total(Case):
    """limits.connections, which all workers share."""

    def make_limited(self, most, each, **more):
        return self.make(settings=dict({"workers": {"processes": 2, "threads": 2, "connections": each}, "limits": {"connections": most}}, **more))

    def join(self, made, asks=True):
        connection = made.connect()
        self.addCleanup(connection.close)
        if asks:
            connection.worker = self.ok(connection.request("20.DOIP/Debug.Pid", SERVICE)).output
        return connection

    def late(self, made):
        """A newcomer, in a thread of its own: the list is empty until it was served."""
        served = []
        thread = threading.Thread(target=lambda: served.append(self.ok(made.request(doip.HELLO))))
        thread.start()
        self.addCleanup(thread.join)
        return served

    def test_the_longest_idle_of_all_makes_room(self):
        made = self.make_limited(5, 3)  # a worker may have 3: both have some
        held = [self.join(made) for _ in range(5)]
        for worker in sorted({connection.worker for connection in held}):
            victim = next(connection for connection in held if connection.worker == worker)
            time.sleep(1)
            for connection in held:
                if connection is not victim:
                    self.still_usable(connection)
            time.sleep(2.5)  # all may be closed now
            held.append(self.join(made))
            self.closed(victim)
            held.remove(victim)
            for connection in held:
                self.still_usable(connection)
        self.assertGreater(len({connection.worker for connection in held}), 1)
        made.wait_log("limits.connections = 5 is reached")

    def test_those_at_work_are_never_closed_for_another(self):
        made = self.make_limited(3, 10)
        held = [self.join(made) for _ in range(3)]
        for connection in held:
            connection.send(head(ECHO, SERVICE, id="r")[:-2])  # inside a request
        served = [self.late(made) for _ in range(2)]
        time.sleep(3)
        self.assertEqual(served, [[], []], "served although there was no room")
        for connection in held:
            connection.send(b"#\n#\n")
            self.ok(connection.response())
        until(lambda: all(served), "room for those who wait", 20)

    def test_what_a_reload_leaves_counts(self):
        made = self.make_limited(2, 10, timeouts={"shutdown": 30})
        held = [self.join(made) for _ in range(2)]
        for connection in held:
            connection.send(doip.message("20.DOIP/Debug.Sleep", SERVICE, attributes={"ms": 5000}))
        time.sleep(0.3)
        made.send(signal.SIGHUP)
        made.wait_log("reloaded: generation 2")
        served = self.late(made)
        time.sleep(2)
        self.assertEqual(served, [], "served beside those of the workers that retire")
        for connection in held:
            self.ok(connection.response())
        until(lambda: served, "room, when those have ended", 20)

    def test_a_killed_worker_takes_its_connections_along(self):
        made = self.make_limited(4, 10)
        for _ in range(3):
            for connection in [self.join(made) for _ in range(4)]:
                connection.send(head(ECHO, SERVICE)[:-2])
            before = made.workers()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            until(lambda: len(set(made.workers()) - set(before)) == len(before), "new workers")

    def test_a_crowd_stays_below_it(self):
        made = self.make_limited(20, 1000)
        crowd = [socket.create_connection((doip.HOST, made.port), 20) for _ in range(60)]
        self.addCleanup(lambda: [each.close() for each in crowd])
        for _ in range(20):
            time.sleep(0.05)
            self.assertLessEqual(report(made, "status")["connections"]["open"], 20 + 2)
        self.assertGreaterEqual(report(made, "status")["connections"]["open"], 20)


class PerAddress(Case):
    def make_limited(self, most, **more):
        return self.make(settings=dict({"limits": {"connections_per_address": most}}, **more))

    def connect_many(self, made, count, source="127.0.0.1"):
        held = []
        for _ in range(count):
            held.append(made.connect(source=source))
            self.addCleanup(held[-1].close)
        for connection in held:
            self.still_usable(connection)
        return held

    def refused(self, made, source="127.0.0.1"):
        with self.assertRaises(ssl.SSLError) as caught:
            made.connect(source=source)
        self.assertIn("access denied", str(caught.exception).lower(), "the client is told why")

    def test_one_too_many_is_told_so_over_all_workers(self):
        made = self.make_limited(5)
        self.free(made, 5)  # those that looked whether it is ready
        held = self.connect_many(made, 5)
        for _ in range(3):
            self.refused(made)
        self.still_usable(self.connect_many(made, 1, source="127.0.0.2")[0])
        made.wait_log(r"127\.0\.0\.1:\d+: connection refused: limits.connections_per_address = 5 is reached")
        held.pop().close()
        self.free(made, 5)
        self.refused(made)

    def free(self, made, most):
        """Waits until a connection gets in, and holds it where one less than `most` are held."""
        def gets_in():
            try:
                connection = made.connect()
            except (ssl.SSLError, OSError):
                return False
            self.addCleanup(connection.close)
            return connection
        connection = until(gets_in, "room for a connection", pause=0.2)
        if most > 1 and not hasattr(self, "ready"):
            self.ready = True
            connection.close()
            time.sleep(0.5)

    def test_a_flood_is_cut_off_at_once(self):
        made = self.make_limited(3)
        self.free(made, 3)
        self.connect_many(made, 3)
        plain = [socket.create_connection((doip.HOST, made.port), 20) for _ in range(30)]
        self.addCleanup(lambda: [each.close() for each in plain])
        ends = {each.recv(100) for each in plain}
        self.assertEqual(ends, {b"", b"\x15\x03\x01\x00\x02\x02\x31"})
        until(lambda: self.open_at(made) <= 3 + 3 + 3, "the flood to be gone")

    def open_at(self, made):
        with open("/proc/net/tcp") as file:
            port = f":{made.port:04X}"
            return sum(1 for line in file if line.split()[1].endswith(port) and line.split()[3] == "01")

    def test_a_killed_worker_takes_its_counts_along(self):
        made = self.make_limited(4)
        self.free(made, 4)
        for _ in range(3):
            held = self.connect_many(made, 4)
            self.refused(made)
            before = made.workers()
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            until(lambda: len(set(made.workers()) - set(before)) == len(before), "new workers")
            for connection in held:
                connection.close()
            until(lambda: made.answers(), "an answer")
            time.sleep(0.5)

    def test_a_reload_keeps_count(self):
        made = self.make_limited(4, timeouts={"shutdown": 20})
        self.free(made, 4)
        held = self.connect_many(made, 4)
        before = set(made.workers())
        made.send(signal.SIGHUP)
        made.wait_log(r"reloaded: generation 2")
        for connection in held:
            self.still_usable(connection)
        self.refused(made)
        for connection in held:
            connection.close()
        made.wait_retired(before)
        self.free(made, 1)


class Requests(Case):
    def test_a_connection_ends_in_order_after_its_last_request(self):
        made = self.make(settings={"limits": {"requests_per_connection": 3}})
        connection = made.connect()
        self.addCleanup(connection.close)
        for _ in range(3):
            self.still_usable(connection)
        self.closed(connection)

    def test_answers_that_were_held_back_are_sent_before(self):
        made = self.make(settings={"limits": {"requests_per_connection": 3}})
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(b"".join(message(doip.HELLO, SERVICE, id=str(i)) for i in range(6)))
        self.assertEqual([connection.response().id for _ in range(3)], ["0", "1", "2"])
        self.closed(connection)

    def test_json_depth(self):
        made = self.make(settings={"limits": {"json_depth": 10}})
        with made.connect() as connection:
            self.ok(connection.request(ECHO, SERVICE, input=eval("[" * 9 + "]" * 9)))
            self.status(connection.request(ECHO, SERVICE, input=eval("[" * 10 + "]" * 10)), INVALID, "nested deeper than 10 levels")
            self.status(connection.request(ECHO, SERVICE, [eval("[" * 11 + "]" * 11)]), INVALID, "nested deeper than 10 levels")
            self.still_usable(connection)


class Sockets(Case):
    def test_several_addresses_of_both_families(self):
        made = self.make(start=False)
        made.change({"listen": [f"127.0.0.1:{made.port}", f"127.0.0.2:{made.port}", f"[::1]:{made.port}"]})
        self.addCleanup(made.stop)
        made.start()
        for host in ("127.0.0.1", "127.0.0.2", "::1"):
            try:
                connection = made.connect(host=host)
            except OSError:
                if host == "::1" and "no IPv6" in made.log():
                    continue
                raise
            with connection:
                self.still_usable(connection)

    def waiting(self, made):
        """How many of a dozen that connect wait in the kernel's queue while no worker accepts."""
        workers, near = made.workers(), f":{made.port:04X}"
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        until(lambda: all(process_stat(pid)[0] == "T" for pid in workers), "workers that stand still")
        late = [socket.socket() for _ in range(12)]
        try:
            for one in late:
                one.setblocking(False)
                one.connect_ex((doip.HOST, made.port))
            time.sleep(0.3)
            with open("/proc/net/tcp") as file:
                rows = [line.split() for line in file]
            return [int(row[4].split(":")[1], 16) for row in rows if row[1].endswith(near) and row[3] == "0A"]
        finally:
            for one in late:
                one.close()
            for pid in workers:
                os.kill(pid, signal.SIGCONT)

    def test_backlog(self):
        """The kernel takes one more than it is told; 0 is what it allows, which is more than a dozen. A reload changes it."""
        made = self.make(settings={"limits": {"backlog": 3}})
        for most, count in ((3, 4), (6, 7), (0, 12)):
            with self.subTest(most):
                made.change({"limits": {"backlog": most}})
                made.reload()
                self.assertEqual(self.waiting(made), [count])
                self.ok(made.request(doip.HELLO))

    def test_small_answers_are_not_held_back(self):
        """TCP_NODELAY, on the worker's own socket."""
        made = self.make()
        with made.connect() as connection:
            worker = self.ok(connection.request("20.DOIP/Debug.Pid", SERVICE)).output
            sockets = [self.borrow(worker, int(fd)) for fd in os.listdir(f"/proc/{worker}/fd")
                       if os.readlink(f"/proc/{worker}/fd/{fd}").startswith("socket:")]
            ours = [one for one in sockets if one.family == socket.AF_INET and self.peer(one) == connection.sock.getsockname()]
            self.assertEqual([one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in ours], [1])

    def borrow(self, pid, number):
        """A descriptor of another process (pidfd_getfd), which only its tracer may have."""
        holder = os.pidfd_open(pid)
        fd = ctypes.CDLL(None, use_errno=True).syscall(438, holder, number, 0)
        os.close(holder)
        if fd < 0:
            self.skipTest(f"others' descriptors can't be had here: {os.strerror(ctypes.get_errno())}")
        one = socket.socket(fileno=fd)
        self.addCleanup(one.close)
        return one

    def peer(self, one):
        try:
            return one.getpeername()
        except OSError:
            return None

    def test_keepalive_watches_over_idle_connections(self):
        made = self.make()
        with made.connect() as connection:
            self.still_usable(connection)
            near = f":{made.port:04X}"
            far = f":{connection.sock.getsockname()[1]:04X}"

            def timer():
                with open("/proc/net/tcp") as file:
                    rows = [line.split() for line in file]
                return [row[5][:2] for row in rows if row[1].endswith(near) and row[2].endswith(far)]
            until(lambda: timer() == ["02"], "a keepalive timer")

    def test_descriptors_are_enough_for_the_connections(self):
        made = self.make(start=False, settings={"workers": {"connections": 3000}})
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            self.addCleanup(made.stop)
            made.start()
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        with open(f"/proc/{made.workers()[0]}/limits") as file:
            found = re.search(r"Max open files\s+(\d+)", file.read())
        self.assertTrue(int(found.group(1)) > 3000 or "descriptors-short" in made.log(), found.group(0))

    def test_descriptors_that_are_not_enough_are_reported(self):
        made = self.make(start=False, settings={"workers": {"connections": 3000}})
        unprivileged = ["setpriv", "--bounding-set", "-sys_resource"] if os.getuid() == 0 else []
        command = made.command
        made.command = lambda *more: ["prlimit", "--nofile=256:1000", *unprivileged, *command(*more)]
        self.addCleanup(made.stop)
        made.start()
        made.wait_log(r"a worker may open 1000 files only; workers.connections = 3000 wants \d+: raise LimitNOFILE \[descriptors-short\]")
        with open(f"/proc/{made.workers()[0]}/limits") as file:
            self.assertRegex(file.read(), r"Max open files +1000 ")
