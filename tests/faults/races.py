"""Clients that race for the same objects: of those that expect the same version, exactly one may win."""

import collections
import random
import threading

import doip
from content import Different
from daemon import PREFIX, SERVICE

SHARED = PREFIX + "/shared-"
COUNTERS = [f"{SHARED}counter-{number}" for number in range(3)]
FLAGS = [f"{SHARED}flag-{number}" for number in range(3)]


class Book:
    """Who has won what, as all clients know it together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.won = set()                      # (counter, version that was replaced)
        self.unknown = collections.Counter()  # changes whose answer did not come
        self.made = collections.Counter()
        self.removed = collections.Counter()

    def win(self, name, version):
        with self.lock:
            if (name, version) in self.won:
                raise Different(f"two clients replaced version {version} of {name}")
            self.won.add((name, version))

    def count(self, counter, name):
        with self.lock:
            counter[name] += 1

    def check(self, ask):
        """When all is quiet: every acknowledged change has counted, and no other."""
        for name in COUNTERS:
            response = ask(doip.RETRIEVE, name)
            won = sum(1 for counter, _ in self.won if counter == name)
            if not response.ok:
                raise Different(f"{name}: {response!r}")
            value = response.output["attributes"]
            changes = value["metadata"]["version"] - 1
            if not won <= changes <= won + self.unknown[name] or value["content"]["n"] != changes:
                raise Different(f"{name}: {won} changes were acknowledged, {self.unknown[name]} have an unknown outcome; "
                                f"it shows {value}")
        for name in FLAGS:
            there = 1 if ask(doip.RETRIEVE, name).ok else 0
            left = self.made[name] - self.removed[name]
            if abs(there - left) > self.unknown[name]:
                raise Different(f"{name}: created {self.made[name]} times, deleted {self.removed[name]} times, "
                                f"{self.unknown[name]} unknown; there now: {there}")


class Racer:
    """One of those who race. Made to run in a Crowd."""

    def __init__(self, client, book, seed):
        self.client, self.book, self.rng = client, book, random.Random(f"{seed} races {client.name}")
        self.things, self.acknowledged, self.steps = {}, 0, 0

    def close(self):
        self.client.close()

    def begin(self):
        """Makes what is raced for; once, by one of them."""
        for name in COUNTERS:
            value = {"id": name, "type": "Counter", "attributes": {"content": {"n": 0}}}
            if not self.client.insist(doip.CREATE, SERVICE, [value]).ok:
                raise Different(f"{name} can't be created")

    def step(self):
        self.steps += 1
        if self.rng.random() < 0.6:
            self.raise_counter(self.rng.choice(COUNTERS))
        else:
            self.turn_flag(self.rng.choice(FLAGS))

    def raise_counter(self, name):
        value = self.client.insist(doip.RETRIEVE, name).output["attributes"]
        version, number = value["metadata"]["version"], value["content"]["n"]
        response = self.client.ask(doip.UPDATE, name, [{"attributes": {"content": {"n": number + 1}}}], ifVersion=version)
        if response is None:
            self.book.count(self.book.unknown, name)
        elif response.ok:
            self.book.win(name, version)
            self.acknowledged += 1
        elif response.status != doip.INVALID or str(version) not in response.reason:
            raise Different(f"{name}, expecting version {version}: {response!r}")

    def turn_flag(self, name):
        making = self.rng.random() < 0.5
        if making:
            response = self.client.ask(doip.CREATE, SERVICE, [{"id": name, "type": "Flag"}])
        else:
            response = self.client.ask(doip.DELETE, name, ifVersion=1)
        if response is None:
            self.book.count(self.book.unknown, name)
        elif response.ok:
            self.book.count(self.book.made if making else self.book.removed, name)
            self.acknowledged += 1
        elif response.status != (doip.DUPLICATE if making else doip.UNKNOWN):
            raise Different(f"{name}: {response!r}")
