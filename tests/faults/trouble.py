"""Rounds with a disk that fails (rounds.py): one call after the other, at random under load, at the start, and full in truth."""

import errno
import os
import re
import subprocess

import content
import doip
import rounds
import world
from content import Different
from daemon import PREFIX, SERVICE
from layer import FOREVER, TROUBLE


def explained(response, error):
    """That an operator who reads this knows what could not be done, and why."""
    number = getattr(errno, error)
    whys = (os.strerror(number),) + ("disk is full",) * (error == "ENOSPC")  # which SQLite knows by itself
    if not any(why in response.reason for why in whys) or not re.search("catalog|index|element", response.reason):
        raise Different(f"with {error}: {response.reason!r}")


class Walker(world.Client):
    """Makes one change while the disk is in trouble."""

    def __init__(self, run):
        super().__init__(run.daemon, "walker", 1, lenient=True)
        self.run = run
        self.thing = None
        self.number = 0
        self.failed = []  # responses
        self.sizes = (20000, 100, 700000)

    def ask(self, operation, target, segments=(), **attributes):
        response = super().ask(operation, target, segments, **attributes)
        if response is None:
            raise Different("a worker died, or broke the connection")
        if response.status == doip.ERROR:
            self.failed.append(response)
        return response

    def fresh(self):
        """New contents in every walk: bytes that are there already are not written."""
        self.number += 1
        elements = [content.Element(name, None, None, (size, self.number)) for name, size in zip("abc", self.sizes)]
        return content.State("Walk", {"content": {"n": self.number}}, elements)

    def prepare(self):
        self.thing = world.Thing(f"{PREFIX}/walk-{self.number}")
        self.things = {self.thing.name: self.thing}

    def creates(self):
        state = self.fresh()
        value = {"id": self.thing.name, "type": state.kind, "attributes": state.attributes,
                 "elements": [e.given() for e in state.elements]}
        self.change(self.thing, state, doip.CREATE, SERVICE, doip.object_segments(value, state.data()))

    def updates(self):
        new = self.fresh()
        value = {"attributes": new.attributes, "elements": [e.given() for e in new.elements]}
        self.change(self.thing, self.thing.state.changed(None, new.attributes, new.elements, ()), doip.UPDATE, self.thing.name,
                    doip.object_segments(value, new.data()))

    def deletes(self):
        self.change(self.thing, None, doip.DELETE, self.thing.name)


def walk(error, operation, most=1, limit=400, stride=1, kinds=None, sizes=None):
    """The Nth call fails (and `most` with it), for each N until the change needs no more calls. What is refused in the middle is read to
    its end: past `limits.unread` the connection may close before its client has read the answer."""
    with rounds.Round(1, {"workers": {"processes": 1}, "limits": {"unread": "64M"}}, journal=0) as run:
        run.daemon.start()
        walker = Walker(run)
        walker.sizes = sizes or walker.sizes
        workers = run.daemon.workers()
        for number in range(0, limit, stride):
            walker.failed.clear()
            walker.prepare()
            if operation != "creates":
                walker.creates()
            run.layer.fail(error, kinds or TROUBLE[error], number, most)
            getattr(walker, operation)()
            seen = run.layer.mend()
            run.count("calls failed", min(max(seen - number, 0), most))
            for response in walker.failed:
                explained(response, error)
                run.count("answers 500")
            there = walker.thing.open is None
            if not there:
                walker.settle(walker.thing)
            world.see(walker.ask, walker.thing.name, [walker.thing.state])
            if walker.thing.state is not None:
                walker.deletes()
            if seen <= number and there:
                break
        else:
            raise Different(f"a change that makes {limit} calls")
        walker.failed.clear()
        walker.prepare()
        walker.creates()
        rounds.check_files(run.daemon, {walker.thing.name: walker.thing.state})
        if run.daemon.workers() != workers:
            raise Different("a worker died")
        walker.close()
        run.daemon.stop()
        return run.summary()


def tidy_again():
    """What could not be removed is removed by itself when that is possible again, though nobody asks for anything."""
    with rounds.Round(1, {"workers": {"processes": 1}}, journal=0) as run:
        run.daemon.start()
        walker = Walker(run)
        walker.prepare()
        run.layer.fail("EIO", ("unlink",))
        walker.creates()
        if walker.failed or not rounds.files(run.daemon)[1]:
            raise Different("a create that can't remove what it needs no more should succeed, and leave that")
        run.layer.mend()
        rounds.check_files(run.daemon, {walker.thing.name: walker.thing.state})
        walker.close()
        run.daemon.stop()


def storm(seconds, clients=4):
    """Under load, trouble of any kind comes and goes."""
    read_away = {"limits": {"unread": "64M"}}  # so that a refusal never has to end a connection
    with rounds.Round(clients, read_away, journal=0, lenient=True) as run:
        run.daemon.start()
        workers = run.daemon.workers()
        for _ in rounds.until_time(seconds):
            error = run.rng.choice(sorted(TROUBLE))
            run.crowd.start()
            for _burst in range(4):
                run.crowd.stopping.wait(run.rng.random() * 0.1)
                most = run.rng.choice((1, 3, FOREVER))
                run.layer.fail(error, run.rng.sample(TROUBLE[error], run.rng.randrange(1, len(TROUBLE[error]) + 1)),
                               run.rng.randrange(40), most)
                run.crowd.stopping.wait(run.rng.random() * 0.15)
                run.layer.mend()
            run.crowd.stop()
            run.count("rounds")
            run.crowd.settle()
            run.check()
            if run.daemon.workers() != workers:
                raise Different(f"a worker died: {run.daemon.tail()}")
        run.count("answers 500", run.crowd.total("refused"))
        if run.crowd.total("unknown"):
            raise Different(f"{run.crowd.total('unknown')} connections broke")
        run.daemon.stop()
        return run.summary()


def starts(error, stride=1, limit=2000):
    """The Nth call of a start fails: it succeeds all the same, or ends with 1 and says why; nothing is lost."""
    with rounds.Round(1, {"workers": {"processes": 1}}, journal=0) as run:
        run.daemon.start()
        run.crowd.start(60)
        run.crowd.wait()
        run.crowd.close()
        for number in range(run.rng.randrange(stride), limit, stride):
            run.daemon.kill()
            run.layer.fail(error, TROUBLE[error], number, FOREVER)
            before = len(run.daemon.log())
            run.daemon.spawn()
            try:
                run.daemon.wait_ready()
                run.count("starts in spite of it")
            except AssertionError:
                said = run.daemon.log()[before:]
                status = run.daemon.process.poll()
                if status != 1 or not re.search("can't|failed", said) or os.strerror(getattr(errno, error)) not in said:
                    raise Different(f"call {number} of a start fails with {error}: ended with {status} and said {said}") from None
                run.count("starts refused")
            seen = run.layer.mend()
            if seen <= number:
                break
        run.daemon.kill()
        run.daemon.start()
        run.check()
        return run.summary()


# ---------------------------------------------------------------- a disk that is full in truth

class Mount:
    """A small file system in memory; None of it where the machine does not allow that."""

    def __init__(self, path, size):
        self.path, self.mounted = path, False
        os.makedirs(path)
        self.mounted = self.run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", path)

    def run(self, *command):
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def resize(self, size):
        if not self.run("mount", "-o", f"remount,size={size}", self.path):
            raise AssertionError(f"{self.path} can't be given the size {size}")

    def close(self):
        if self.mounted:
            self.run("umount", "-l", self.path)


def fill(walker, size):
    """Creates objects with an element of that size until one is refused. Their things."""
    things = []
    while not walker.failed:
        walker.number += 1
        walker.prepare()
        state = content.State("Full", {"content": {"n": walker.number}}, [content.Element("e", None, None, (size, 1000 + walker.number))])
        value = {"id": walker.thing.name, "type": state.kind, "attributes": state.attributes, "elements": [{"id": "e"}]}
        walker.change(walker.thing, state, doip.CREATE, SERVICE, doip.object_segments(value, state.data()))
        things.append(walker.thing)
    explained(walker.failed.pop(), "ENOSPC")
    walker.settle(things[-1])
    return things


def full(size="24M"):
    """The disk fills up with large elements, then with small ones; then there is room again. None: it can't be mounted."""
    with rounds.Round(1) as run:
        mount = Mount(run.daemon.path("small"), size)
        try:
            if not mount.mounted:
                return None
            run.daemon.root = os.path.join(mount.path, "store")
            run.daemon.change({"handler": {"store": {"options": {"root": run.daemon.root}}}})
            run.daemon.start()
            workers = run.daemon.workers()
            walker = Walker(run)
            things = fill(walker, 200000) + fill(walker, 1000)
            possible = {thing.name: [thing.state] for thing in things}
            for name, states in possible.items():
                world.see(walker.ask, name, states)
            search = walker.ask(doip.SEARCH, SERVICE, query="*:*")
            if not search.ok:  # rather than one that leaves out what the index has no room for
                explained(search, "ENOSPC")
            walker.failed.clear()
            run.count("objects on a full disk", sum(states != [None] for states in possible.values()))
            mount.resize("64M")
            walker.prepare()
            walker.creates()
            rounds.check_files(run.daemon, world.see_all(walker.ask, dict(possible, **{walker.thing.name: [walker.thing.state]})))
            if walker.failed or run.daemon.workers() != workers:
                raise Different(f"it does not go on when there is room again: {walker.failed}")
            walker.close()
            run.daemon.stop()
            return run.summary()
        finally:
            run.daemon.kill()
            mount.close()
