"""doipctl and the control socket of a real daemon: every command, what is refused, hostile peers, and metrics that add up."""

import contextlib
import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import unittest

import doip
from base import Case, SharedCase, debug_request
from daemon import BUILD, SERVICE, until

DOIPCTL = os.path.join(BUILD, "doipctl")
ROOT_ONLY = unittest.skipUnless(os.geteuid() == 0, "only root can ask as others")
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
SAMPLE = re.compile(rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({LABEL}(?:,{LABEL})*)\}})? (-?[0-9.e+-]+|\+Inf|NaN)")
ONE_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')


def doipctl(made, *arguments, status=0, socket_path=None, **more):
    where = ["-s", socket_path] if socket_path else ["-c", made.conf]
    try:
        done = subprocess.run([DOIPCTL, *where, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=80, **more)
    except PermissionError as error:  # of a build below /root, say
        raise unittest.SkipTest(f"other users can't run what was built here: {error}") from None
    if done.returncode != status:
        raise AssertionError(f"doipctl {arguments}: status {done.returncode}\n{done.stdout}\n{done.stderr}\n{made.tail()}")
    return done


def report(made, command):
    return json.loads(doipctl(made, "-j", command).stdout)


def parsed(text):
    """{(name, label, …): number} of an exposition; checks that it is a valid one."""
    samples, types, current = {}, {}, None
    if not text.endswith("\n"):
        raise AssertionError("the last line has no end")
    for line in text.splitlines():
        if line.startswith("# HELP "):
            current = line.split(" ")[2]
            if current in types:
                raise AssertionError(f"{current} comes twice")
            types[current] = None
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name != current or kind not in ("counter", "gauge", "histogram"):
                raise AssertionError(line)
            types[name] = kind
        else:
            match = SAMPLE.fullmatch(line)
            if not match:
                raise AssertionError(f"no sample: {line!r}")
            name = match[1]
            family = re.sub(r"_(bucket|sum|count)$", "", name) if types[current] == "histogram" else name
            if family != current or types[current] is None:
                raise AssertionError(f"{line!r} stands in the family {current}")
            labels = tuple(sorted(ONE_LABEL.findall(match[2] or "")))
            if (name, *labels) in samples:
                raise AssertionError(f"{line!r} comes twice")
            samples[(name, *labels)] = float(match[3])
    return samples


def metrics(made):
    return parsed(doipctl(made, "metrics").stdout)


def requests(samples, operation=None, status=None):
    return sum(number for (name, *labels), number in samples.items() if name == "doipd_requests_total"
               and (operation is None or ("operation", operation) in labels) and (status is None or ("status", status) in labels))


def control_path(made):
    return os.path.join(made.state, "control/socket")


class Asked(SharedCase):
    """What a daemon tells, with nothing changed by it."""

    def ask(self, command):
        return report(self.daemon, command)

    def test_status(self):
        status = self.ask("status")
        self.assertEqual((status["pid"], status["service"], status["state"], status["generation"]), (self.daemon.pid, SERVICE, "serving", 1))
        self.assertEqual(status["listen"], [f"{doip.HOST}:{self.port}"])
        self.assertEqual(status["workers"], {"serving": 2, "starting": 0, "retiring": 0, "died": 0})
        self.assertGreater(status["certificate"]["days_left"], 3000)
        self.assertRegex(status["started"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        text = doipctl(self.daemon, "status").stdout
        for line in (f"service +{SERVICE}, test", "state +serving", f"pid +{self.daemon.pid}", f"listening +{doip.HOST}:{self.port}",
                     r"certificate +\d+ days left", r"requests +\d+, [0-9.]+ per second", "log level +info"):
            self.assertRegex(text, rf"(?m)^{line}")

    def test_the_version_is_that_of_the_programs(self):
        version = subprocess.run([DOIPCTL, "-V"], capture_output=True, text=True, timeout=20).stdout.split()[1]
        self.assertEqual(self.ask("status")["version"], version)

    def test_connections(self):
        with self.connect() as idle, self.connect() as busy, self.connect() as reading, \
                socket.create_connection((doip.HOST, self.port)) as silent:
            self.ok(idle.request(doip.HELLO, SERVICE))
            self.ok(idle.request(doip.HELLO, SERVICE))
            busy.send(debug_request("Sleep", ms=3000))
            reading.send(b'{"operationId":')
            names = [f"{doip.HOST}:{c.getsockname()[1]}" for c in (idle.sock, busy.sock, reading.sock, silent)]

            def seen():
                found = {c["address"]: c for c in self.ask("connections")["connections"] if c["address"] in names}
                return found if [found.get(n, {}).get("state") for n in names] == ["idle", "running", "reading", "handshake"] else None
            found = until(seen, f"the connections in their states: {self.ask('connections')}")
            one = found[names[0]]
            self.assertEqual((one["requests"], one["client"]), (2, None))
            self.assertGreater(one["bytes_in"], 100)
            self.assertGreater(one["bytes_out"], 500)
            self.assertIn(one["pid"], self.daemon.workers())
            states = self.ask("status")["connections"]
            self.assertGreaterEqual(states["running"], 1)
            self.assertEqual(states["open"], sum(n for name, n in states.items() if name != "open"))
            longest = [w["longest"] for w in self.ask("workers")["workers"] if w["longest"]]
            self.assertEqual([(w["handler"], w["operation"]) for w in longest], [("debug", "20.DOIP/Debug.Sleep")])
            table = doipctl(self.daemon, "connections").stdout
            self.assertRegex(table, rf"(?m)^{names[1]} +- +running +\d+s ")
            self.assertRegex(doipctl(self.daemon, "workers").stdout, r"(?m) 1  \d+s: debug 20\.DOIP/Debug\.Sleep 35\.TEST/DOIP$")
            self.ok(busy.response())
        until(lambda: not {c["address"] for c in self.ask("connections")["connections"]} & set(names), "them to be gone")

    def test_workers(self):
        before = sum(w["requests"] for w in self.ask("workers")["workers"])
        for _ in range(5):
            self.ok(self.request(doip.HELLO))
        workers = self.ask("workers")["workers"]
        self.assertEqual(sorted(w["pid"] for w in workers), self.daemon.workers())
        self.assertEqual(sum(w["requests"] for w in workers), before + 5)
        for worker in workers:
            self.assertEqual((worker["state"], worker["generation"]), ("serving", 1))
            self.assertGreater(worker["memory"], 1000000)

    def test_handlers(self):
        def calls(name):
            return next(h for h in self.ask("handlers")["handlers"] if h["handler"] == name)["calls"]
        self.assertEqual([h["handler"] for h in self.ask("handlers")["handlers"]], ["store", "debug"])
        before = calls("store")
        self.ok(self.request(doip.CREATE, SERVICE, [{"type": "T"}]))
        self.status(self.request(doip.RETRIEVE, "no/such"), doip.UNKNOWN)
        after = calls("store")
        self.assertEqual({name: after[name] - before[name] for name in after}, {"ok": 1, "declined": 0, "error": 1})
        self.assertRegex(doipctl(self.daemon, "handlers").stdout, r"(?m)^store +\S+ +many +\d+ +\d+ +\d+ +[0-9.]+ +\* +\*$")

    def test_failed_handshakes_are_told_apart(self):
        def handshakes(result):
            return metrics(self.daemon)["doipd_handshakes_total", ("result", result)]
        full, refused, closed, resumed = (handshakes(r) for r in ("full", "refused", "closed", "resumed"))
        with socket.create_connection((doip.HOST, self.port)) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while plain.recv(4096):
                pass
        until(lambda: handshakes("refused") == refused + 1, "a refused handshake")
        socket.create_connection((doip.HOST, self.port)).close()
        until(lambda: handshakes("closed") == closed + 1, "a handshake that was closed")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        session = None
        for _ in range(2):
            with context.wrap_socket(socket.create_connection((doip.HOST, self.port)), session=session) as tls:
                session = tls.session
        until(lambda: handshakes("resumed") == resumed + 1, "a resumed handshake")
        self.assertEqual(handshakes("full"), full + 1)

    def test_usage(self):
        for arguments in ((), ("frob",), ("status", "x"), ("log-level",), ("-x", "status"), ("-s",)):
            with self.subTest(arguments):
                done = subprocess.run([DOIPCTL, *arguments], capture_output=True, text=True, timeout=20)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertRegex(done.stderr, r"\Adoipctl: .+\n\Z")
        self.assertIn("usage:", subprocess.run([DOIPCTL, "-h"], capture_output=True, text=True, timeout=20).stdout)
        self.assertIn("must be error, warning", doipctl(self.daemon, "log-level", "loud", status=1).stderr)

    def test_no_service(self):
        for path in (self.daemon.path("nothing"), self.daemon.path("no/directory"), self.daemon.conf, "/" + "x" * 300):
            with self.subTest(path):
                self.assertRegex(doipctl(self.daemon, "status", socket_path=path, status=3).stderr, r"\Adoipctl: .+: .+\n\Z")
        done = subprocess.run([DOIPCTL, "-c", self.daemon.path("nothing"), "status"], capture_output=True, text=True, timeout=20)
        self.assertEqual(done.returncode, 3, done.stderr)

    def test_what_an_impostor_says(self):
        """Nothing that a socket says reaches the terminal as a control character, nor ends doipctl by a signal."""
        path = self.daemon.path("impostor")
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path)
            server.listen()
            said = [b"", b"ok", b"what\n", b"error\n\x1b[31mred", b"ok\n{", b"ok\n[]", b'ok\n{"service": "\\u001b[31m", "listen": [1]}', b"ok\n\xff",
                    b"ok\n" + b" " * (65 << 20)]  # more than is read

            def serve():
                for text in said:
                    with server.accept()[0] as peer:
                        peer.recv(100)
                        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                            peer.sendall(text)
            thread = threading.Thread(target=serve)
            thread.start()
            for _ in said:
                done = subprocess.run([DOIPCTL, "-s", path, "status"], capture_output=True, timeout=20)
                self.assertIn(done.returncode, (0, 1, 3), done)
                self.assertNotIn(b"\x1b", done.stdout + done.stderr)
            thread.join()

    def test_hostile_peers(self):
        """Garbage, silence, half lines and more peers than there are places do not hold the service up."""
        chance, held = random.Random(7), []
        for _ in range(40):
            peer = socket.socket(socket.AF_UNIX)
            self.addCleanup(peer.close)
            peer.setblocking(False)
            try:
                peer.connect(control_path(self.daemon))
                peer.send(chance.randbytes(chance.randrange(1, 400)).replace(b"\n", b"") if chance.random() < 0.7 else b"metrics\n" * 20)
            except BlockingIOError:
                pass
            held.append(peer)
        begun = time.monotonic()
        for _ in range(50):
            self.ok(self.request(doip.HELLO))
        self.assertLess(time.monotonic() - begun, 5 * float(os.environ.get("DOIPD_TEST_SLOWNESS", "1")))
        self.assertEqual(self.ask("status")["state"], "serving")  # waits for a place, 15 s at most

    @ROOT_ONLY
    def test_others_are_refused(self):
        path = control_path(self.daemon)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertIn("Permission denied", doipctl(self.daemon, "stop", user=65534, group=65534, extra_groups=[],
                                                   socket_path=path, status=3).stderr)
        os.chmod(path, 0o666)  # the kernel lets them in: the master does not
        try:
            for command in ("status", "stop"):
                said = doipctl(self.daemon, command, user=65534, group=65534, extra_groups=[0], socket_path=path, status=1).stderr
                self.assertIn("only root", said)
        finally:
            os.chmod(path, 0o600)
        self.assertEqual(self.ask("status")["state"], "serving")


class Commanded(Case):
    seconds = 120

    def test_reload_tells_the_outcome(self):
        made = self.make()
        workers = made.workers()
        self.assertRegex(doipctl(made, "reload").stdout, r"^reloaded: generation 2 serves with 2 workers\n$")
        self.assertEqual(report(made, "status")["generation"], 2)
        made.wait_retired(workers)
        good = dict(made.settings)
        for settings, words in (({"workers": {"threads": "many"}}, r"doipd\.conf:\d+: workers\.threads: must be a whole number"),
                                ({"tls": {"certificate": "/no/such"}}, "can't read /no/such"),
                                ({"handler": {"missing": {"enabled": True}}}, "there is no file"),
                                ({"control": {"group": "no-such-group"}}, 'there is no group "no-such-group"')):
            with self.subTest(words):
                made.change(settings)
                said = doipctl(made, "reload", socket_path=control_path(made), status=1).stderr
                self.assertRegex(said, r"\Adoipctl: .+\n\Z")
                self.assertRegex(said, words)
                made.settings = dict(good)
                made.write()
                self.ok(made.request(doip.HELLO))
        doipctl(made, "reload")
        samples = metrics(made)
        self.assertEqual((samples["doipd_reloads_total", ("result", "done")], samples["doipd_reloads_total", ("result", "refused")]), (2, 4))

    def test_several_reloads_at_once(self):
        made = self.make()
        running = [subprocess.Popen([DOIPCTL, "-c", made.conf, "reload"], stdout=subprocess.PIPE, text=True) for _ in range(6)]
        for process in running:
            self.assertRegex(process.communicate(timeout=60)[0], r"^reloaded: generation \d+ serves")
            self.assertEqual(process.returncode, 0)
        self.assertLessEqual(metrics(made)["doipd_reloads_total", ("result", "done")], 6)

    def test_stop_waits_for_the_end(self):
        made = self.make()
        with made.connect() as connection:
            connection.send(debug_request("Sleep", ms=1500))
            until(lambda: report(made, "status")["connections"]["running"] == 1, "a request in a handler")
            begun = time.monotonic()
            stopping = subprocess.Popen([DOIPCTL, "-c", made.conf, "stop"], stdout=subprocess.PIPE, text=True)
            until(lambda: report(made, "status")["state"] == "stopping", "a service that stops, and tells")
            self.assertIn("the service is stopping", doipctl(made, "reload", status=1).stderr)
            self.ok(connection.response())
        self.assertEqual(stopping.communicate(timeout=60)[0], "stopped\n")
        self.assertGreater(time.monotonic() - begun, 1)
        self.assertEqual(made.process.wait(5), 0)
        self.assertFalse(os.path.exists(control_path(made)))

    def test_log_level_at_once_in_all_workers(self):
        made = self.make()
        everyone = [made.connect() for _ in range(12)]
        for connection in everyone:
            self.addCleanup(connection.close)

        def logged():
            start = len(made.log())
            for connection in everyone:
                self.ok(connection.request(doip.HELLO, SERVICE))
            time.sleep(0.2)
            return len(re.findall("access ", made.log()[start:]))
        self.assertEqual(logged(), 12)
        self.assertIn("warning", doipctl(made, "log-level", "warning").stdout)
        self.assertEqual(report(made, "status")["log_level"], "warning")
        until(lambda: logged() == 0, "silence")
        old = made.workers()
        os.kill(old[0], signal.SIGKILL)  # the next one is as quiet
        until(lambda: len(made.workers()) == 2 and old[0] not in made.workers(), "another worker")
        start = len(made.log())
        for _ in range(10):
            self.ok(made.request(doip.HELLO))
        self.assertNotIn("access ", made.log()[start:])
        doipctl(made, "log-level", "debug")
        doipctl(made, "reload")
        made.wait_log("draining: the master says so", start=start)  # the old workers' debug
        self.assertEqual(report(made, "status")["log_level"], "info")

    def test_the_socket_moves_with_a_reload(self):
        made = self.make()
        other = made.path("elsewhere/ctl")
        made.change({"control": {"socket": other}})
        doipctl(made, "reload", socket_path=control_path(made))
        self.assertEqual(report(made, "status")["generation"], 2)
        self.assertTrue(os.path.exists(other))
        self.assertFalse(os.path.exists(control_path(made)))

    def test_a_place_where_no_socket_can_be(self):
        made = self.make(start=False)
        os.mkdir(made.path("open"))
        os.chmod(made.path("open"), 0o777)
        made.change({"control": {"socket": made.path("open/ctl")}})
        self.addCleanup(made.stop)
        made.start()
        made.wait_log(r"warning: doipctl can't reach this service: control.socket: .*nobody else may write it")
        self.assertEqual(os.listdir(made.path("open")), [])

    @ROOT_ONLY
    def test_a_group_may_ask(self):
        made = self.make(settings={"control": {"group": "nogroup"}})
        path = control_path(made)
        self.assertEqual((os.stat(path).st_mode & 0o777, os.stat(path).st_gid), (0o660, 65534))
        for groups in ({"group": 65534, "extra_groups": []}, {"group": 12345, "extra_groups": [65534]}):
            self.assertEqual(json.loads(doipctl(made, "-j", "status", user=12345, socket_path=path, **groups).stdout)["pid"], made.pid)
        doipctl(made, "status", user=12345, group=12345, extra_groups=[], socket_path=path, status=3)

    @ROOT_ONLY
    def test_workers_of_another_user_may_not(self):
        made = self.make(settings={"user": "nobody"})
        path = control_path(made)
        self.assertEqual(os.stat(os.path.dirname(path)).st_uid, 0)
        doipctl(made, "status", user=65534, group=65534, extra_groups=[], socket_path=path, status=3)
        self.assertEqual(report(made, "status")["workers"]["serving"], 2)
        # One that others put in its place is not believed: its server is neither root nor the configured user nor whoever asks.
        os.rename(os.path.dirname(path), os.path.dirname(path) + ".old")
        os.mkdir(os.path.dirname(path))
        os.chown(os.path.dirname(path), 12345, 12345)
        code = f"import os, socket\nos.setuid(12345)\ns = socket.socket(socket.AF_UNIX)\ns.bind({path!r})\ns.listen()\nprint('up', flush=True)\ns.accept()[0].recv(9)"
        with subprocess.Popen(["python3", "-c", code], stdout=subprocess.PIPE, text=True) as impostor:
            impostor.stdout.readline()
            self.assertIn("served by neither root nor the configured user nor you", doipctl(made, "status", status=3).stderr)
            impostor.kill()


class Counted(Case):
    """The sums are what was sent, over workers that are killed and generations that come and go."""

    seconds = 150

    def test_sums_over_workers_kills_and_reloads(self):
        made = self.make(settings={"workers": {"processes": 3}})
        sent, lock = {}, threading.Lock()

        def client(number):
            for i in range(40):
                operation, target = ((doip.HELLO, SERVICE), (doip.RETRIEVE, "no/such"), ("20.DOIP/Debug.Echo", SERVICE))[(i + number) % 3]
                response = made.request(operation, target)
                name = operation if operation.startswith("0.DOIP") else "extended"
                with lock:
                    sent[name, response.status] = sent.get((name, response.status), 0) + 1

        def crowd():
            threads = [threading.Thread(target=client, args=(number,)) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        base = requests(metrics(made))
        crowd()
        for worker in made.workers():
            os.kill(worker, signal.SIGKILL)
        until(lambda: report(made, "status")["workers"] == {"serving": 3, "starting": 0, "retiring": 0, "died": 3}, "other workers")
        crowd()
        doipctl(made, "reload")
        crowd()
        samples = metrics(made)
        base_hellos = base
        self.assertEqual(sum(sent.values()), 480)
        for (operation, status), number in sent.items():
            more = base_hellos if operation == doip.HELLO else 0
            self.assertEqual(requests(samples, operation, status), number + more, (operation, status))
        self.assertEqual(requests(samples), 480 + base)
        self.assertEqual(samples["doipd_worker_deaths_total", ("cause", "signal")], 3)
        self.assertEqual(samples["doipd_worker_starts_total",], 9)
        self.assertEqual(samples["doipd_generation",], 2)
        for family in ("doipd_request_duration_seconds", "doipd_request_size_bytes", "doipd_response_size_bytes"):
            for operation in {name for name, _ in sent}:
                self.histogram(samples, family, operation, requests(samples, operation))
        self.assertEqual(sum(n for (name, *labels), n in samples.items() if name == "doipd_handler_calls_total"
                             and ("handler", "debug") in labels and ("result", "ok") in labels), sent["extended", doip.OK])

    def histogram(self, samples, family, operation, count):
        """Its buckets grow up to the count."""
        buckets = [(float(dict(labels)["le"].replace("+Inf", "inf")), n) for (name, *labels), n in samples.items()
                   if name == family + "_bucket" and ("operation", operation) in labels]
        self.assertEqual(len(buckets), 18)
        self.assertEqual([n for _, n in sorted(buckets)], sorted(n for _, n in buckets))
        self.assertEqual(max(buckets), (float("inf"), count))
        self.assertEqual(samples[family + "_count", ("operation", operation)], count)
        self.assertGreater(samples[family + "_sum", ("operation", operation)], 0)

    def test_causes(self):
        made = self.make(settings={"timeouts": {"handshake": 1, "read": 1, "idle": 1}})

        def closed(cause):
            return metrics(made)["doipd_connections_closed_total", ("cause", cause)]
        silent = socket.create_connection((doip.HOST, made.port))
        half, idle, cut = made.connect(), made.connect(), made.connect()
        for connection in (silent, half, idle, cut):
            self.addCleanup(connection.close)
        half.send(b'{"operationId":')
        cut.send(b'{"operationId":')
        cut.close()
        self.ok(idle.request(doip.HELLO, SERVICE))
        with made.connect() as broken:
            broken.send(b"@\nx\n")
            self.status(broken.response(), doip.INVALID)
        for cause in ("handshake", "request_timeout", "request_broken", "idle"):
            until(lambda: closed(cause) >= 1, f"one that is closed because of {cause}: {doipctl(made, 'metrics').stdout}")
        samples = metrics(made)
        self.assertEqual(samples["doipd_handshakes_total", ("result", "timeout")], 1)
        self.assertEqual(requests(samples, "none", doip.INVALID), 2)  # the one that was too slow, too
        until(lambda: report(made, "status")["connections"]["open"] == 0, "all connections gone")
        samples = metrics(made)
        self.assertEqual(samples["doipd_connections_total",], sum(n for (name, *_), n in samples.items() if name == "doipd_connections_closed_total"))


NAMESPACE = unittest.skipUnless(
    os.geteuid() == 0 and subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "none", "/run"], stderr=subprocess.DEVNULL).returncode == 0,
    "no mount namespace can be made here")


class Log(Case):
    def test_each_request_is_an_object_with_all_its_fields(self):
        made = self.make(settings={"log": {"format": "json"}})
        with made.connect() as connection:
            self.ok(connection.request(doip.HELLO, SERVICE))
            self.status(connection.request(doip.RETRIEVE, 'no/"such"'), doip.UNKNOWN)
            name = f"{doip.HOST}:{connection.sock.getsockname()[1]}"
        made.wait_log("Op.Retrieve")
        lines = [json.loads(line) for line in made.log().splitlines()]
        first, second = [line for line in lines if line["kind"] == "access" and line["peer"] == name]
        self.assertEqual(set(first), {"time", "level", "process", "pid", "kind", "message", "peer", "client", "actor", "operation", "target", "status",
                                      "reason", "tls", "bytes_in", "bytes_out", "number", "microseconds"})
        self.assertEqual((first["operation"], first["status"], first["number"], first["tls"]), (doip.HELLO, doip.OK, 1, "TLSv1.3"))
        self.assertEqual((second["target"], second["status"], second["number"]), ('no/"such"', doip.UNKNOWN, 2))
        self.assertIn("There is no object", second["reason"])
        for name in ("bytes_in", "bytes_out", "microseconds"):
            self.assertGreater(first[name], 0)
        self.assertIn("serving", [line["kind"] for line in lines])

    def test_kinds_in_text(self):
        made = self.make()
        os.kill(made.workers()[0], signal.SIGKILL)
        made.wait_log(r"(?m) error: worker \d \(pid \d+\) was killed by signal 9 .*\[worker-died\]$")

    @NAMESPACE
    def test_the_journal_gets_fields(self):
        """stderr is the journal's, as JOURNAL_STREAM says, and its socket lies where the system's would."""
        made = self.make(start=False, settings={"user": "nobody"})
        folder = made.path("journal")
        os.mkdir(folder)
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        journal.bind(os.path.join(folder, "socket"))
        os.chmod(os.path.join(folder, "socket"), 0o666)
        journal.settimeout(20)
        open(made.log_path, "w").close()
        status = os.stat(made.log_path)
        plain = made.command
        script = (f"mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount --bind {folder} /run/systemd/journal && "
                  f"JOURNAL_STREAM={status.st_dev}:{status.st_ino} exec \"$@\"")
        made.command = lambda *more: ["unshare", "-m", "sh", "-c", script, "sh", *plain(*more)]
        self.addCleanup(made.stop)
        made.start()
        seen = []

        def next_of(kind):
            while True:
                entry = dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines())
                seen.append(entry)
                if entry["DOIPD_KIND"] == kind:
                    return entry
        self.assertEqual(next_of("serving")["PRIORITY"], "5")
        self.status(made.request(doip.RETRIEVE, "no/such"), doip.UNKNOWN)
        while (entry := next_of("access"))["DOIPD_OPERATION"] != doip.RETRIEVE:
            pass
        self.assertEqual((entry["DOIPD_STATUS"], entry["DOIPD_TARGET"], entry["DOIPD_NUMBER"], entry["SYSLOG_IDENTIFIER"]),
                         (doip.UNKNOWN, "no/such", "1", "doipd"))
        os.kill(made.workers()[0], signal.SIGKILL)
        entry = next_of("worker-died")
        self.assertEqual((entry["PRIORITY"], entry["DOIPD_PROCESS"]), ("3", "master"))
        self.assertRegex(entry["MESSAGE"], r"^master: worker \d \(pid \d+\) was killed by signal 9")
        self.assertRegex(entry["MESSAGE_ID"], "^[0-9a-f]{32}$")
        self.assertEqual(made.log(), "", "nothing goes to stderr beside it")
