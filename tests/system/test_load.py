"""Nothing is lost: constant load of new and kept-alive connections while the service is reloaded, restarted, its workers killed or recycled.

With DOIPD_TEST_LONG set there are 100 reloads and 20 kills, spread over half an hour or so many seconds, and the counts are printed.
"""

import os
import random
import re
import resource
import signal
import socket
import sys
import time

import doip
from base import Case
from daemon import SERVICE, SLOW, UNDER, sanitized, until
from load import Load, Mixed

LONG = int(os.environ.get("DOIPD_TEST_LONG", "0"))
LONG = 1800 if LONG == 1 else LONG


def listening():
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((doip.HOST, 0))
    made.listen(1024)
    return made


class LoadCase(Case):
    seconds = LONG + 600 if LONG else 150

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
        begun = time.monotonic()
        with Load(made, kind=Mixed, pause=0.05 if LONG else 0) as load:
            for number, step in enumerate(steps, 1):
                if step == "reload":
                    self.reload(made, len(made.log()))
                else:
                    self.kill_one(made, load)
                time.sleep(max(random.uniform(0.1, 0.6), begun + LONG * number / len(steps) - time.monotonic()))
        self.none_lost(load)
        # Of a request that meets an error while it is sent, only the service knows whether it had begun to read it.
        self.assertEqual(re.findall(r"connection ended inside (?:a request|an answer).*", made.log()), [])
        self.assertEqual(len(load.killed), kills)
        self.assertLess(load.sum("cut"), kills * len(load.clients))

    def first(self, one):
        made = self.make(start=False, settings={"timeouts": {"shutdown": 60}, "log": {"access": False}})
        self.addCleanup(made.stop)
        made.passed = [one]
        made.port = one.getsockname()[1]
        made.change({"listen": [f"{doip.HOST}:{made.port}"]})
        return made.start()

    def test_restarts_with_socket_activation(self):
        """As an upgrade does it: the old process is asked to end, the new one gets the same socket when it has. Who comes meanwhile waits, `doip`
        for no longer than ten seconds: those who keep a connection busy must not hold the end up."""
        one = listening()
        self.addCleanup(one.close)
        made = self.first(one)
        with Load(made, patience=10 * SLOW) as load:
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
