"""Starts and ends real daemons for the system tests: each in a temporary directory, on a port of its own, ended by its pid.

DOIPD_BUILD names the build directory to test (default: build/ of this tree), so that a sanitizer build runs the same tests.
"""

import ctypes
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import doip

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("DOIPD_BUILD", os.path.join(TREE, "build")))
DOIPD = os.path.join(BUILD, "doipd")
CLIENT = os.path.join(BUILD, "doip")
SERVICE = "35.TEST/DOIP"
PREFIX = "35.TEST"
SLOW = max(1.0, float(os.environ.get("DOIPD_TEST_SLOWNESS", "1")) / 4)  # what a sanitizer costs is within the deadlines, valgrind is not
READY = 30 * SLOW     # seconds until a daemon must answer
STOPPED = 40 * SLOW   # seconds until it must have ended
UNDER = shlex.split(os.environ.get("DOIPD_TEST_UNDER", ""))  # valgrind and its options: see tests/memcheck

# In a sanitizer build, workers that crash on purpose die of their signal; doipd has alternate signal stacks of its own.
os.environ.setdefault("ASAN_OPTIONS", "handle_segv=0:handle_sigbus=0:handle_abort=0:use_sigaltstack=0")

# Becomes doipd with sockets passed to it as systemd does (sd_listen_fds(3)): their descriptors, then the command.
PASS_SOCKETS = """
import os, sys
count, held = int(sys.argv[1]), []
for number in sys.argv[2:2 + count]:
    held.append(os.dup2(os.dup(int(number)), 100 + len(held)))
for at, number in enumerate(held):
    os.dup2(number, 3 + at)
    os.close(number)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count))
os.execv(sys.argv[2 + count], sys.argv[2 + count:])
"""

libc = ctypes.CDLL(None)


def die_with_parent():
    libc.prctl(1, signal.SIGKILL)


def handler_file(name):
    """Where the build has a handler."""
    for place in ("handlers", "tests/handlers", "examples"):
        path = os.path.join(BUILD, place, name + ".so")
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f"{name}.so was not built under {BUILD}")


def free_port():
    """A port below the kernel's own range, so that no client socket takes it meanwhile."""
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind((doip.HOST, port))
                return port
            except OSError:
                continue


def until(condition, what, seconds=20, pause=0.02):
    """Waits for a condition; the value it gave. AssertionError after the deadline."""
    end = time.monotonic() + seconds * SLOW
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s in vain for: {what}")
        time.sleep(pause)


def process_stat(pid):
    """(state, parent, start time) of a process; None when it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return fields[0], int(fields[1]), int(fields[19])
    except (FileNotFoundError, ProcessLookupError):
        return None


def alive(pid):
    stat = process_stat(pid)
    return stat is not None and stat[0] not in "ZX"


def children(pid):
    """Pids of the live children of a process."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            stat = process_stat(int(name))
            if stat and stat[1] == pid and stat[0] not in "ZX":
                found.append(int(name))
    return sorted(found)


def quoted(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, (list, tuple)):
        return "( " + ", ".join(quoted(v) for v in value) + " )"
    if isinstance(value, dict):
        return "{ " + " ".join(f"{k} = {quoted(v)};" for k, v in value.items()) + " }"
    raise TypeError(type(value))


def sanitized():
    """Whether the build has one of the sanitizers that map memory of their own."""
    with open(DOIPD, "rb") as file:
        return re.search(rb"lib[at]san\.so", file.read()) is not None


def no_complaint(text):
    """Of a sanitizer, in what a daemon said."""
    for sign in ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "WARNING: ThreadSanitizer", "runtime error:"):
        if sign in text:
            raise AssertionError(f"a sanitizer complains: {text[text.index(sign):][:3000]}")
    complaint = re.search(r"(?m)^==\d+== \S.*", text)
    if complaint:
        raise AssertionError(f"valgrind complains: {text[complaint.start():][:5000]}")


def merge(base, more):
    out = dict(base)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(out.get(key), dict)
        out[key] = merge(out[key], value) if both else value
    return out


def hashed(password):
    """The hash of a password, for `users`."""
    return subprocess.run([DOIPD, "--hash-password"], input=password + "\n", capture_output=True, text=True, timeout=60,
                          check=True).stdout.strip()


class Daemon:
    """A doipd with a directory of its own, in which everybody may do everything. `settings` are merged into its configuration; `handlers` are
    copied beside it. It is started with `environment` added to ours, and with the sockets `passed` to it."""

    def __init__(self, handlers=("store", "debug"), settings=None, options=()):
        files = {name: handler_file(name) for name in handlers}
        self.dir = tempfile.mkdtemp(prefix="doipd-test-")
        os.chmod(self.dir, 0o755)
        self.port = free_port()
        self.options = list(options)
        self.environment = {}
        self.passed = []
        self.process = None
        self.log_path = self.path("log")
        self.state = self.path("state")
        self.root = self.path("state/store")
        self.handlers = self.path("handlers")
        self.conf = self.path("doipd.conf")
        os.makedirs(self.handlers, exist_ok=True)
        os.chmod(self.handlers, 0o755)
        for name, file in files.items():
            self.install(name, file)
        self.settings = merge({
            "service": {"id": SERVICE, "name": "test"},
            "listen": [f"{doip.HOST}:{self.port}"],
            "user": "root",
            "state_directory": self.state,
            "workers": {"processes": 2, "threads": 16},
            "timeouts": {"shutdown": 10},
            "access": {"anonymous": ["*"]},
            "handlers_directory": self.handlers,
            "handler": {name: self.section(name) for name in handlers},
        }, settings or {})
        self.write()

    def section(self, name):
        if name == "store":
            return {"options": {"root": self.root, "prefix": PREFIX}}
        return {"enabled": True}

    def path(self, name):
        return os.path.join(self.dir, name)

    def install(self, name, source=None):
        """Copies a handler into the directory, as an author would: written beside, then renamed."""
        target = os.path.join(self.handlers, name + ".so")
        shutil.copyfile(source or handler_file(name), target + ".new")
        os.chmod(target + ".new", 0o644)
        os.rename(target + ".new", target)

    def write(self, text=None, name=None):
        """Writes the configuration: the settings, or `text` as it is."""
        if text is None:
            text = "".join(f"{k} = {quoted(v)}\n" for k, v in self.settings.items())
        path = name or self.conf
        with open(path + ".new", "w") as file:
            file.write(text)
        os.rename(path + ".new", path)

    def change(self, settings):
        self.settings = merge(self.settings, settings)
        self.write()

    def command(self, *more):
        out = [*UNDER, DOIPD, "-c", self.conf]
        for option in self.options:
            out += ["-o", option]
        return out + list(more)

    def run(self, *more, timeout=60):
        """Runs doipd to its end (-t and the like): the CompletedProcess."""
        done = subprocess.run(self.command(*more), capture_output=True, text=True, timeout=timeout,
                              stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        no_complaint(done.stderr)
        return done

    def start(self):
        self.spawn()
        self.wait_ready()
        return self

    def spawn(self):
        command = self.command("-f")
        numbers = [str(s.fileno()) for s in self.passed]
        if numbers:
            command = [sys.executable, "-c", PASS_SOCKETS, str(len(numbers)), *numbers, *command]
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, preexec_fn=die_with_parent,
                                            env=dict(os.environ, **self.environment), pass_fds=[int(n) for n in numbers])

    def wait_ready(self, seconds=READY):
        until(self.answers, f"a daemon that answers on port {self.port}; its log: {self.tail()}", seconds, 0.05)

    def answers(self):
        if self.process is not None and self.process.poll() is not None:
            raise AssertionError(f"doipd ended with {self.process.returncode}: {self.tail()}")
        try:
            return doip.request(self.port, doip.HELLO, timeout=5).ok
        except (OSError, doip.Broken):
            return False

    def fails(self, seconds=READY):
        """Starts a daemon that must not start: (exit status, its words)."""
        self.spawn()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"doipd should have failed to start; its log: {self.tail()}") from None
        finally:
            self.kill()
        no_complaint(self.log())
        return status, self.log()

    @property
    def pid(self):
        return self.process.pid

    def workers(self):
        return children(self.pid)

    def log(self):
        try:
            with open(self.log_path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def tail(self, lines=25):
        return "\n".join(self.log().splitlines()[-lines:])

    def wait_log(self, pattern, seconds=20, start=0):
        """Waits until the log (from offset `start`) matches: the match."""
        return until(lambda: re.search(pattern, self.log()[start:]), f"/{pattern}/ in the log: {self.tail()}", seconds)

    def connect(self, **more):
        return doip.Connection(self.port, **more)

    def request(self, operation, target=None, segments=(), **more):
        return doip.request(self.port, operation, target, segments, **more)

    def debug(self, action, target=SERVICE, segments=(), **attributes):
        more = {"attributes": attributes} if attributes else {}
        return self.request("20.DOIP/Debug." + action, target, segments, **more)

    def send(self, number):
        os.kill(self.pid, number)

    def reload(self, seconds=READY):
        """SIGHUP, and waits until no worker of before is the only kind left: a new generation runs."""
        before = set(self.workers())
        self.send(signal.SIGHUP)
        until(lambda: set(self.workers()) - before, f"new workers after SIGHUP; its log: {self.tail()}", seconds)
        self.wait_retired(before, seconds)

    def wait_retired(self, pids, seconds=READY):
        until(lambda: not set(self.workers()) & set(pids), f"workers {sorted(pids)} to retire: {self.tail()}", seconds)

    def stop(self, number=signal.SIGTERM, status=0):
        """Ends the daemon, which must exit 0, with nothing left of it."""
        if self.process is None:
            return
        known = [(pid, process_stat(pid)) for pid in self.workers()]
        try:
            if self.process.poll() is None:
                self.send(number)
            got = self.process.wait(STOPPED)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"doipd did not end on signal {number}: {self.tail()}") from None
        finally:
            self.kill()
        if got != status:
            raise AssertionError(f"doipd ended with {got}, not {status}: {self.tail()}")
        for pid, stat in known:
            left = stat and process_stat(pid)
            if left and left[2] == stat[2] and left[0] not in "ZX":
                os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"worker {pid} outlived its master: {self.tail()}")
        no_complaint(self.log())

    def kill(self):
        """Makes an end of it, without a word."""
        if self.process is None:
            return
        if self.process.poll() is None:  # or it might have one more child by the time that it dies
            os.kill(self.process.pid, signal.SIGSTOP)
            until(lambda: process_stat(self.process.pid)[0] in "TZX", "the master to stop")
        family = children(self.process.pid) + [self.process.pid]
        for number in (signal.SIGSTOP, signal.SIGKILL):  # none of them answers for one that is gone already
            for pid in family:
                try:
                    if self.process.poll() is None or pid != self.process.pid:
                        os.kill(pid, number)
                except ProcessLookupError:
                    pass
        self.process.wait()
        self.process = None

    def remove(self):
        self.kill()
        shutil.rmtree(self.dir, ignore_errors=True)
