"""A run of the crowd: a doipd, the processes that carry the clients, samples, the verdict."""

import ctypes
import multiprocessing
import resource
import sys
import time

import doip
from daemon import Daemon, SERVICE, die_with_parent, until
from kinds import Count, KINDS, LARGE, OBJECTS, OPENING, SMALL, Idle, Thing
from link import tls_context
from measure import Sample, Verdict
from tasks import Tasks

SHARES = {"busy": 50, "slow reader": 10, "slow upload": 10, "slow head": 5}  # of a thousand; the others are idle
GATHERED = 10       # connections a second are made at least
WORKERS = 2
SETTLED = 60        # seconds in which the service must be as before
DESCRIPTORS = 1000  # that a process needs beside its connections
ERRORS_SHOWN = 5    # of each process


class Counts:
    """Of one kind of client, summed up over the processes."""

    def __init__(self, clients, rows):
        self.clients = clients
        self.open, self.done, self.errors = (sum(row[count] for row in rows) for count in Count)


class World:
    """What all clients of a process have in common. `rows`: what it counts, by kind, in memory that it shares with the parent; `pace`: in a short
    run slow clients are less slow, so that each gets something done."""

    def __init__(self, port, things, large, options, rows):
        self.port, self.things, self.large, self.rows = port, things, large, rows
        self.tls = tls_context()
        self.pause = max(1, options.connections * SHARES["busy"] // 1000) / options.rate
        self.pace = min(1, max(options.seconds / 180, options.connections / 10000))
        self.idle = 100 * self.pace
        self.opening = 0
        self.shown = 0

    def count(self, client, what, number=1):
        self.rows[client.name][what] += number

    def wrong(self, client, error):
        self.count(client, Count.ERRORS)
        self.shown += 1
        if self.shown <= ERRORS_SHOWN:
            print(f"# {client.name} client {client.number}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)


def carry(world, numbers, kind_of, ended):
    """One process of clients."""
    die_with_parent()
    tasks = Tasks()
    coming = iter(numbers)
    while not ended.is_set():
        number = next(coming, None) if world.opening < OPENING else None
        if number is not None:
            tasks.start(kind_of(number)(world, number))
        tasks.turn()


class Crowd:
    """The processes of clients; leaving it ends them, and with them the connections."""

    def __init__(self, made, things, large, options):
        self.clients = {name: max(1, options.connections * share // 1000) for name, share in SHARES.items()}
        self.clients[Idle.name] = options.connections - sum(self.clients.values())
        self.kinds = [kind for kind in KINDS for _ in range(self.clients[kind.name])]
        self.ended = multiprocessing.Event()
        self.rows, self.processes = [], []
        for index in range(options.processes):
            rows = {kind.name: multiprocessing.RawArray(ctypes.c_int64, len(Count)) for kind in KINDS}
            self.rows.append(rows)
            self.processes.append(multiprocessing.Process(
                target=carry, daemon=True,
                args=(World(made.port, things, large, options, rows), range(index, options.connections, options.processes),
                      self.kinds.__getitem__, self.ended)))

    def __enter__(self):
        for process in self.processes:
            process.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        for process in self.processes:
            process.join()

    def counts(self):
        return {name: Counts(clients, [rows[name] for rows in self.rows]) for name, clients in self.clients.items()}

    def all_there(self):
        return all(count.open >= count.clients for count in self.counts().values())


def lacks(options):
    """What this machine lacks for it; None. Takes as many descriptors as it may have."""
    needed = options.connections + DESCRIPTORS
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < needed:
        return f"each process needs {needed} descriptors and may have {most}: raise the limit (ulimit -Hn {needed}, as root)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return None


def settings(options):
    """Timeouts leave room for a machine that has more to do than this."""
    return {"workers": {"processes": WORKERS, "threads": 256, "connections": options.connections},
            "timeouts": {"handshake": 60, "read": 60, "write": 60}, "log": {"access": False}}


def one_of_everything(made, things):
    """So that what is made once is there before memory is compared: caches, connections of the catalog, threads. Connections that are open at
    once go to all workers."""
    connections = [made.connect() for _ in range(16)]
    for connection in connections:
        for thing in things:
            connection.request(doip.RETRIEVE, thing.name)
            connection.request(doip.RETRIEVE, thing.name, attributes={"element": "data"})
        connection.request(doip.SEARCH, SERVICE, attributes={"query": "type:Crowd", "type": "id"})
        Thing("first", SMALL).create(connection)
        connection.request(doip.DELETE, Thing("first", 0).name)
    for connection in connections:
        connection.close()


class Run:
    def __init__(self, made, options):
        self.made, self.options = made, options
        self.begun = time.monotonic()
        self.before = None
        self.crowd = None

    def sample(self):
        made = Sample(self.made, self.begun, self.crowd.counts())
        print(made.line(self.before), flush=True)
        self.before = made
        return made

    def gather(self):
        """Waits until all are connected. If they never are, the verdict will say so."""
        end = time.monotonic() + 20 + self.options.connections / GATHERED
        while not self.crowd.all_there() and time.monotonic() < end:
            time.sleep(0.2)

    def watch(self):
        """The samples while the crowd is there."""
        start, step = time.monotonic(), self.options.seconds / (self.options.samples - 1)
        samples = []
        for number in range(self.options.samples):
            time.sleep(max(0, start + number * step - time.monotonic()))
            samples.append(self.sample())
        return samples

    def wait_empty(self):
        until(lambda: Sample(self.made, self.begun, {}).connections["open"] == 0, "connections to end")

    def settle(self, before):
        """The last sample: when the service is as before, or has had its time."""
        end = time.monotonic() + SETTLED
        while Sample(self.made, self.begun, self.crowd.counts()).differences(before) and time.monotonic() < end:
            time.sleep(1)
        return self.sample()


def run(options):
    """Prints the table and the verdict: true when all held."""
    made = Daemon(("store",), settings(options))
    try:
        made.start()
        return gathered(made, options)
    finally:
        made.kill()
        made.remove()


def gathered(made, options):
    things = [Thing(number, SMALL) for number in range(OBJECTS)]
    large = Thing(OBJECTS, LARGE)
    runs = Run(made, options)
    runs.crowd = Crowd(made, things, large, options)
    print(Sample.heading(WORKERS))
    runs.sample()
    with made.connect() as connection:
        for thing in (*things, large):
            thing.create(connection)
    one_of_everything(made, things)
    runs.wait_empty()
    before = runs.sample()
    with runs.crowd:
        runs.gather()
        full = runs.watch()
    after = runs.settle(before)
    verdict = Verdict(before, full, after, made.log())
    print("\n".join(verdict.findings))
    made.stop()
    return verdict.held
