"""Clients that change and read objects at random, and know what the service must show them: the model.

Each client owns its objects, so that what it knows of them is exact. A request whose answer never came (the connection
broke) has an unknown outcome: the object must then be as it was or as it would be, whole, and settle() finds out which.
"""

import random
import threading

import content
import doip
import queries
import races
from content import Different
from daemon import PREFIX, SERVICE, until

OBJECTS = 14  # each client has at most about so many
WAIT = 40     # seconds in which the service must be there again
UNREAD = (1 << 20) - 65536  # limits.unread, less what frames data: an answer that left more than that to be read is the connection's last


class Change:
    """One change of an object: `state` (None: deleted), and the layer's position when it was sent and acknowledged."""

    def __init__(self, sent, state):
        self.sent, self.acknowledged, self.state = sent, None, state


class Thing:
    """An object that a client owns: what it is (None: not there), all that happened to it, and what may have happened."""

    def __init__(self, name, birth=0):
        self.name, self.state, self.birth = name, None, birth
        self.history = []
        self.open = None  # a Change with unknown outcome
        # What a change without an answer wanted, and was not seen to do. Its frames may lie whole in SQLite's log, where a killed writer left
        # them behind the end that readers know. A start of the whole service finds them there, unless a commit has taken their place: the
        # next one, or that of a worker which starts.
        self.late = []

    def possible(self, position):
        """The states that it may have after a power cut at this position of the journal."""
        out = [None]
        for change in self.history:
            if change.acknowledged is not None and change.acknowledged <= position:
                out = [change.state]
            elif change.sent < position:
                out.append(change.state)
        return out


class Client:
    """One client on a connection of its own. `position` tells where the layer's journal stands; `lenient`: status 500 is an
    answer with an unknown outcome, rather than wrong."""

    def __init__(self, made, name, seed, position=lambda: 0, lenient=False, searches=True):
        self.daemon, self.name, self.position, self.lenient = made, name, position, lenient
        self.rng = random.Random(f"{seed} {name}")
        self.connection = None
        self.things = {}
        self.count = 0
        self.steps = self.acknowledged = self.refused = self.unknown = 0
        self.reads = [self.retrieve, self.element] + [self.search] * 2 * searches
        self.last = None  # for messages
        self.breaks = []  # how connections broke, and in what

    # connection

    def ask(self, operation, target, segments=(), **attributes):
        """The response, or None where the connection broke before it was there whole."""
        before, self.last = self.last, (operation, target, attributes, sum(len(data) for data in segments if isinstance(data, bytes)))
        more = {"attributes": attributes} if attributes else {}
        try:
            if self.connection is None:
                self.connection = self.daemon.connect(timeout=WAIT)
            response = self.connection.request(operation, target, segments, **more)
        except (OSError, doip.Broken) as error:
            self.breaks.append(f"{self.name} in {operation} {target} after {before}: {error!r}")
            self.close()
            return None
        if response.status == doip.ERROR or (not response.ok and self.last[-1] > UNREAD):
            self.close()  # what was left unread may be too much for the service to go on
        return response

    def insist(self, operation, target, segments=(), **attributes):
        """The response of something that may be asked again."""
        def answer():
            response = self.ask(operation, target, segments, **attributes)
            return None if response and self.lenient and response.status == doip.ERROR else response
        return until(answer, f"an answer for {self.name}", WAIT)

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    # a step

    def step(self):
        """One random operation. Different when the service shows what it must not."""
        self.steps += 1
        unsettled = [thing for thing in self.things.values() if thing.open]
        there = [thing for thing in self.things.values() if thing.state is not None]
        try:
            if unsettled:
                self.settle(unsettled[0])
            elif len(there) < 3 or (len(there) < OBJECTS and self.rng.random() < 0.3):
                self.create()
            else:
                choices = [self.update] * 4 + [self.delete] + self.reads
                self.rng.choice(choices)(self.rng.choice(there))
        except Different as error:
            raise Different(f"{self.name}, step {self.steps}, {self.last}: {error}") from error

    def settle(self, thing):
        """Finds out what became of a change whose answer did not come."""
        change, thing.open = thing.open, None
        found = see(self.insist, thing.name, [thing.state, change.state])
        if found is change.state:
            change.acknowledged = self.position()
        else:
            thing.history.remove(change)
            thing.late.append(change.state)
        thing.state = found

    # changes

    def change(self, thing, state, operation, target, segments=(), **attributes):
        """Asks for a change and compares its answer."""
        change = Change(self.position(), state)
        thing.history.append(change)
        response = self.ask(operation, target, segments, **attributes)
        if response is None or (self.lenient and response.status == doip.ERROR):
            self.unknown += response is None
            self.refused += response is not None
            thing.open = change
            return
        if not response.ok:
            raise Different(f"expected success, got {response!r}")
        change.acknowledged = self.position()
        self.acknowledged += 1
        thing.state, thing.late = state, []
        if state is not None:
            state.check(thing.name, response.output)

    def create(self):
        self.count += 1
        gone = [thing for thing in self.things.values() if thing.state is None]
        thing = self.rng.choice(gone) if gone and self.rng.random() < 0.5 else Thing(f"{PREFIX}/{self.name}-{self.count}")
        thing.birth = self.count
        self.things[thing.name] = thing
        state = content.random_state(self.rng, self.name)
        value = {"id": thing.name, "type": state.kind, "attributes": state.attributes,
                 "elements": [e.given() for e in state.elements]}
        self.change(thing, state, doip.CREATE, SERVICE, doip.object_segments(value, state.data()))

    def update(self, thing):
        rng, state = self.rng, thing.state
        kind = rng.choice(content.TYPES) if rng.random() < 0.3 else None
        attributes = content.random_attributes(rng, self.name) if rng.random() < 0.5 else None
        elements = [content.random_element(rng, name) for name in rng.sample(content.ELEMENTS, rng.randrange(3))]
        dropped = [n for n in rng.sample(content.ELEMENTS, rng.choice((0, 0, 1, 2))) if n not in {e.name for e in elements}]
        value = {key: item for key, item in (("type", kind), ("attributes", attributes)) if item is not None}
        value["elements"] = [e.given() for e in elements]
        more = {"elementsToDelete": dropped} if dropped else {}
        segments = doip.object_segments(value, {e.name: e.data for e in elements if e.content})
        if rng.random() < 0.1:
            self.refuse(thing, doip.UPDATE, segments, **more)
        else:
            if rng.random() < 0.4:
                more["ifVersion"] = state.version
            self.change(thing, state.changed(kind, attributes, elements, dropped), doip.UPDATE, thing.name, segments, **more)

    def delete(self, thing):
        if self.rng.random() < 0.3:
            self.refuse(thing, doip.DELETE, ())
        else:
            more = {"ifVersion": thing.state.version} if self.rng.random() < 0.4 else {}
            self.change(thing, None, doip.DELETE, thing.name, **more)

    def refuse(self, thing, operation, segments, **more):
        """A change that expects another version changes nothing."""
        other = thing.state.version + self.rng.choice((1, 5))
        response = self.ask(operation, thing.name, segments, ifVersion=other, **more)
        if response is None or (self.lenient and response.status == doip.ERROR):
            return
        words = (str(other), str(thing.state.version))
        if response.status != doip.INVALID or not all(word in response.reason for word in words):
            raise Different(f"expected a refusal with the versions {words}, got {response!r}")

    # reads

    def retrieve(self, thing):
        response = self.ask(doip.RETRIEVE, thing.name, includeElementData=True)
        if self.answered(response):
            thing.state.check(thing.name, *response.elements())

    def element(self, thing):
        with_data = thing.state.data()
        if not with_data:
            return
        name, data = self.rng.choice(sorted(with_data.items()))
        more = {}
        if data and self.rng.random() < 0.5:
            start = self.rng.randrange(len(data))
            end = self.rng.randrange(start, len(data) + 10)
            more, data = {"range": {"start": start, "end": end}}, data[start:end + 1]
        response = self.ask(doip.RETRIEVE, thing.name, element=name, **more)
        if self.answered(response) and response.output != data:
            raise Different(f"element {name} {more}: expected {len(data)} bytes, got {len(response.output)} others")

    def search(self, _thing):
        query = queries.random_query(self.rng, self.name)
        response = self.ask(doip.SEARCH, SERVICE, **query.attributes)
        if self.answered(response):
            there = sorted((t for t in self.things.values() if t.state is not None), key=lambda t: t.birth)
            query.check({t.name: t.state for t in there}, response.output)

    def answered(self, response):
        if response is None or (self.lenient and response.status == doip.ERROR):
            return False
        if not response.ok:
            raise Different(f"expected success, got {response!r}")
        return True


def see(ask, name, states):
    """Which of the states (None: not there) an object has: reads it whole. Different when it has none of them."""
    response = ask(doip.RETRIEVE, name, includeElementData=True)
    if response.status == doip.UNKNOWN:
        if None in states:
            return None
        raise Different(f"{name} is gone; it was acknowledged")
    if not response.ok:
        raise Different(f"{name} can't be read: {response!r}")
    differences = []
    for state in reversed(states):
        try:
            if state is not None:
                state.check(name, *response.elements())
                return state
        except Different as error:
            differences.append(str(error))
    raise Different(" and ".join(differences) or f"{name} is there: {response!r}; it was not, or its deletion was acknowledged")


def see_all(ask, possible):
    """The same for all objects {name: states}, and that a search finds just those that are there."""
    there = {name: state for name, states in possible.items() if (state := see(ask, name, states)) is not None}
    response = ask(doip.SEARCH, SERVICE, query="*:*", type="id")
    if not response.ok:
        raise Different(f"search: {response!r}")
    found = [name for name in response.output["results"] if not name.startswith(races.SHARED)]
    if sorted(found) != sorted(there) or response.output["size"] != len(response.output["results"]):
        raise Different(f"search finds {sorted(set(found) ^ set(there))} more or less than there is, and says "
                        f"{response.output['size']} for {len(response.output['results'])}")
    return there


class Crowd:
    """Clients that work at the same time, in turns that a test ends."""

    def __init__(self, clients):
        self.clients = clients
        self.stopping = threading.Event()
        self.trouble = []
        self.threads = []

    def work(self, client, steps):
        try:
            while steps != 0 and not self.stopping.is_set():
                client.step()
                steps -= 1
        except BaseException as error:  # pylint: disable=broad-except
            self.trouble.append(error)
            self.stopping.set()

    def start(self, steps=-1):
        """Each takes so many steps, or goes on until it is stopped."""
        self.stopping.clear()
        self.threads = [threading.Thread(target=self.work, args=(client, steps), daemon=True) for client in self.clients]
        for thread in self.threads:
            thread.start()

    def wait(self):
        for thread in self.threads:
            thread.join()
        if self.trouble:
            raise self.trouble[0]

    def stop(self):
        self.stopping.set()
        self.wait()

    def run_for(self, seconds):
        self.start()
        self.stopping.wait(seconds)
        self.stop()

    def settle(self):
        for client in self.clients:
            for thing in client.things.values():
                if thing.open:
                    client.settle(thing)

    def sealed(self):
        """There has been a commit, or a start of the whole service: what was not seen to be done will not be."""
        for thing in self.things().values():
            thing.late = []

    def close(self):
        for client in self.clients:
            client.close()

    def total(self, what):
        return sum(getattr(client, what) for client in self.clients)

    def broken(self):
        return [line for client in self.clients for line in client.breaks]

    def things(self):
        return {thing.name: thing for client in self.clients for thing in client.things.values()}

    def possible(self):
        """Of each object the states that it may have."""
        return {name: [thing.state] + thing.late + ([thing.open.state] if thing.open else []) for name, thing in self.things().items()}


def crowd(made, count, seed, **more):
    return Crowd([Client(made, f"c{number}", seed, **more) for number in range(count)])
