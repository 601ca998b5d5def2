"""Reload: new generations under load, and what can't be loaded changes nothing."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import doip
from base import Case, certificate_text, debug_request
from daemon import SERVICE, free_port, until

ECHO = "20.DOIP/Debug.Echo"


class Load:
    """Constant load: kept-alive connections, new ones, and uploads; every failure is kept."""

    def __init__(self, made):
        self.made, self.stop, self.failures, self.count = made, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, args=(work,)) for work in (self.kept, self.kept, self.fresh, self.upload)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()

    def run(self, work):
        try:
            work()
        except Exception as error:
            self.failures.append(f"{work.__name__}: {error!r}")

    def check(self, response):
        if not response.ok:
            self.failures.append(repr(response))
        self.count += 1

    def kept(self):
        """One connection, asking every 50 ms: never quiet for 2 seconds. It may be closed only when its service ends."""
        with self.made.connect() as connection:
            while not self.stop.is_set():
                self.check(connection.request(ECHO, SERVICE, input="kept"))
                time.sleep(0.05)

    def fresh(self):
        while not self.stop.is_set():
            self.check(self.made.request(doip.HELLO, SERVICE))

    def upload(self):
        data = os.urandom(100000)
        while not self.stop.is_set():
            self.check(self.made.request("20.DOIP/Debug.Discard", SERVICE, [data]))


class Reload(Case):
    seconds = 120

    def test_without_a_lost_request(self):
        made = self.make(settings={"timeouts": {"shutdown": 60}})
        with Load(made) as load:
            for round_number in range(3):
                before = made.workers()
                made.change({"service": {"name": f"round {round_number}"}})
                made.send(signal.SIGHUP)
                until(lambda: set(made.workers()) - set(before), "new workers: " + made.tail())
                until(lambda: made.request(doip.HELLO).output["attributes"]["serviceName"] == f"round {round_number}",
                      "the new configuration to be served")
                time.sleep(0.5)
            self.assertGreater(load.count, 50)
        self.assertEqual(load.failures, [])

    def test_several_signals_at_once(self):
        made = self.make()
        with Load(made) as load:
            for _ in range(20):
                made.send(signal.SIGHUP)
            until(lambda: self.request_ok(made), "an answer")
            time.sleep(1)
        self.assertEqual(load.failures, [])
        until(lambda: len(made.workers()) == 2, f"two workers: {made.workers()} {made.tail()}", 40)

    def request_ok(self, made):
        return made.request(doip.HELLO).ok

    def test_a_kept_connection_is_served_until_it_is_quiet(self):
        made = self.make(settings={"timeouts": {"shutdown": 120}})
        old = made.workers()
        with made.connect() as connection:
            self.ok(connection.request(doip.HELLO, SERVICE))
            pid = connection.request("20.DOIP/Debug.Pid", SERVICE).output
            made.send(signal.SIGHUP)
            until(lambda: set(made.workers()) - set(old), "new workers: " + made.tail())
            for _ in range(12):
                self.assertEqual(connection.request("20.DOIP/Debug.Pid", SERVICE).output, pid)
                time.sleep(0.3)
            self.assertTrue(connection.at_end(), "a quiet connection is closed in good order")
        made.wait_retired(old)
        self.assertNotIn(self.ok(made.debug("Pid")).output, old)

    def test_a_connection_that_is_never_quiet_ends_between_two_requests(self):
        made = self.make(settings={"timeouts": {"shutdown": 3}})
        old = made.workers()
        with made.connect() as connection:
            made.send(signal.SIGHUP)
            until(lambda: set(made.workers()) - set(old), "new workers: " + made.tail())
            answered = 0
            while True:
                try:
                    connection.send(debug_request("Sleep", ms=20))
                    connection.response()
                    answered += 1
                except doip.Broken as broken:
                    self.assertTrue(broken.clean, f"after {answered} answers: {broken}")
                    break
                except OSError:
                    break  # the end was there already when the next request was to be written
            self.assertGreater(answered, 20)
        made.wait_retired(old)

    def test_a_long_request_is_completed_by_the_old_generation(self):
        made = self.make(settings={"timeouts": {"shutdown": 60}})
        old = made.workers()
        with made.connect() as connection:
            connection.send(debug_request("Sleep", ms=4000))
            time.sleep(0.3)
            made.send(signal.SIGHUP)
            until(lambda: set(made.workers()) - set(old), "new workers")
            self.assertIn(self.ok(connection.response()).output["pid"], old)
        made.wait_retired(old)

    def test_a_bad_configuration_changes_nothing_and_says_why(self):
        made = self.make()
        good = made.settings
        with open(made.conf) as file:
            text = file.read()
        garbage = made.path("garbage.pem")
        with open(garbage, "w") as file:
            file.write("no certificate")
        for name, change, words in (
                ("bad syntax", "= =\n", ["doipd.conf:"]), ("an unknown key", "colour = 1\n", ["colour", "doipd.conf:"]),
                ("a failing open", 'handler = { debug = { options = { fail_open = "not now" } } }\n', ["not now"]),
                ("a crashing open", "handler = { debug = { options = { crash_open = true } } }\n", ["debug"]),
                ("a missing certificate", f'tls = {{ certificate = "{garbage}" key = "{garbage}" }}\n', ["garbage.pem"]),
                ("a missing handler", "handler = { absent = { } }\n", ["absent"]),
                ("another state of the handlers directory", 'handlers_directory = "/nonexistent/h"\n', ["/nonexistent/h"])):
            with self.subTest(name):
                workers, start = made.workers(), len(made.log())
                kept = re.sub(r"(?m)^handler = .*\n", "", text) if change.startswith("handler =") else text
                if change.startswith("handlers_directory"):
                    kept = re.sub(r"(?m)^handlers_directory = .*\n", "", text)
                made.write(kept + change)
                made.send(signal.SIGHUP)
                for word in words:
                    made.wait_log(re.escape(word), start=start)
                self.ok(made.request(doip.HELLO))
                until(lambda: made.workers() == workers, f"the old workers to stay: {workers} {made.workers()}\n{made.tail()}")
        made.settings = good
        made.write()
        made.reload()
        self.ok(made.request(doip.HELLO))

    def test_a_bad_handler_file_changes_nothing(self):
        made = self.make()
        workers, start = made.workers(), len(made.log())
        made.install("badabi")
        made.send(signal.SIGHUP)
        made.wait_log("badabi", start=start)
        until(lambda: made.workers() == workers, "the old workers to stay: " + made.tail())
        os.unlink(os.path.join(made.handlers, "badabi.so"))
        made.reload()

    def test_a_changed_number_of_workers(self):
        made = self.make()
        made.change({"workers": {"processes": 4}})
        made.reload()
        until(lambda: len(made.workers()) == 4, "four workers: " + made.tail())
        made.change({"workers": {"processes": 1}})
        made.reload()
        until(lambda: len(made.workers()) == 1, "one worker: " + made.tail())
        self.ok(made.request(doip.HELLO))

    def test_a_changed_listen_address(self):
        made = self.make()
        old, new = made.port, free_port()
        made.change({"listen": [f"{doip.HOST}:{new}"]})
        made.send(signal.SIGHUP)
        made.port = new
        made.wait_ready()

        def gone():
            try:
                socket.create_connection((doip.HOST, old), 5).close()
                return False
            except OSError:
                return True
        until(gone, "the old address to be let go")

    def test_a_replaced_certificate(self):
        made = self.make()
        first = certificate_text(made, "-fingerprint")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/CN=mine", "-keyout", made.path("k.pem"), "-out", made.path("c.pem")], check=True, capture_output=True)
        made.change({"tls": {"certificate": made.path("c.pem"), "key": made.path("k.pem")}})
        made.reload()
        self.assertNotEqual(certificate_text(made, "-fingerprint"), first)
        self.assertIn("mine", certificate_text(made, "-subject"))
