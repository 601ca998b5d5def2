"""Under a service manager, which the tests play: what it is told, sockets that it passes, its watchdog, and the units."""

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import unittest

import doip
from base import Case
from doip import HOST
from daemon import SERVICE, TREE, free_port, until


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, case, made):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        case.addCleanup(self.socket.close)
        self.socket.bind(made.path("notify"))
        self.heard = []  # (time, {name: value}) of each message
        made.environment["NOTIFY_SOCKET"] = made.path("notify")
        thread = threading.Thread(target=self.listen, daemon=True)
        thread.start()
        case.addCleanup(thread.join)
        case.addCleanup(self.socket.shutdown, socket.SHUT_RD)

    def listen(self):
        while text := self.socket.recv(65536).decode():
            self.heard.append((time.monotonic(), dict(line.split("=", 1) for line in text.splitlines())))

    def wait(self, name, value=None, start=0, seconds=20):
        """Waits for a message (from number `start`) with that name, and where given a value that matches: (its number, it)."""
        def found():
            for number, (_, message) in enumerate(self.heard[start:], start):
                if name in message and (value is None or re.fullmatch(value, message[name])):
                    return number, message
            return None
        return until(found, f"{name}={value} among {[m for _, m in self.heard[start:]]}", seconds)

    def times(self, name):
        return [at for at, message in list(self.heard) if name in message]


def listening(port, host=HOST, v6only=1):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((host, port))
    made.listen(128)
    return made


class ServiceCase(Case):
    def manage(self, **named):
        """A daemon that is not started yet, and its manager."""
        made = self.make(start=False, **named)
        self.addCleanup(made.stop)
        return made, Manager(self, made)

    def passing(self, *sockets, **named):
        made = self.make(start=False, **named)
        self.addCleanup(made.stop)
        for one in sockets:
            self.addCleanup(one.close)
        made.passed = list(sockets)
        return made


class Notify(ServiceCase):
    def test_ready_reloading_and_stopping(self):
        made, manager = self.manage()
        made.start()
        at, message = manager.wait("READY", "1")
        self.assertEqual(message["MAINPID"], str(made.pid))
        before = time.clock_gettime(time.CLOCK_MONOTONIC)
        made.reload()
        at, message = manager.wait("RELOADING", "1", at + 1)
        self.assertAlmostEqual(int(message["MONOTONIC_USEC"]) / 1e6, before, delta=10)
        at, _ = manager.wait("READY", "1", at + 1)
        made.stop()
        _, message = manager.wait("STOPPING", "1", at + 1)
        self.assertGreaterEqual(int(message["EXTEND_TIMEOUT_USEC"]), 10000000 + 5000000)  # timeouts.shutdown, and time to kill

    def test_a_reload_that_is_refused_ends_too(self):
        made, manager = self.manage()
        made.start()
        at, _ = manager.wait("READY", "1")
        for change in ("= =\n", 'handler = { debug = { options = { fail_open = "not now" } } }\n'):
            made.write(open(made.conf).read().replace("handler = ", "#") + change)
            made.send(signal.SIGHUP)
            at, _ = manager.wait("RELOADING", "1", at + 1)
            at, _ = manager.wait("READY", "1", at + 1)
            self.ok(made.request(doip.HELLO))

    def test_the_status_tells_connections_and_rate(self):
        made, manager = self.manage()
        made.start()
        with made.connect() as one, made.connect() as two:
            for _ in range(50):
                self.ok(one.request(doip.HELLO, SERVICE))
            self.ok(two.request(doip.HELLO, SERVICE))
            at, message = manager.wait("STATUS", r"2 connections, [0-9.]+ requests/s")
            self.assertNotIn(" 0.0 ", message["STATUS"])
        manager.wait("STATUS", r"0 connections, .*", at)

    def test_a_start_that_fails_says_why(self):
        made, manager = self.manage(settings={"tls": {"certificate": "/nonexistent/c.pem"}})
        self.start_error(made, "/nonexistent/c.pem")
        manager.wait("STATUS", r".*/nonexistent/c\.pem.*")
        self.assertEqual(manager.times("READY"), [])

    def test_in_the_background_it_names_its_process(self):
        made, manager = self.manage()
        done = subprocess.run(made.command(), env=dict(os.environ, **made.environment), timeout=30, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0)
        pid = int(manager.wait("READY", "1")[1]["MAINPID"])
        self.addCleanup(os.kill, pid, signal.SIGTERM)
        self.ok(made.request(doip.HELLO))


class Passed(ServiceCase):
    """Socket activation."""

    def test_they_take_the_place_of_the_default(self):
        port = free_port()
        made = self.passing(listening(port))
        del made.settings["listen"]
        made.write()
        made.port = port
        made.start()
        attributes = self.ok(made.request(doip.HELLO)).output["attributes"]
        self.assertEqual((attributes["ipAddress"], attributes["port"]), (HOST, port))
        made.reload()
        self.ok(made.request(doip.HELLO))

    def test_one_that_is_configured_and_one_that_is_opened(self):
        made = self.make(start=False)
        self.addCleanup(made.stop)
        more = free_port()
        one = listening(made.port)
        self.addCleanup(one.close)
        made.passed = [one]
        made.change({"listen": [f"{HOST}:{more}", f"{HOST}:{made.port}"]})
        made.start()
        self.ok(doip.request(more, doip.HELLO))
        made.stop()
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection((HOST, more), 5)
        socket.create_connection((HOST, made.port), 5).close()  # it is still open, and connections wait

    def test_ipv6(self):
        made = self.make(start=False)
        self.addCleanup(made.stop)
        try:
            one = listening(made.port, "::1")
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        self.addCleanup(one.close)
        made.passed = [one]
        made.change({"listen": [f"[::1]:{made.port}", f"{HOST}:{made.port}"]})
        made.start()
        with doip.Connection(made.port, host="::1") as connection:
            self.ok(connection.request(doip.HELLO, SERVICE))

    def test_what_can_not_be_taken(self):
        port = free_port()
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        local = socket.socket(socket.AF_UNIX)
        idle = socket.socket()
        both = listening(port, "::", v6only=0)
        for name, one, words in (("UDP", datagram, ["descriptor 3", "ListenStream="]), ("a local one", local, ["ListenStream="]),
                                 ("one that does not listen", idle, ["ListenStream="]), ("IPv4 and IPv6", both, ["BindIPv6Only"])):
            with self.subTest(name):
                self.start_error(self.passing(one), *words)

    def test_one_that_nobody_would_answer(self):
        made = self.passing(listening(free_port()))
        self.start_error(made, "socket for 127.0.0.1:", "listen")

    def test_a_reload_can_not_drop_one(self):
        made = self.make(start=False)
        self.addCleanup(made.stop)
        one = listening(made.port)
        self.addCleanup(one.close)
        made.passed = [one]
        made.start()
        made.change({"listen": [f"{HOST}:{free_port()}"]})
        made.send(signal.SIGHUP)
        made.wait_log(r"reload refused.*passed a socket")
        self.ok(made.request(doip.HELLO))


class Watchdog(ServiceCase):
    seconds = 120

    def watched(self, **named):
        made, manager = self.manage(**named)
        made.environment["WATCHDOG_USEC"] = "4000000"
        made.start()
        manager.wait("READY", "1")
        return made, manager

    def test_it_is_fed_in_time(self):
        made, manager = self.watched()
        time.sleep(5)
        made.reload()
        times = manager.times("WATCHDOG")
        self.assertGreater(len(times), 3)
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 4)

    def test_a_worker_that_hangs_is_replaced(self):
        made, manager = self.watched()
        hung = made.workers()[0]
        os.kill(hung, signal.SIGSTOP)
        made.wait_log(rf"\(pid {hung}\) has not answered for \d+ s: killing it")
        until(lambda: hung not in made.workers() and len(made.workers()) == 2, "another worker: " + made.tail())
        self.ok(made.request(doip.HELLO))
        times = manager.times("WATCHDOG")
        self.assertLess(max(b - a for a, b in zip(times, times[1:])), 4, "the master went on feeding")

    def test_it_is_not_fed_while_no_worker_answers(self):
        made, manager = self.watched()
        with open(os.path.join(made.handlers, "debug.so"), "r+b") as file:  # no worker can start any more
            file.truncate(100)
        for pid in made.workers():
            os.kill(pid, signal.SIGKILL)
        made.wait_log("can't start")
        until(lambda: time.monotonic() - manager.times("WATCHDOG")[-1] > 5, "the master to fall silent", 30)
        made.install("debug")
        until(lambda: len(made.workers()) == 2 and manager.times("WATCHDOG")[-1] > time.monotonic() - 1,
              "the master to be content again: " + made.tail(), 60)

    def test_long_requests_are_no_silence(self):
        made, _ = self.watched(settings={"workers": {"processes": 1, "threads": 2}})
        workers = made.workers()
        with made.connect() as one, made.connect() as two:
            for connection in (one, two):
                connection.send(doip.message("20.DOIP/Debug.Sleep", SERVICE, id="x", attributes={"ms": 6000}))
            self.ok(one.response())
        self.assertEqual(made.workers(), workers)


class Credentials(ServiceCase):
    def test_the_key_is_a_credential(self):
        made = self.make(start=False)
        self.addCleanup(made.stop)
        os.mkdir(made.path("credentials"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=mine", "-keyout", made.path("credentials/key.pem"), "-out", made.path("c.pem")],
                       check=True, capture_output=True)
        made.change({"tls": {"certificate": made.path("c.pem"), "key": "credential:key.pem"}})
        self.start_error(made, "/run/credentials/doipd.service/key.pem")
        made.environment["CREDENTIALS_DIRECTORY"] = made.path("credentials")
        made.start()
        self.ok(made.request(doip.HELLO))

    def test_a_name_that_leads_elsewhere(self):
        for name in ("credential:", "credential:../key.pem", "credential:a/b"):
            with self.subTest(name):
                made = self.make(start=False, settings={"tls": {"key": name}})
                self.start_error(made, "doipd.conf:", "tls.key", "LoadCredential=")


@unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
class Units(Case):
    def units(self):
        """The units, with programs that are there: systemd-analyze looks for them."""
        made = self.make(start=False)
        for name in ("doipd.service", "doipd.socket"):
            with open(os.path.join(TREE, "systemd", name)) as file:
                text = file.read().replace("/usr/sbin/doipd", shutil.which("true"))
            with open(made.path(name), "w") as file:
                file.write(text)
        return made

    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, timeout=60)

    def test_they_are_sound(self):
        made = self.units()
        done = self.analyze("verify", "--man=no", made.path("doipd.service"), made.path("doipd.socket"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_service_is_locked_up(self):
        made = self.units()
        done = self.analyze("security", "--offline=true", "--threshold=19", made.path("doipd.service"))
        self.assertEqual(done.returncode, 0, done.stdout[-3000:] + done.stderr)

    def test_tmpfiles_and_sysusers(self):
        for tool, name in (("systemd-sysusers", "doipd.sysusers"), ("systemd-tmpfiles", "doipd.tmpfiles")):
            if shutil.which(tool):
                done = subprocess.run([tool, "--cat-config", os.path.join(TREE, "systemd", name)], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
