"""Master and workers among themselves: handlers that overrun, drains, what an orphan leaves free, whom the workers run as, what -t touches."""

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import time
import unittest

import doip
from base import Case, debug_request
from daemon import DOIPD, SERVICE, alive, die_with_parent, free_port, process_stat, until

ROOT_ONLY = unittest.skipUnless(os.geteuid() == 0, "only root starts workers as another user")


def refuses(port):
    """True when nobody listens there."""
    try:
        socket.create_connection((doip.HOST, port), 5).close()
        return False
    except ConnectionRefusedError:
        return True


class Overrun(Case):
    """timeouts.handler: the worker says what ran too long, is replaced at once, and serves what else it has until it ends."""

    def hang(self, made, target="35.TEST/slow"):
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(debug_request("Hang", target=target))
        return connection

    def test_a_worker_whose_handler_overruns_is_replaced(self):
        made = self.make(settings={"workers": {"processes": 1}, "timeouts": {"handler": 1, "shutdown": 6}})
        old, start = made.workers(), len(made.log())
        other = made.connect()
        self.addCleanup(other.close)
        self.assertIn(self.ok(other.request("20.DOIP/Debug.Pid", SERVICE)).output, old)
        self.hang(made)
        until(lambda: self.ok(other.request("20.DOIP/Debug.Pid", SERVICE)) and "timeouts.handler" in made.log()[start:],
              "the log to say so: " + made.tail(), pause=0.2)
        said = made.wait_log(r"(?m)^.*error: .*timeouts\.handler.*$", start=start).group()
        for word in ("handler debug", "20.DOIP/Debug.Hang", "35.TEST/slow"):
            self.assertIn(word, said)
        new = until(lambda: set(made.workers()) - set(old), "a new worker: " + made.tail(), 3)
        self.assertIn(self.ok(other.request("20.DOIP/Debug.Pid", SERVICE)).output, old, "the other connection is served on")
        self.assertIn(until(lambda: self.answered(made), "the new worker to answer", 3), new)
        self.assertTrue(alive(old[0]), "the old worker must have until timeouts.shutdown")
        made.wait_retired(old, 12)
        self.assertEqual(set(made.workers()), new)
        made.stop()
        self.assertEqual(re.findall(r"was killed|ended with status|keeps dying", made.log()), [])

    def answered(self, made):
        """The pid of the worker that answers a new connection."""
        try:
            return self.ok(made.debug("Pid")).output
        except (OSError, doip.Broken):
            return None

    def test_a_handler_that_ends_in_time_is_left_alone(self):
        made = self.make(settings={"timeouts": {"handler": 3}})
        workers = made.workers()
        with made.connect() as connection:
            for _ in range(5):
                self.ok(connection.request("20.DOIP/Debug.Sleep", SERVICE, attributes={"ms": 900}))
        self.assertEqual(made.workers(), workers)

    def test_a_handler_that_comes_back_lets_its_worker_end_in_order(self):
        made = self.make(start=False, settings={"workers": {"processes": 1}, "timeouts": {"handler": 1, "shutdown": 30}})
        made.change({"handler": {"debug": {"options": {"close_file": made.path("closed")}}}})
        self.addCleanup(made.stop)
        made.start()
        old = made.workers()
        with made.connect() as connection:
            connection.send(debug_request("Sleep", ms=4000))
            until(lambda: set(made.workers()) - set(old), "a new worker")
            self.assertEqual(self.ok(connection.response()).output["pid"], old[0])
        made.wait_retired(old, 15)
        with open(made.path("closed")) as file:
            self.assertEqual([int(line.split()[1]) for line in file], old, "its handlers were not closed")

    def test_more_overruns_than_there_is_room_for(self):
        """There are never more than twice the workers; the service goes on, and ends when it is told to."""
        made = self.make(settings={"workers": {"processes": 1}, "timeouts": {"handler": 1, "shutdown": 5}})
        most = 0
        for i in range(3):
            until(lambda: self.answered(made), "an answer: " + made.tail(), 20)
            self.hang(made, f"35.TEST/{i}")
            start = time.monotonic()
            while time.monotonic() - start < 2.5:
                most = max(most, len(made.workers()))
                time.sleep(0.05)
        self.assertEqual(most, 2)
        until(lambda: self.answered(made), "an answer: " + made.tail(), 20)
        made.stop(signal.SIGQUIT)


class Draining(Case):
    seconds = 120

    def busy(self, made, **attributes):
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(debug_request("Sleep", **attributes))
        time.sleep(0.3)
        return connection

    def test_an_address_that_overlaps_an_old_one(self):
        made = self.make()
        workers, start = made.workers(), len(made.log())
        made.change({"listen": [f"0.0.0.0:{made.port}"]})
        made.send(signal.SIGHUP)
        said = made.wait_log("(?m)reload refused.*$", start=start).group()
        self.assertIn("this service itself", said)
        self.assertEqual(made.workers(), workers)
        self.ok(made.request(doip.HELLO))

    def test_an_address_given_up_refuses_at_once(self):
        """A worker that still serves a connection must not hold the door open to others."""
        made = self.make(settings={"timeouts": {"shutdown": 60}})
        old, before = made.port, made.workers()
        connection = self.busy(made, ms=6000)
        made.change({"listen": [f"{doip.HOST}:{free_port()}"]})
        made.send(signal.SIGHUP)
        made.port = made.settings["listen"][0].rpartition(":")[2]
        until(lambda: refuses(old), "the old address to be let go: " + made.tail(), 4)
        self.assertTrue(set(made.workers()) & set(before), "the old worker is gone already: nothing was tested")
        self.ok(connection.response())

    def test_a_generation_that_is_not_ready_serves_nobody(self):
        """Not even with the workers that are: should another fail, they would have to break off what they serve."""
        made = self.make(handlers=("debug",))
        old, start = made.workers(), len(made.log())
        made.change({"handler": {"debug": {"options": {"slow_open": 1500}}}})
        made.send(signal.SIGHUP)
        new = until(lambda: len(made.workers()) == 4 and sorted(set(made.workers()) - set(old)), "new workers: " + made.tail())
        os.kill(new[1], signal.SIGSTOP)
        made.wait_log("worker 1: .*handler debug .*loaded", start=start)
        time.sleep(0.3)
        for pid in old:
            os.kill(pid, signal.SIGSTOP)
        with self.assertRaises(TimeoutError):
            doip.request(made.port, doip.HELLO, timeout=1)
        for pid in old:
            os.kill(pid, signal.SIGCONT)
        self.assertIn(self.ok(made.debug("Pid")).output, old)
        os.kill(new[1], signal.SIGKILL)
        made.wait_log("reload refused", start=start)
        made.wait_retired(new, 15)
        self.assertEqual(made.workers(), old)

    def test_no_connection_is_left_waiting_by_a_reload(self):
        """A wake-up that goes to a retiring worker wakes nobody else: whoever came with it must be served all the same."""
        made = self.make(handlers=("debug",), settings={"workers": {"processes": 1}})
        for _ in range(200):
            start, connections = len(made.log()), []
            made.send(signal.SIGHUP)
            until(lambda: connections.append(socket.create_connection((doip.HOST, made.port), 5)) or
                  "reloaded: generation" in made.log()[start:], "a reload: " + made.tail(), pause=0.0005)
            for connection in connections:
                connection.sendall(b"not TLS at all\n" * 2)
                self.assertLess(len(connection.recv(1000)), 1000)  # an alert, or the end; socket.timeout where nobody accepts
                connection.close()

    def test_a_new_start_beside_orphans_that_still_serve(self):
        made = self.make(settings={"timeouts": {"shutdown": 20}})
        connection = self.busy(made, ms=4000)
        orphans = made.workers()
        os.kill(made.pid, signal.SIGKILL)
        made.process.wait()
        until(lambda: refuses(made.port), "the orphans to let go of the port", 5)
        made.start()
        self.ok(made.request(doip.HELLO))
        self.ok(connection.response())
        until(lambda: not [w for w in orphans if alive(w)], "the orphans to end", 20)

    def test_a_start_waits_a_moment_for_a_port(self):
        made = self.make(start=False)
        self.addCleanup(made.stop)
        with socket.socket() as holder:
            holder.bind((doip.HOST, made.port))
            holder.listen()
            made.spawn()
            time.sleep(0.5)
        made.wait_ready()

    def test_a_worker_that_is_told_to_end_by_a_signal(self):
        made = self.make()
        old = made.workers()
        os.kill(old[0], signal.SIGTERM)
        made.wait_retired(old[:1], 10)
        until(lambda: len(made.workers()) == 2, "another worker")
        self.ok(made.request(doip.HELLO))

    def test_signals_after_the_second_put_nothing_off(self):
        made = self.make(settings={"timeouts": {"shutdown": 300}})
        connection = made.connect()
        self.addCleanup(connection.close)
        connection.send(debug_request("Hang"))
        time.sleep(0.3)
        worker = until(lambda: [w for w in made.workers() if process_stat(w)], "workers")[0]
        os.kill(worker, signal.SIGSTOP)  # it does not even hear that it is to stop
        begun = time.monotonic()
        while made.process.poll() is None and time.monotonic() - begun < 30:
            made.send(signal.SIGTERM)
            time.sleep(0.7)
        self.assertEqual(made.process.wait(1), 0)
        self.assertLess(time.monotonic() - begun, 12)
        made.stop()

    def test_a_shutdown_of_zero_seconds(self):
        made = self.make(settings={"timeouts": {"shutdown": 0}})
        self.busy(made, ms=60000)
        made.send(signal.SIGTERM)
        self.assertEqual(made.process.wait(10), 0)


class Surroundings(Case):
    """What the daemon is given by whoever starts it, and what it gives its workers."""

    def test_ignored_child_signals(self):
        """A starter's SIG_IGN for SIGCHLD would hide every death."""
        made = self.make(start=False)
        command, ignoring = made.command(), ["env", "--ignore-signal=CHLD"]
        made.command = lambda *more: ignoring + command + list(more)
        done = made.run("-t")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.addCleanup(made.stop)
        made.start()
        old = made.workers()
        os.kill(old[0], signal.SIGKILL)
        until(lambda: len(set(made.workers()) - set(old)) == 1, "another worker: " + made.tail(), 10)

    def test_a_reload_changes_what_workers_log(self):
        made = self.make()
        self.ok(made.request(doip.HELLO, "35.TEST/DOIP", id="before"))
        made.wait_log("access .*Op.Hello")
        made.change({"log": {"access": False}})
        made.reload()
        start = len(made.log())
        for _ in range(6):
            self.ok(made.request(doip.HELLO))
        made.change({"log": {"access": True}})
        made.reload()
        self.assertNotIn("Op.Hello", made.log()[start:])
        self.ok(made.request(doip.HELLO))
        made.wait_log("access .*Op.Hello", start=start)

    def test_a_worker_has_nothing_of_the_masters(self):
        """No signalfd, no pid file, no other worker's channel: one socket pair, its own epoll set, the listening socket."""
        made = self.make(start=False)
        made.change({"pid_file": made.path("pid")})
        self.addCleanup(made.stop)
        made.start()
        made.change({"service": {"name": "again"}})
        made.reload()
        for pid in made.workers():
            links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
            self.assertNotIn(made.path("pid"), links)
            self.assertEqual(links.count("anon_inode:[signalfd]"), 1, links)  # its own, for SIGTERM
            self.assertEqual(links.count("anon_inode:[eventpoll]"), 1, links)
            self.assertEqual(len([link for link in links if link.startswith("socket:")]), 2, links)

    def test_nothing_is_made_that_others_may_write(self):
        made = self.make(start=False)
        made.change({"pid_file": made.path("pid"), "handler": {"debug": {"options": {"close_file": os.path.join(made.state, "closed")}}}})
        spawn, before = made.spawn, os.umask(0)
        try:
            spawn()
        finally:
            os.umask(before)
        self.addCleanup(made.stop)
        made.wait_ready()
        for pid in [made.pid] + made.workers():
            with open(f"/proc/{pid}/status") as file:
                self.assertRegex(file.read(), r"(?m)^Umask:\t0022$")
        self.ok(made.request(doip.CREATE, SERVICE, doip.object_segments({"id": "u", "type": "T", "elements": [{"id": "e"}]}, {"e": b"x"})))
        made.reload()  # the retired workers' handlers have written their file
        self.assertTrue(os.path.exists(os.path.join(made.state, "closed")))
        for folder, folders, names in os.walk(made.state):
            for name in folders + names + ["."]:
                path = os.path.join(folder, name)
                self.assertEqual(os.stat(path).st_mode & 0o022, 0, path)
        self.assertEqual(os.stat(made.path("pid")).st_mode & 0o022, 0)


@ROOT_ONLY
class AnotherUser(Case):
    """Started as root, the workers run as an unprivileged user, and everything works."""

    def made(self, **settings):
        made = self.make(start=False, settings=dict({"user": "nobody"}, **settings))
        self.addCleanup(made.stop)
        return made

    def test_the_master_keeps_only_what_it_needs(self):
        made = self.made()
        made.start()
        with open(f"/proc/{made.pid}/status") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        needed = sum(1 << bit for bit in (0, 1, 3, 5, 6, 7, 10, 24))  # chown, dac_override, fowner, kill, setgid, setuid, bind, resource
        for name in ("CapEff", "CapPrm", "CapInh"):
            self.assertEqual(int(status[name], 16) & ~needed, 0, name)
        made.reload()
        self.ok(made.request(doip.HELLO))

    def test_workers_run_as_that_user_and_serve(self):
        nobody = pwd.getpwnam("nobody")
        made = self.made()
        made.change({"pid_file": made.path("pid")})
        made.start()
        for pid in made.workers():
            with open(f"/proc/{pid}/status") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            self.assertEqual(set(status["Uid"].split()), {str(nobody.pw_uid)})
            self.assertEqual(set(status["Gid"].split()), {str(nobody.pw_gid)})
            self.assertNotIn("0", status["Groups"].split())
            self.assertEqual((status["CapEff"].strip("0"), status["CapPrm"].strip("0"), status["NoNewPrivs"]), ("", "", "1"))
        data = os.urandom(100000)
        self.ok(made.request(doip.CREATE, SERVICE, doip.object_segments({"id": "n", "type": "T", "elements": [{"id": "e"}]}, {"e": data})))
        self.assertEqual(made.request(doip.RETRIEVE, "n", attributes={"element": "e"}).output, data)
        self.assertEqual(os.stat(made.state).st_uid, nobody.pw_uid)
        self.assertEqual(os.stat(made.root).st_uid, nobody.pw_uid)
        tls = os.stat(os.path.join(made.state, "tls"))
        self.assertEqual((tls.st_uid, tls.st_mode & 0o777), (0, 0o700), "the key is the master's own")
        start = len(made.log())
        made.reload()
        self.assertEqual(made.request(doip.RETRIEVE, "n", attributes={"element": "e"}).output, data)
        made.wait_log("access .*Op.Retrieve", start=start)  # by workers that could not open the log themselves
        os.kill(made.workers()[0], signal.SIGKILL)
        until(lambda: len(made.workers()) == 2, "another worker")
        made.wait_ready()
        made.stop()
        made.start()
        self.assertEqual(made.request(doip.RETRIEVE, "n", attributes={"element": "e"}).output, data)

    def test_the_log_reaches_a_pipe(self):
        """stderr as a pipe of root's, which the workers' user could not open."""
        made = self.made()
        made.change({"log": {"level": "debug"}})
        with open(made.log_path, "ab") as log:
            cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
            made.process = subprocess.Popen(made.command("-f"), stdin=subprocess.DEVNULL, stdout=log, stderr=cat.stdin,
                                            start_new_session=True, preexec_fn=die_with_parent)
            cat.stdin.close()
        made.wait_ready()
        made.reload()
        self.ok(made.request(doip.HELLO, id="piped"))
        made.wait_log("access .*Op.Hello")
        made.stop()
        cat.wait(10)

    def test_a_directory_of_the_workers_is_not_trusted_with_the_key(self):
        made = self.made()
        os.mkdir(made.state)
        nobody = pwd.getpwnam("nobody").pw_uid
        elsewhere = made.path("elsewhere")
        os.mkdir(elsewhere, 0o700)
        os.chown(made.state, nobody, -1)
        tls = os.path.join(made.state, "tls")
        os.symlink(elsewhere, tls)
        self.start_error(made, "tls")
        self.assertEqual(os.listdir(elsewhere), [])
        os.unlink(tls)
        os.mkdir(tls, 0o700)
        os.chown(tls, nobody, -1)
        self.start_error(made, "tls", "0700")
        os.rmdir(tls)
        made.start()

    def test_a_state_directory_that_the_workers_may_not_write(self):
        made = self.made()
        os.mkdir(made.state, 0o755)
        self.start_error(made, made.root, "Permission denied")
        os.chown(made.state, pwd.getpwnam("nobody").pw_uid, -1)
        made.start()


class Check(Case):
    """doipd -t: nothing is bound, made or changed."""

    # What a check may never call with success, but for sockets of name services.
    FORBIDDEN = re.compile(r"^\d+ +(bind|listen|mkdir\w*|unlink\w*|rename\w*|link\w*|symlink\w*|chmod|fchmod\w*|chown|lchown|fchown\w*|truncate|"
                           r"ftruncate|mknod\w*|flock|utime\w*|setxattr)\(.*\) = [0-9]", re.M)
    WRITES = re.compile(r"^\d+ +(?:open|openat|creat)\((?!.*\"/dev/|.*\"/tmp/tsan|.*\.gcda\").*(?:O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE).*\) = [0-9]", re.M)

    def traced(self, made):
        if shutil.which("strace") is None:
            self.skipTest("no strace here")
        command, trace = made.command("-t"), made.path("trace")
        environment = dict(os.environ, ASAN_OPTIONS=os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0")
        done = subprocess.run(["strace", "-f", "-o", trace, *command], capture_output=True, text=True, timeout=120, env=environment)
        if "ptrace" in done.stderr:
            self.skipTest("no process may be traced here")
        with open(trace) as file:
            return done, file.read()

    def check(self, made):
        done, trace = self.traced(made)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("debug.so", trace)
        calls = [m.group() for m in self.FORBIDDEN.finditer(trace)] + [m.group() for m in self.WRITES.finditer(trace)]
        self.assertEqual(calls, [])

    def test_it_touches_nothing_before_a_first_start(self):
        made = self.make(start=False)
        made.change({"pid_file": made.path("pid")})
        self.check(made)

    def test_it_touches_nothing_beside_a_running_daemon(self):
        made = self.make(start=False)
        made.change({"pid_file": made.path("pid")})
        self.addCleanup(made.stop)
        made.start()
        self.check(made)

    @ROOT_ONLY
    def test_as_another_user(self):
        """Who may start the service may also check it; of a service of root's the key can't be checked, and that is said."""
        self.needs_a_build_that_nobody_reaches()
        made = self.make(settings={"user": "nobody"})
        self.assertEqual(self.run_as_nobody(made).returncode, 1)
        self.assertIn("tls/service.pem: Permission denied", self.run_as_nobody(made).stderr)
        made.stop()
        shutil.rmtree(os.path.join(made.state, "tls"))
        done = self.run_as_nobody(made)
        self.assertEqual(done.returncode, 0, done.stderr)
        made.start()

    def needs_a_build_that_nobody_reaches(self):
        """A clone in a home directory with mode 0700 is out of nobody's reach."""
        nobody = pwd.getpwnam("nobody")
        if subprocess.run(["test", "-x", DOIPD], user=nobody.pw_uid, group=nobody.pw_gid, extra_groups=[]).returncode != 0:
            self.skipTest("nobody may not execute the build")

    def run_as_nobody(self, made):
        nobody = pwd.getpwnam("nobody")
        return subprocess.run(made.command("-t"), capture_output=True, text=True, timeout=60, user=nobody.pw_uid, group=nobody.pw_gid,
                              extra_groups=[])
