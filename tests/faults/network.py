"""Rounds over a network that fails: connections that are reset, ended or left hanging after any byte of an exchange, by a small proxy; and
a link between two network namespaces that loses, delays, reorders and repeats packets, or is cut (doc/testing.md)."""

import contextlib
import ctypes
import fcntl
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import threading
import time

import content
import daemon
import doip
import rounds
import service
import world
from content import Different
from daemon import SERVICE

UP, DOWN = "from the client", "to the client"
PATIENCE = 2  # seconds of each of the daemon's time limits
LIMITS = {"timeouts": {"handshake": PATIENCE, "read": PATIENCE, "write": PATIENCE, "idle": PATIENCE, "shutdown": 2}}


# ---------------------------------------------------------------- after so many bytes

class Cutter:
    """A TCP proxy that passes on so many bytes in one direction, and then spoils the connection. Later ones pass whole."""

    def __init__(self, port):
        self.port_behind = port
        self.listener = socket.create_server((doip.HOST, 0))
        self.port = self.listener.getsockname()[1]
        self.cut = None
        self.held = False  # a connection that hangs, and that the service has not let go of
        self.seen = {UP: 0, DOWN: 0}  # bytes of the last connection
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self.join, args=(client,), daemon=True).start()

    def join(self, client):
        cut, self.cut = self.cut, None
        seen = self.seen = {UP: 0, DOWN: 0}
        with client, socket.create_connection((doip.HOST, self.port_behind)) as server, contextlib.suppress(OSError):
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while all(self.move(*way, seen, cut) for way in self.ready(client, server)):
                pass
            if cut and seen[cut[0]] >= cut[1]:
                self.spoil(cut[2], client, server)

    @staticmethod
    def ready(client, server):
        readable = select.select([client, server], [], [])[0]
        return [way for way in ((client, server, UP), (server, client, DOWN)) if way[0] in readable]

    @staticmethod
    def move(source, target, way, seen, cut):
        """Passes some bytes on; False: that was the end."""
        room = cut[1] - seen[way] if cut and cut[0] == way else 65536
        data = source.recv(room) if room else b""
        target.sendall(data)
        seen[way] += len(data)
        return data and not (cut and seen[cut[0]] >= cut[1])

    def spoil(self, how, client, server):
        if how == "hang":
            self.held = True
            server.settimeout(PATIENCE * 3)
            with contextlib.suppress(ConnectionResetError):
                while server.recv(65536):
                    pass
            self.held = False
        for end in (client, server):
            if how == "reset":
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Route:
    """The daemon, reached by another port."""

    def __init__(self, made, port):
        self.made, self.way = made, port

    def __getattr__(self, name):
        return getattr(self.made, name)

    def connect(self, **more):
        return doip.Connection(self.way, **more)


class Visitor(service.Caller):
    """Creates, reads and deletes a small object over one connection; all must be well afterwards, whatever became of that."""

    told = False
    patience = PATIENCE * 4

    def fresh(self):
        self.number += 1
        return content.State("Walk", {"content": {"n": self.number}}, [content.Element("e", None, None, (60, self.number))])

    def exchange(self):
        self.prepare()
        self.creates()
        if self.thing.state is not None:
            self.retrieves()
            self.deletes()
        self.close()


def ask_directly(run, operation, target, segments=(), **attributes):
    return run.daemon.request(operation, target, segments, **({"attributes": attributes} if attributes else {}))


def visit(run, visitor, cutter, cut):
    """One exchange that is cut."""
    cutter.cut = cut
    visitor.exchange()
    if cutter.held:
        raise Different("the service does not let go of it")
    run.count(f"connections {cut[2]}")
    if visitor.thing.open:
        states = [visitor.thing.state, visitor.thing.open.state]
        world.see(lambda *a, **m: ask_directly(run, *a, **m), visitor.thing.name, states)
        run.count("outcomes unknown")


def cuts(number, ends=("reset", "end")):
    """The connection ends after any byte of an exchange in either direction: a sample of them, 0: all."""
    with service.Trouble(settings=daemon.merge(service.SETTINGS, LIMITS)) as run:
        run.daemon.start()
        cutter = Cutter(run.daemon.port)
        visitor = Visitor(run)
        visitor.daemon = Route(run.daemon, cutter.port)
        try:
            for _ in range(3):
                visitor.exchange()
            workers = run.daemon.workers()
            before = [service.resources(pid) for pid in workers]
            places = [(way, at, how) for how in ends for way in (UP, DOWN) for at in range(cutter.seen[way] + 1)]
            for cut in run.rng.sample(places, min(number or len(places), len(places))):
                try:
                    visit(run, visitor, cutter, cut)
                except AssertionError as error:
                    raise Different(f"{cut[2]} after byte {cut[1]} {cut[0]}: {error}") from error
            if run.daemon.workers() != workers:
                raise Different("a worker died")
            visitor.close()
            run.settled(workers, before)
        finally:
            cutter.close()
        run.daemon.stop()
        return run.summary()


# ---------------------------------------------------------------- a link between two namespaces

TUN, TAKE_NAME = 0x1001, 0x400454CA  # IFF_TUN | IFF_NO_PI, TUNSETIFF
CLONE_NEWNET = 0x40000000
SERVER, CLIENT = "10.77.0.1", "10.77.0.2"
libc = ctypes.CDLL(None, use_errno=True)


class Unavailable(Exception):
    """This machine does not let us make network namespaces."""


@contextlib.contextmanager
def inside(space):
    """The calling thread in another network namespace: what sockets it makes belong there."""
    with open("/proc/thread-self/ns/net") as own, open(f"/run/netns/{space}") as other:
        if libc.setns(other.fileno(), CLONE_NEWNET) != 0:
            raise Unavailable(os.strerror(ctypes.get_errno()))
        try:
            yield
        finally:
            libc.setns(own.fileno(), CLONE_NEWNET)


class Link:
    """Two network namespaces, and all packets between them in our hand: what `tc netem` does, also where the kernel has none, and by a seed.
    `loss` and `twice` are probabilities; each packet takes `delay` seconds, and up to `spread` more, so that they overtake one another."""

    def __init__(self, seed):
        self.rng = random.Random(seed)
        self.loss = self.twice = self.delay = self.spread = 0
        self.passed = self.lost = 0
        self.cut = self.ended = False
        self.spaces = [f"doipd-test-{os.getpid()}-{side}" for side in "ab"]
        self.devices = []
        try:
            for space, own, other in ((self.spaces[0], SERVER, CLIENT), (self.spaces[1], CLIENT, SERVER)):
                self.run("ip", "netns", "add", space)
                self.devices.append(self.device(space))
                self.run("ip", "-n", space, "addr", "add", own, "peer", other, "dev", "tun0")
                self.run("ip", "-n", space, "link", "set", "tun0", "up")
        except (OSError, Unavailable) as error:
            self.close()
            raise Unavailable(str(error)) from None
        self.thread = threading.Thread(target=self.carry, daemon=True)
        self.thread.start()

    @staticmethod
    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")

    @staticmethod
    def device(space):
        with inside(space):
            fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(fd, TAKE_NAME, struct.pack("16sH22x", b"tun0", TUN))
        return fd

    def close(self):
        self.ended = True
        if hasattr(self, "thread"):
            self.thread.join()
        for fd in self.devices:
            os.close(fd)
        for space in self.spaces:
            with contextlib.suppress(FileNotFoundError):  # a machine without iproute2
                subprocess.run(["ip", "netns", "del", space], capture_output=True, check=False)

    def carry(self):
        due, order = [], 0
        while not self.ended:
            wait = min(0.05, max(0, due[0][0] - time.monotonic())) if due else 0.05
            for fd in select.select(self.devices, [], [], wait)[0]:
                packet = os.read(fd, 65536)
                for _ in range(self.copies()):
                    order += 1
                    at = time.monotonic() + self.delay + self.rng.random() * self.spread
                    heapq.heappush(due, (at, order, self.devices[self.devices[0] == fd], packet))
            while due and due[0][0] <= time.monotonic():
                with contextlib.suppress(OSError):
                    os.write(due[0][2], due[0][3])
                heapq.heappop(due)

    def copies(self):
        if self.cut or self.rng.random() < self.loss:
            self.lost += 1
            return 0
        self.passed += 1
        return 2 if self.rng.random() < self.twice else 1


class Remote(daemon.Daemon):
    """A daemon in one namespace, whose clients are in the other."""

    def __init__(self, link, settings):
        super().__init__(("store",), settings)
        self.link = link
        self.change({"listen": [f"{SERVER}:{self.port}"]})

    def command(self, *more):
        return ["nsenter", f"--net=/run/netns/{self.link.spaces[0]}", *super().command(*more)]

    def connect(self, **more):
        with inside(self.link.spaces[1]):
            return doip.Connection(self.port, host=SERVER, **more)

    def request(self, operation, target=None, segments=(), timeout=20, **more):
        with self.connect(timeout=timeout) as connection:
            return connection.request(operation, target, segments, **more)

    def answers(self):
        if self.process.poll() is not None:
            raise AssertionError(f"doipd ended with {self.process.returncode}: {self.tail()}")
        try:
            return self.request(doip.HELLO, timeout=5).ok
        except (OSError, doip.Broken):
            return False


class Far(rounds.Round):
    """A crowd that works over a link."""

    def __init__(self, clients=4, settings=None):
        seed = rounds.seed()
        self.link = Link(seed)
        super().__init__(clients, settings, made=Remote(self.link, settings or {}), seed=seed)

    def __exit__(self, kind, error, trace):
        try:
            super().__exit__(kind, error, trace)
        finally:
            self.link.close()


def ended(log):
    """What the service's log says of connections, but for the requests."""
    return [line for line in log.splitlines() if "peer=" in line and "info: access" not in line]


def rough(seconds):
    """Packets are lost, late, out of order and doubled; clients notice nothing but that it is slow."""
    with Far() as run:
        run.daemon.start()
        workers = run.daemon.workers()
        for _ in rounds.until_time(seconds):
            run.link.loss, run.link.twice = run.rng.choice((0, 0.02, 0.1)), run.rng.choice((0, 0.05))
            run.link.delay, run.link.spread = run.rng.choice((0, 0.005, 0.03)), run.rng.choice((0, 0.002, 0.03))
            run.crowd.run_for(min(seconds, 4))
            run.count("rounds")
            run.link.loss = run.link.twice = run.link.delay = run.link.spread = 0
            run.check()
        if run.crowd.broken():
            raise Different(f"connections broke: {run.crowd.broken()}; the service ended {ended(run.daemon.log())}")
        if run.daemon.workers() != workers:
            raise Different(f"a worker died: {run.daemon.tail()}")
        run.count("packets passed", run.link.passed)
        run.count("packets lost", run.link.lost)
        run.daemon.stop()
        return run.summary()


def half_open(connections=12):
    """Clients vanish without a word, at any stage: the service lets go of each within its time limit, and of all that it had for it."""
    with Far(1, daemon.merge(LIMITS, {"workers": {"processes": 1, "threads": 8}})) as run:
        run.daemon.start()
        big = bytes(range(256)) * 32768
        created = run.daemon.request(doip.CREATE, SERVICE, doip.object_segments({"id": "35.TEST/big", "type": "T", "elements": [{"id": "e"}]},
                                                                                {"e": big}))
        if not created.ok:
            raise Different(f"{created!r}")
        [worker] = run.daemon.workers()
        before = service.resources(worker)
        leave(run, connections)
        if service.resources(worker)[0] <= before[0]:
            raise Different("no connection was open when the link was cut")
        run.link.cut = True
        begun = time.monotonic()
        daemon.until(lambda: service.resources(worker)[0] <= before[0], f"descriptors as before, {before}", PATIENCE * 3 + 10)
        run.count("ms until all were let go of", int(1000 * (time.monotonic() - begun)))
        run.link.cut = False
        run.daemon.request(doip.HELLO, timeout=20)
        if run.daemon.workers() != [worker]:
            raise Different("the worker died")
        run.daemon.stop()
        return run.summary()


def leave(run, number):
    """Connections at each stage, whose clients then say no more."""
    stages = (b"", doip.message(doip.HELLO, SERVICE)[:20], doip.message(doip.RETRIEVE, "35.TEST/big", element="e"),
              doip.message(doip.CREATE, SERVICE, [{"type": "T"}, b"x" * 3000])[:2000])
    run.left = []
    for at in range(number):
        if at % (len(stages) + 1) == len(stages):
            with inside(run.link.spaces[1]):
                run.left.append(socket.create_connection((SERVER, run.daemon.port)))  # and no handshake
        else:
            run.left.append(run.daemon.connect())
            run.left[-1].send(stages[at % (len(stages) + 1)])
        run.count("clients gone")
