"""Nothing is lost: constant load of new and kept-alive connections while the service is reloaded, restarted, its workers killed or recycled.

With DOIPD_TEST_LONG set there are 100 reloads and 20 kills, and the counts are printed.
"""

import os
import random
import resource
import signal
import socket
import sys
import threading
import time

import doip
from base import Case
from daemon import SERVICE, UNDER, sanitized, until

LONG = bool(os.environ.get("DOIPD_TEST_LONG"))
ECHO = "20.DOIP/Debug.Echo"
PID = "20.DOIP/Debug.Pid"


class Client(threading.Thread):
    """Asks one thing after the other, on a connection that it keeps or on new ones. What gets no answer is `lost`: but for a request on
    a connection that the service ended in good order before it (it is asked again, as DOIP has no "connection: close"), and for what was
    under way in a worker that was killed."""

    def __init__(self, load, keeps):
        super().__init__(daemon=True)
        self.load, self.keeps = load, keeps
        self.connection = self.worker = None
        self.answered = self.again = self.cut = 0
        self.lost = []

    def run(self):
        while not self.load.ended.is_set():
            begun = time.monotonic()
            try:
                self.ask()
                self.answered += 1
            except (OSError, doip.Broken) as error:
                self.judge(error, begun)
                self.forget()
            if self.keeps:
                time.sleep(random.uniform(0, 0.05))
            else:
                self.forget()
        self.forget()

    def ask(self):
        if self.connection is None:
            self.connection = self.load.made.connect(timeout=60)
            self.worker = None
        response = self.connection.request(PID if self.worker is None else ECHO, SERVICE, input=None)
        if not response.ok:
            self.lost.append(repr(response))
        elif self.worker is None:
            self.worker = response.output

    def forget(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def judge(self, error, begun):
        """A connection of a killed worker is cut: whatever was under way is gone, and a new connection may have been on its way to it."""
        fresh = self.worker is None
        killed = self.worker in self.load.killed or (fresh and any(at >= begun - 0.05 for at in self.load.killed.values()))
        if killed:
            self.cut += 1
        elif not fresh and (getattr(error, "clean", False) or isinstance(error, (ConnectionError, BrokenPipeError))):
            self.again += 1
        else:
            self.lost.append(f"{'fresh' if fresh else 'kept'} after {time.monotonic() - begun:.2f} s: {error!r}")


class Load:
    def __init__(self, made, keeping=4, fresh=3):
        self.made, self.ended, self.killed = made, threading.Event(), {}
        self.clients = [Client(self, at < keeping) for at in range(keeping + fresh)]

    def __enter__(self):
        for client in self.clients:
            client.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for client in self.clients:
            client.join()

    def kill(self, pid):
        self.killed[pid] = time.monotonic()
        os.kill(pid, signal.SIGKILL)

    def sum(self, name):
        return sum(getattr(client, name) for client in self.clients)

    @property
    def lost(self):
        return [text for client in self.clients for text in client.lost]

    def __str__(self):
        return (f"{self.sum('answered')} answered, {len(self.lost)} lost, {self.sum('again')} asked again after an orderly end, "
                f"{self.sum('cut')} cut by {len(self.killed)} kills")


def listening():
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((doip.HOST, 0))
    made.listen(1024)
    return made


class LoadCase(Case):
    seconds = 1200 if LONG else 150

    def none_lost(self, load):
        if LONG:
            print(f"# {self.id()}: {load}", file=sys.stderr)
        self.assertEqual(load.lost, [], f"{load}\n{self.daemon.tail()}")
        self.assertGreater(load.sum("answered"), 200)


class Unharmed(LoadCase):
    def reload(self, made, start):
        made.send(signal.SIGHUP)
        made.wait_log(r"reloaded: generation", start=start)

    def kill_one(self, made, load):
        victim = self.ok(made.debug("Pid")).output  # one that serves: those that retire are not replaced
        before = made.workers()
        load.kill(victim)
        until(lambda: set(made.workers()) - set(before), "a worker in its place: " + made.tail())

    def test_reloads_and_kills(self):
        """An ended connection is either an orderly end or a killed worker's: kept-alive clients meet both."""
        made = self.make(settings={"timeouts": {"shutdown": 20}, "log": {"access": False}})
        reloads, kills = (100, 20) if LONG else (6, 3)
        steps = ["reload"] * reloads + ["kill"] * kills
        random.shuffle(steps)
        with Load(made) as load:
            for step in steps:
                start = len(made.log())
                if step == "reload":
                    self.reload(made, start)
                else:
                    self.kill_one(made, load)
                time.sleep(random.uniform(0.1, 0.6))
        self.none_lost(load)
        self.assertEqual(len(load.killed), kills)
        self.assertLess(load.sum("cut"), kills * len(load.clients))

    def restart(self, one, more):
        """As an upgrade does it: the old process is asked to end, the new one gets the same socket when it has."""
        made = self.make(start=False, settings={"timeouts": {"shutdown": 6}, "log": {"access": False}})
        self.addCleanup(made.stop)
        made.passed = [one]
        made.port = one.getsockname()[1]
        made.change(more)
        made.change({"listen": [f"{doip.HOST}:{made.port}"]})
        return made.start()

    def test_restarts_with_socket_activation(self):
        one = listening()
        self.addCleanup(one.close)
        made = self.restart(one, {})
        with Load(made) as load:
            for number in range(20 if LONG else 3):
                time.sleep(1)
                made.stop()
                made.change({"service": {"name": f"version {number}"}})
                made.start()
                self.assertEqual(made.request(doip.HELLO).output["attributes"]["serviceName"], f"version {number}")
        self.none_lost(load)
        self.assertGreater(load.sum("again"), 0)


class Recycled(LoadCase):
    """workers.requests and workers.memory."""

    def recycled(self, made, what):
        before = set(made.workers())
        with Load(made) as load:
            until(lambda: not before & set(made.workers()), "all workers to be others: " + made.tail(), 60)
        self.none_lost(load)
        made.wait_log(rf"it is replaced \({what}\)")
        self.assertNotIn("was killed", made.log())
        until(lambda: len(made.workers()) == 2, "two workers: " + made.tail(), 40)

    def test_after_so_many_requests(self):
        self.recycled(self.make(settings={"workers": {"requests": 100}, "timeouts": {"shutdown": 20}, "log": {"access": False}}),
                      r"workers\.requests")

    def test_when_they_have_grown(self):
        self.recycled(self.make(settings={"workers": {"memory": "1M"}, "timeouts": {"shutdown": 20}, "log": {"access": False}}),
                      r"workers\.memory")

    def test_none_where_nothing_is_said(self):
        made = self.make()
        before = made.workers()
        with made.connect() as connection:
            for _ in range(300):
                self.ok(connection.request(doip.HELLO, SERVICE))
            time.sleep(6)  # one look at least
            self.ok(connection.request(doip.HELLO, SERVICE))
        self.assertEqual(made.workers(), before)


class Memory(Case):
    def test_a_reload_without_memory_ends_nothing(self):
        """libconfig ends the process when malloc fails: then that of the trial."""
        if sanitized() or UNDER:
            self.skipTest("this build needs more memory than it would get")
        made = self.make()
        with open(f"/proc/{made.pid}/status") as file:
            size = next(int(line.split()[1]) for line in file if line.startswith("VmSize:")) * 1024
        names = "".join(f"h{i} = {{ enabled = false; }}\n" for i in range(12000))
        made.write(open(made.conf).read().replace("handler = {", "handler = {" + names, 1))
        start = len(made.log())
        resource.prlimit(made.pid, resource.RLIMIT_AS, (size + 1000000, resource.RLIM_INFINITY))
        made.send(signal.SIGHUP)
        made.wait_log(r"reload refused", start=start)
        resource.prlimit(made.pid, resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.ok(made.request(doip.HELLO))
        made.write()
        made.reload()
        self.ok(made.request(doip.HELLO))
