"""The clients of the crowd: what each kind does on its connection, again and again, and what it holds the service to."""

import enum
import random

import doip
from daemon import PREFIX, SERVICE
from link import Link, Wrong

SMALL = 12 * 1024        # a busy client's element: a row in the catalog
LARGE = 16 << 20         # what slow readers take ranges of: more than the system holds between service and client
RANGES = 1 << 20, LARGE  # bytes
UPLOADS = (48 * 1024, 128 * 1024)  # what comes in whole before a handler runs, and what a handler waits for
OBJECTS = 50
OPENING = 16             # handshakes at once, in each process
AGAIN = 2                # seconds before a client whose connection broke comes back


class Count(enum.IntEnum):
    """What a process of clients counts of each kind."""
    OPEN = 0
    DONE = 1
    ERRORS = 2


def own(answer):
    """An object's attributes but for what the store adds to them."""
    return {name: value for name, value in answer.output["attributes"].items() if name != "metadata"}


class Client:
    """One of the crowd. `world` is what all have in common."""

    name = None
    rate = 0  # bytes per second that it reads; 0: as fast as they come

    def __init__(self, world, number):
        self.world, self.number = world, number
        self.random = random.Random(number)
        self.again = False  # it had a connection before
        self.link = Link(world.port, f"127.0.{1 + number % 4}.{1 + number % 200}", world.tls, self.rate / world.pace)

    @property
    def socket(self):
        return self.link.socket

    def run(self):
        while True:
            try:
                yield from self.open()
                self.world.count(self, Count.OPEN)
                try:
                    yield from self.live()
                finally:
                    self.world.count(self, Count.OPEN, -1)
            except (OSError, ValueError, KeyError, TypeError, Wrong) as error:
                self.world.wrong(self, error)
                self.link.close()
                yield 0, AGAIN * self.random.uniform(0.5, 1.5)
            else:
                self.link.close()

    def open(self):
        """One of a few at a time (gathering.py), or each would wait for all others' handshakes."""
        while self.again and self.world.opening >= OPENING:
            yield 0, self.random.uniform(0.5, 2)
        self.world.opening += 1
        try:
            yield from self.link.open()
        finally:
            self.world.opening -= 1
            self.again = True

    def done(self, number=1):
        self.world.count(self, Count.DONE, number)

    def live(self):
        """What it does on a connection, for as long as it likes."""
        raise NotImplementedError

    def check(self, got, expected, what):
        if got != expected:
            raise Wrong(f"{what}: {str(got)[:300]} instead of {str(expected)[:300]}")


class Idle(Client):
    """Says Hello, and is quiet for as long as it may be; timeouts.idle is longer."""

    name = "idle"

    def live(self):
        while True:
            answer = yield from self.link.ask(doip.HELLO, SERVICE)
            self.check(answer.output["id"], SERVICE, "Hello")
            self.done()
            yield from self.link.quiet(self.world.idle * self.random.uniform(0.5, 1.5))


class SlowReader(Client):
    """Takes a range of a large element, a TLS record at a time, with a small receive buffer: mostly the handler waits for it. Not more slowly than
    this: the service may only see that a client reads when a third of what the system holds for it (up to 4 MiB) has gone, and that must be within
    timeouts.write."""

    name = "slow reader"
    rate = 64 << 10

    def live(self):
        while True:
            size = self.random.randint(*RANGES)
            start = self.random.randint(0, LARGE - size)
            answer = yield from self.link.ask(doip.RETRIEVE, self.world.large.name, element="data", range={"start": start, "end": start + size - 1})
            self.check(answer.digest.hexdigest(), doip.sha256(memoryview(self.world.large.data)[start:start + size]), "Retrieve of a range")
            self.done()


class SlowHead(Client):
    """Sends a request byte by byte: all of it within the time that body_rate does not count, and each byte within timeouts.read."""

    name = "slow head"

    def live(self):
        while True:
            yield from self.link.send_slowly(doip.message(doip.HELLO, SERVICE), 1, self.world.pace * self.random.uniform(10, 20))
            answer = yield from self.link.answer("Hello, byte by byte")
            self.check(answer.output["id"], SERVICE, "Hello, byte by byte")
            self.done()


class SlowUpload(Client):
    """Creates an object with an element that trickles in at some 8 KiB a second, and deletes it."""

    name = "slow upload"

    def live(self):
        for size in self.random.sample(UPLOADS, len(UPLOADS)):
            element = self.random.randbytes(size)
            segments = doip.object_segments({"type": "Upload", "elements": [{"id": "data"}]}, {"data": element})
            yield from self.link.send_slowly(doip.message(doip.CREATE, SERVICE, segments), 4096, self.world.pace * size / 8192)
            answer = yield from self.link.answer("a slow Create")
            self.check(answer.output["elements"][0]["length"], size, "a slow Create")
            name = answer.output["id"]
            answer = yield from self.link.ask(doip.RETRIEVE, name, element="data")
            self.check(answer.digest.hexdigest(), doip.sha256(element), "Retrieve of what was created")
            yield from self.link.ask(doip.DELETE, name)
            self.done()
        yield 0, 1


class Busy(Client):
    """One request after the other, with short pauses; sometimes on a new connection."""

    name = "busy"

    def live(self):
        steps = [self.hello] * 4 + [self.retrieve] * 4 + [self.element] * 4 + [self.search, self.change]
        for _ in range(self.random.randrange(20, 60)):
            yield from self.random.choice(steps)()
            yield 0, self.world.pause * self.random.uniform(0.5, 1.5)

    def hello(self):
        answer = yield from self.link.ask(doip.HELLO, SERVICE)
        self.check(answer.output["id"], SERVICE, "Hello")
        self.done()

    def retrieve(self):
        thing = self.random.choice(self.world.things)
        answer = yield from self.link.ask(doip.RETRIEVE, thing.name)
        self.check((answer.output["id"], own(answer)), (thing.name, thing.attributes), "Retrieve")
        self.done()

    def element(self):
        thing = self.random.choice(self.world.things)
        answer = yield from self.link.ask(doip.RETRIEVE, thing.name, element="data")
        self.check(answer.digest.hexdigest(), thing.digest, "Retrieve of an element")
        self.done()

    def search(self):
        thing = self.random.choice(self.world.things)
        answer = yield from self.link.ask(doip.SEARCH, SERVICE, query=f"/attributes/title:{thing.attributes['title']}", type="id")
        self.check(answer.output["results"], [thing.name], "Search")
        self.done()

    def change(self):
        name = f"{PREFIX}/busy-{self.number}"
        yield from self.link.ask(doip.CREATE, SERVICE, [{"id": name, "type": "Change", "attributes": {"count": 1}}])
        answer = yield from self.link.ask(doip.UPDATE, name, [{"id": name, "attributes": {"count": 2}}])
        self.check(own(answer), {"count": 2}, "Update")
        yield from self.link.ask(doip.DELETE, name)
        self.done(3)


KINDS = (Idle, SlowHead, SlowUpload, SlowReader, Busy)  # in the order in which they come


class Thing:
    """An object that is there for all."""

    def __init__(self, number, size):
        self.name = f"{PREFIX}/crowd-{number}"
        self.attributes = {"number": number, "title": f"title{number}"}
        self.data = random.Random(number).randbytes(size)
        self.digest = doip.sha256(self.data)

    def create(self, connection):
        value = {"id": self.name, "type": "Crowd", "attributes": self.attributes, "elements": [{"id": "data"}]}
        answer = connection.request(doip.CREATE, SERVICE, doip.object_segments(value, {"data": self.data}))
        if not answer.ok:
            raise Wrong(f"can't create {self.name}: {answer!r}")
