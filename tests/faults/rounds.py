"""The rounds that tests/system/test_store_*.py run for some seconds, and tests/faults/long for as long as one likes."""

import os
import random
import shutil
import signal
import tempfile
import time

import daemon
import disk
import races
import world
from content import Different
from layer import Layer

IN_CATALOG = 16384  # elements up to this size are no files: doipd-store(7)


def seed():
    """DOIPD_FAULTS_SEED, or a new one: each failure tells it."""
    return os.environ.get("DOIPD_FAULTS_SEED") or str(random.SystemRandom().randrange(10 ** 9))


def until_time(seconds):
    end = time.monotonic() + seconds
    number = 0
    while number == 0 or time.monotonic() < end:
        yield number
        number += 1


class Round:
    """Runs a crowd over one daemon; what goes wrong says with which seed. With `journal`, over the fault layer, too, which looks at
    files below the state directory or, `everywhere`, at all that the daemon has. `made`: a daemon to use, with the seed."""

    def __init__(self, clients=4, settings=None, journal=None, handlers=("store",), everywhere=False, made=None, **more):
        self.seed = more.pop("seed", None) or seed()
        self.rng = random.Random(self.seed)
        self.daemon = made or daemon.Daemon(handlers, settings)
        self.layer = None
        if everywhere:
            self.log_place = tempfile.TemporaryDirectory(prefix="doipd-test-log-")
            self.daemon.log_path = os.path.join(self.log_place.name, "log")
        if journal is not None:
            self.layer = Layer(self.daemon, journal, self.daemon.dir if everywhere else None)
            more["position"] = self.layer.position
        self.crowd = world.crowd(self.daemon, clients, self.seed, **more)
        self.counts = {}

    def __enter__(self):
        return self

    def __exit__(self, kind, error, _trace):
        self.crowd.stopping.set()
        log = self.daemon.tail(15)
        self.crowd.close()
        self.daemon.remove()
        if self.layer:
            self.layer.close()
        if kind is not None and issubclass(kind, Exception):
            raise AssertionError(f"DOIPD_FAULTS_SEED={self.seed}: {error}\nthe daemon's log:\n{log}") from error

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def summary(self):
        """Figures, for those who run it long."""
        for what in ("steps", "acknowledged") if self.crowd.total("steps") else ():
            self.counts[what] = self.crowd.total(what)
        return ", ".join(f"{number} {what}" for what, number in self.counts.items()) + f" (seed {self.seed})"

    def check(self):
        """With nobody at work: every object is whole, as acknowledged, and no bytes are left that nothing points to."""
        self.crowd.settle()
        there = world.see_all(self.crowd.clients[0].insist, self.crowd.possible())
        for name, thing in self.crowd.things().items():
            thing.state = there.get(name)
        self.crowd.sealed()
        check_files(self.daemon, there)


def files(made):
    """Names of the element files, and what is on its way in."""
    elements = {name for *_, names in os.walk(os.path.join(made.root, "elements")) for name in names}
    return elements, os.listdir(os.path.join(made.root, "incoming"))


def check_files(made, there):
    """Exactly the files that objects point to are there, once the store has cleaned up."""
    wanted = {content_digest for state in there.values() for content_digest in state.file_digests(IN_CATALOG)}

    def tidy():
        elements, incoming = files(made)
        return elements == wanted and not incoming
    try:
        daemon.until(tidy, "files")
    except AssertionError:
        elements, incoming = files(made)
        raise Different(f"elements/ lacks {sorted(wanted - elements)} and has {sorted(elements - wanted)} that no object points to; "
                        f"incoming/ has {incoming}") from None


# ---------------------------------------------------------------- the model

def model(seconds, clients=4, steps=150):
    """Random changes and reads against the model, races for shared objects, restarts and reloads in between."""
    with Round(clients) as run:
        book = races.Book()
        racers = [races.Racer(world.Client(run.daemon, f"r{n}", run.seed), book, run.seed) for n in range(3)]
        everybody = world.Crowd(run.crowd.clients + racers)
        run.daemon.start()
        racers[0].begin()
        for number in until_time(seconds):
            everybody.start(steps)
            if number % 3 == 1:
                run.daemon.send(signal.SIGHUP)
                run.count("reloads")
            everybody.wait()
            if number % 3 == 2:
                everybody.close()
                run.daemon.stop()
                run.daemon.start()
                run.count("restarts")
            run.check()
            book.check(racers[0].client.insist)
        everybody.close()
        run.count("races won", len(book.won))
        run.daemon.stop()
        return run.summary()


# ---------------------------------------------------------------- kills

def kill_pids(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def kill_worker(run):
    kill_pids([run.rng.choice(run.daemon.workers() or [run.daemon.pid])])
    run.count("workers killed")


def kill_all(run):
    """Master and workers; perhaps once more while they come back."""
    run.daemon.kill()
    run.count("services killed")
    while run.rng.random() < 0.3:
        run.daemon.spawn()
        time.sleep(run.rng.random() * 0.12)
        run.daemon.kill()
        run.count("starts killed")
    run.daemon.start()


def kill_master(run):
    """The master alone: its workers finish what they have begun, and end."""
    workers = run.daemon.workers()
    run.daemon.process.kill()
    run.daemon.process.wait()
    daemon.until(lambda: not any(daemon.alive(pid) for pid in workers), "workers without a master to end")
    run.count("masters killed")
    run.daemon.start()


def kills(seconds, clients=4, processes=2):
    """Processes are killed at random moments under load."""
    settings = {"workers": {"processes": processes}, "timeouts": {"shutdown": 1}}
    with Round(clients, settings, searches=False) as run:
        run.daemon.start()
        for number in until_time(seconds):
            run.crowd.start()
            for kill in (kill_all, kill_worker, kill_master if number % 6 == 5 else kill_all):
                time.sleep(run.rng.random() * 0.25)
                kill(run)
            time.sleep(run.rng.random() * 0.1)
            run.crowd.stop()
            run.check()
        run.count("outcomes unknown", run.crowd.total("unknown"))
        run.daemon.stop()
        return run.summary()


def seals(seconds):
    """A worker is killed in a commit, and another one starts: what was not there then is not there later, either."""
    with Round(1, {"workers": {"processes": 2}, "log": {"level": "debug"}}, journal=0, searches=False) as run:
        run.daemon.start()
        for _ in until_time(seconds):
            run.crowd.start()
            time.sleep(0.02 + run.rng.random() * 0.05)
            run.crowd.stopping.set()  # no other commit follows
            logged = len(run.daemon.log())
            kill_worker(run)
            run.crowd.wait()
            run.crowd.settle()
            run.count("changes not done", sum(len(thing.late) for thing in run.crowd.things().values()))
            run.daemon.wait_log("is ready", start=logged)
            run.crowd.sealed()
            kill_all(run)
            run.check()
        run.daemon.stop()
        return run.summary()


# ---------------------------------------------------------------- power cuts

def record(run, seconds):
    """A load, with a crash and an orderly restart in it."""
    run.daemon.start()
    run.crowd.start()
    time.sleep(seconds / 3)
    run.daemon.kill()
    run.daemon.start()
    time.sleep(seconds / 3)
    run.crowd.stop()
    run.crowd.close()
    run.daemon.stop()
    run.daemon.start()
    run.crowd.run_for(seconds / 3)
    run.crowd.settle()
    run.crowd.close()
    run.daemon.kill()


def cuts_of(run, number):
    """Positions in the journal: half of them anywhere, half just after something was acknowledged."""
    acknowledged = [change.acknowledged for thing in run.crowd.things().values() for change in thing.history]
    ends = list(disk.records(run.layer.memory, run.layer.position()))
    return sorted(run.rng.choice(ends if at % 2 else acknowledged) for at in range(number))


def look(made, possible):
    """Starts a daemon on what a power cut has left, and reads all that may be there."""
    client = world.Client(made, "look", 0)
    try:
        made.start()
        check_files(made, world.see_all(client.insist, possible))
    finally:
        client.close()
        made.kill()


def examine(run, cuts, forgotten):
    """Makes what each of the cuts may have left, and has a look at it."""
    device = disk.Disk(run.layer.memory, os.stat(run.daemon.state).st_ino, forgotten)
    made = daemon.Daemon(("store",))
    try:
        for cut in cuts:
            mode = run.rng.choice(disk.MODES)
            device.follow(cut)
            shutil.rmtree(made.state, ignore_errors=True)
            os.makedirs(made.state)
            device.write_out(made.state, run.rng, mode)
            try:
                look(made, {name: thing.possible(cut) for name, thing in run.crowd.things().items()})
            except AssertionError as error:
                raise Different(f"power cut at {cut} of {run.layer.position()}, {mode} of what was not synced: {error}") from error
            run.count("power cuts")
    finally:
        made.remove()


def power(seconds, cuts, clients=4, forgotten=None):
    """Records a load for so many seconds, and cuts the power so many times in it."""
    with Round(clients, journal=4 << 30, searches=False) as run:
        record(run, seconds)
        run.layer.recorded()
        run.count("MB of journal", run.layer.position() >> 20)
        examine(run, cuts_of(run, cuts), forgotten)
        return run.summary()
