"""Rounds with calls of any kind that fail, do less, or stall: while the service starts, answers, reloads and ends (doc/testing.md)."""

import functools
import os
import re
import subprocess
import time

import daemon
import doip
import rounds
import trouble
import world
from content import Different
from daemon import SERVICE
from layer import FOREVER

# What may become of calls of each kind: an errno, "short", or milliseconds; and so many in a row.
FAULTS = {
    "memory": (("ENOMEM", 1), ("ENOMEM", FOREVER)),
    "map": (("ENOMEM", 1),),
    "receive": (("ECONNRESET", 1), ("EAGAIN", 1), ("EINTR", 3), ("ENOMEM", 1), ("short", FOREVER), (50, 3)),
    "send": (("EPIPE", 1), ("EAGAIN", 1), ("ENOBUFS", 1), ("short", FOREVER), (50, 3)),
    "message": (("ENOBUFS", 1), ("EAGAIN", 1), ("EINTR", 3), (50, 3)),
    "accept": (("EMFILE", 1), ("ECONNABORTED", 1), ("ENOBUFS", 1), ("EINTR", 3)),
    "wait": (("EINTR", 1), ("ENOMEM", 3)),
    "arm": (("ENOMEM", 1), ("ENOSPC", 1)),
    "TLS read": (("EIO", 1), ("short", FOREVER), (50, 2)),
    "TLS write": (("EIO", 1), ("short", FOREVER), (50, 2)),
    "fork": (("EAGAIN", 1),),
    "thread": (("EAGAIN", 1), ("EAGAIN", FOREVER)),
    "descriptor": (("EMFILE", 1),),
    "open": (("EMFILE", 1), ("EIO", 1)),
    "read": (("EIO", 1), ("EINTR", 1), ("short", FOREVER)),
    "write": (("short", FOREVER), ("EINTR", 1)),
    "sync": (("EIO", 1), (50, 3)),
    "link": (("EIO", 1),),
}
SETTINGS = {"workers": {"processes": 1, "threads": 8}, "timeouts": {"handshake": 12, "read": 12, "write": 12, "shutdown": 2},
            "log": {"level": "debug"}}
SERVES = 2     # seconds for a first answer of a service that says that it serves, while calls go wrong
HUNG = 9       # seconds for an answer: less than any of doipd's time limits, which must not be what ends it
TOLD = re.compile(r"\b(error|warning|info|notice|critical)\b.*(ended|can't|refused|failed|memory|500)|Status\.500", re.I)
MINIMAL = ("hello",)


def fault_name(fault):
    kind, how, most = fault
    return f"{kind}: {how if isinstance(how, str) else f'{how} ms'}{' for good' if most == FOREVER else f' x {most}' if most > 1 else ''}"


def faults(chosen=None):
    """All of them, or those of one kind."""
    return [(kind, how, most) for kind, ways in FAULTS.items() for how, most in ways if chosen in (None, kind)]


class Caller(trouble.Walker):
    """A client of a service in trouble: an answer, or an end of the connection, must come in time, and the log must tell why."""

    told = True  # False: a connection may end between requests without a word
    patience = HUNG

    def __init__(self, run):
        super().__init__(run)
        self.first = {}

    def ask(self, operation, target, segments=(), **attributes):
        begun, before = time.monotonic(), len(self.daemon.log())
        response = world.Client.ask(self, operation, target, segments, **attributes)
        took = time.monotonic() - begun
        if took > self.patience:
            raise Different(f"{operation}: {took:.1f} s until {response!r}")
        if response is not None and response.ok or response is not None and response.status in (doip.UNKNOWN, doip.DUPLICATE):
            return response
        self.run.count("answers 500" if response is not None else "connections ended")
        if response is not None and (response.status != doip.ERROR or not response.reason):
            raise Different(f"{operation}: {response!r}")
        if self.told or response is not None:
            daemon.until(lambda: TOLD.search(self.daemon.log()[before:]), f"a word in the log on why {operation} failed ({response!r})", 5)
        return response

    def retrieves(self):
        response = self.ask(doip.RETRIEVE, self.thing.name, includeElementData=True)
        if self.answered(response):
            self.thing.state.check(self.thing.name, *response.elements())

    def searches(self):
        self.found(self.ask)

    def found(self, ask):
        """A search finds the object just where it is there: nothing of it was lost on the way into the index."""
        number = self.thing.state.attributes["content"]["n"] if self.thing.state else -1
        response = ask(doip.SEARCH, SERVICE, query=f"type:Walk /n:{number}", type="id", sortFields="/n")
        wanted = [self.thing.name] if self.thing.state else []
        if self.answered(response) and response.output["results"] != wanted:
            raise Different(f"a search finds {response.output}, not {wanted}")

    def same(self, operation, response):
        """An answer that never changes, and is never short of anything. The first one came before any trouble."""
        if self.answered(response) and self.first.setdefault(operation, response.output) != response.output:
            raise Different(f"{operation}: {response.output}, not {self.first[operation]}")

    def hellos(self):
        self.same(doip.HELLO, self.ask(doip.HELLO, SERVICE))

    def lists(self):
        self.same(doip.LIST, self.ask(doip.LIST, SERVICE))

    def greets(self):
        self.same("Greet", self.ask("20.EXAMPLE/Greet", SERVICE, times=3))


def resources(pid):
    """(descriptors, threads) of a process; but for those of the catalog, which the store keeps for the next who reads."""
    kept = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            kept += not re.search(r"\.db(-\w+)?$", os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            pass
    return kept, len(os.listdir(f"/proc/{pid}/task"))


class Trouble(rounds.Round):
    """A daemon whose calls go wrong, one of them or all from it on."""

    def __init__(self, handlers=("store",), settings=SETTINGS):
        super().__init__(1, settings, journal=0, handlers=handlers, everywhere=True, lenient=True)
        self.caller = Caller(self)

    def __exit__(self, kind, error, trace):
        self.caller.close()
        super().__exit__(kind, error, trace)

    def spoil(self, fault, number):
        kind, how, most = fault
        self.layer.fail(how, (kind,), number, most)

    def mend(self, fault, number):
        seen = self.layer.mend()
        self.count("calls failed", min(max(seen - number, 0), fault[2]))
        return seen

    def some(self, chosen):
        """The faults that were chosen, or so many at random; memory is always among them."""
        if not isinstance(chosen, int):
            return chosen
        return [("memory", *way) for way in FAULTS["memory"]] + self.rng.sample([f for f in faults() if f[0] != "memory"], chosen)

    def places(self, fault, calls, most):
        """Numbers of calls to spoil: a sample of `most`; 0: all of them, but of the calls for memory one from each place, which is a
        chain of callers. `calls` makes them once, well."""
        if fault[0] == "memory" and not most:
            chosen, seen = self.layer.callers(fault[0], calls)
            self.count("calls seen", seen)
            return chosen
        self.layer.fail(fault[1], (fault[0],), FOREVER)
        calls()
        seen = self.layer.mend()
        return sorted(self.rng.sample(range(seen), min(seen, most or seen)))

    def usable(self):
        """All is well again, and was not lost on the way."""
        self.caller.close()
        if not daemon.until(lambda: self.daemon.request(doip.HELLO).ok, "an answer when all is well again", 10):
            raise Different("unreachable")

    def settled(self, pids, before):
        """Nothing has leaked."""
        self.caller.close()

        def same():
            now = [resources(pid) for pid in pids]
            return all(got[0] <= had[0] and got[1] <= had[1] for got, had in zip(now, before))
        daemon.until(same, f"descriptors and threads as before: {before}, and now {[resources(pid) for pid in pids]}", 20)


def exchange(run, operation):
    """One fresh connection, one operation."""
    caller = run.caller
    caller.close()
    caller.failed.clear()
    getattr(caller, operation)()
    caller.close()


OPERATIONS = {"store": ("creates", "retrieves", "updates", "searches", "deletes"), "hello": ("hellos", "lists", "greets")}


def walk_operation(run, fault, operation, most):
    caller = run.caller
    stores = "store" in run.daemon.settings["handler"]

    def prepare():
        if stores:
            caller.prepare()
            if operation != "creates":
                caller.creates()

    prepare()
    for number in run.places(fault, lambda: exchange(run, operation), most):
        prepare()
        run.spoil(fault, number)
        try:
            exchange(run, operation)
        except AssertionError as error:
            raise Different(f"{operation}, {fault_name(fault)}, call {number}: {error}") from error
        run.mend(fault, number)
        run.usable()
        if stores:
            if caller.thing.open:
                caller.settle(caller.thing)
            world.see(caller.insist, caller.thing.name, [caller.thing.state])
            caller.found(caller.insist)
        run.count("operations")


def answers(chosen, most, handlers=("store",)):
    """Every operation, on a connection of its own, with `most` of the calls that each makes spoiled, one by one. `chosen` are the faults,
    or how many of them."""
    with Trouble(handlers) as run:
        run.daemon.start()
        operations = OPERATIONS[handlers[0]]
        for operation in operations * 3:
            if handlers[0] == "store" and operation == "creates":
                run.caller.prepare()
            exchange(run, operation)
        workers = run.daemon.workers()
        time.sleep(0.2)
        before = [resources(pid) for pid in workers]
        for fault in run.some(chosen):
            for operation in operations:
                walk_operation(run, fault, operation, most)
                if run.daemon.workers() != workers:
                    raise Different(f"{operation}, {fault_name(fault)}: a worker died")
        run.settled(workers, before)
        run.daemon.stop()
        return run.summary()


# ---------------------------------------------------------------- start, reload, end

def answers_or_serves(run, before):
    """Waits for a start: true when it answers, false when it serves but can't for so long as calls go wrong. AssertionError: it has ended."""
    served = []

    def done():
        if run.daemon.answers():
            return "answers"
        if "serving " in run.daemon.log()[before:]:
            served.append(time.monotonic())
        return served and served[-1] - served[0] > SERVES and "serves"
    return daemon.until(done, "an answer", 20, 0.05) == "answers"


def start_once(run, fault, number):
    """It starts in spite of what goes wrong, or says why not."""
    run.daemon.kill()
    before = len(run.daemon.log())
    run.spoil(fault, number)
    run.daemon.spawn()
    try:
        answered = answers_or_serves(run, before)
    except AssertionError as error:
        run.mend(fault, number)
        status, said = run.daemon.process.poll(), run.daemon.log()[before:]
        if status != 1 or "there is no user" in said or not re.search("can't|failed|memory|refuses|no descriptors|not ready", said):
            raise Different(f"call {number} of a start, {fault_name(fault)}: status {status}, {error}; it said {said}") from None
        run.count("starts refused")
        return
    run.mend(fault, number)
    run.count("starts in spite of it" if answered else "starts that answer when all is well again")
    run.usable()
    run.daemon.stop()


def reload_once(run, fault, number):
    """The new generation serves, or the old one goes on and the log says why."""
    before = len(run.daemon.log())
    run.spoil(fault, number)
    run.daemon.send(1)
    try:
        done = run.daemon.wait_log("reloaded: |reload refused", 45, before)
    except AssertionError as error:
        raise Different(f"call {number} of a reload, {fault_name(fault)}: {error}") from None
    run.mend(fault, number)
    run.count("reloads done" if done.group().startswith("reloaded") else "reloads refused")
    run.usable()
    count = run.daemon.settings["workers"]["processes"]
    daemon.until(lambda: len(run.daemon.workers()) == count, f"{count} workers after call {number} of a reload, {fault_name(fault)}")


def end_once(run, fault, number):
    """It ends in order, however much goes wrong."""
    run.daemon.start()
    with run.daemon.connect():
        run.spoil(fault, number)
        try:
            run.daemon.stop()
        except AssertionError as error:
            raise Different(f"call {number} of an end, {fault_name(fault)}: {error}") from None
        run.mend(fault, number)
        run.count("ends")


def starts(chosen, most, handlers=("store",)):
    """A start, likewise."""
    with Trouble(handlers) as run:
        def calls():
            run.daemon.start()
            run.daemon.stop()
        calls()
        for fault in run.some(chosen):
            for number in run.places(fault, calls, most):
                start_once(run, fault, number)
        run.daemon.start()
        run.usable()
        run.daemon.stop()
        return run.summary()


def reloads(chosen, most, handlers=("store",)):
    """A reload, likewise."""
    with Trouble(handlers) as run:
        run.daemon.start()
        run.daemon.reload()
        master = resources(run.daemon.pid)
        for fault in run.some(chosen):
            for number in run.places(fault, run.daemon.reload, most):
                reload_once(run, fault, number)
        run.daemon.reload()
        run.settled([run.daemon.pid], [master])
        run.daemon.stop()
        return run.summary()


def ends(chosen, most, handlers=("store",)):
    """The end of a service that has a client, likewise."""
    with Trouble(handlers) as run:
        for fault in run.some(chosen):
            run.daemon.start()
            for number in run.places(fault, run.daemon.stop, most):
                end_once(run, fault, number)
        return run.summary()


# ---------------------------------------------------------------- an operator asks

COMMANDS = ("status", "workers", "connections", "handlers", "metrics", "log-level debug")


def doipctl(run, command):
    return subprocess.run([os.path.join(daemon.BUILD, "doipctl"), "-c", run.daemon.conf, *command.split()], capture_output=True, text=True,
                          timeout=20, check=False)


def ask_once(run, fault, command, number):
    """The master answers, or says that it can't; nobody notices but who asked."""
    run.spoil(fault, number)
    done = doipctl(run, command)
    run.mend(fault, number)
    run.count("questions")
    run.count("not answered", done.returncode != 0)
    if done.returncode not in (0, 1, 3) or (done.returncode != 0 and not done.stderr):
        raise Different(f"doipctl {command}, {fault_name(fault)}, call {number}: {done}")


def asks(chosen, most, handlers=("store",)):
    """What doipctl asks the master, likewise."""
    with Trouble(handlers) as run:
        run.daemon.start()
        everybody = run.daemon.workers() + [run.daemon.pid]
        doipctl(run, "status")
        before = resources(run.daemon.pid)
        with run.daemon.connect() as connection:
            for fault in run.some(chosen):
                for command in COMMANDS:
                    for number in run.places(fault, functools.partial(doipctl, run, command), most):
                        ask_once(run, fault, command, number)
                    if doipctl(run, command).returncode != 0:
                        raise Different(f"doipctl {command} fails when all is well again after {fault_name(fault)}")
            if connection.request(doip.HELLO, SERVICE) is None or run.daemon.workers() + [run.daemon.pid] != everybody:
                raise Different("a client, or a worker, had to do with it")
        run.settled([run.daemon.pid], [before])
        run.daemon.stop()
        return run.summary()
