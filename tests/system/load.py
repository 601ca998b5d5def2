"""Constant load for the tests that nothing is lost: clients that ask one thing after the other, on a connection that they keep or on new ones,
and count what came of it, by what they asked."""

import collections
import os
import random
import signal
import ssl
import threading
import time

import doip
from daemon import SERVICE

ECHO = "20.DOIP/Debug.Echo"
PID = "20.DOIP/Debug.Pid"
OBJECTS = 20           # of each client's own, at most
LARGE = 300000         # bytes of an element that is a file


class Client(threading.Thread):
    """What gets no answer is `lost`: but for a request on a connection that the service ended in good order before it (`again`: it is asked
    again, as DOIP has no "connection: close"), and for what was under way in a worker that was killed (`cut`). All are counted by kind."""

    kinds = ("echo",)

    def __init__(self, load, keeps, pause=0.0):
        super().__init__(daemon=True)
        self.load, self.keeps, self.pause = load, keeps, pause
        self.connection = self.worker = self.kind = None
        self.answered, self.again, self.cut = (collections.Counter() for _ in range(3))
        self.lost = []

    def run(self):
        while not self.load.ended.is_set():
            begun = time.monotonic()
            try:
                self.turn()
                self.answered[self.kind] += 1
            except (OSError, doip.Broken) as error:
                self.judge(error, begun)
                self.forget()
            except AssertionError as error:
                self.lost.append(f"{self.kind}: {error}")
            if not self.keeps:
                self.forget()
            if self.pause:
                time.sleep(random.uniform(0, self.pause))
        self.forget()

    def turn(self):
        if self.connection is None:
            self.kind = "connect"
            self.worker = None
            self.connection = self.load.made.connect(timeout=self.load.patience)
            self.worker = self.met()
        self.kind = random.choice(self.kinds)
        getattr(self, self.kind)()

    def met(self):
        """Asked first on a new connection: which worker it is with."""
        return self.ask(PID, SERVICE).output

    def ask(self, operation, target, segments=(), **more):
        response = self.connection.request(operation, target, segments, **more)
        if not response.ok:
            raise AssertionError(repr(response))
        return response

    def echo(self):
        self.ask(ECHO, SERVICE, input=None)

    def forget(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def judge(self, error, begun):
        """A connection of a killed worker is cut: whatever was under way is gone, and a new connection may have been on its way to it. Who
        goes on sending on one that has ended meets an error of the socket, which Python's ssl calls an EOF; one met in reading is Broken."""
        fresh = self.worker is None
        killed = self.worker in self.load.killed or (fresh and any(at >= begun - 0.05 for at in self.load.killed.values()))
        if killed:
            self.cut[self.kind] += 1
        elif not fresh and (getattr(error, "clean", False) or isinstance(error, (ConnectionError, ssl.SSLEOFError))):
            self.again[self.kind] += 1
        else:
            self.lost.append(f"{self.kind} ({'fresh' if fresh else 'kept'}) after {time.monotonic() - begun:.2f} s: {error!r}")


class Mixed(Client):
    """Of everything that the store does, on objects of its own, which it knows: an answer must be the object as it was last acknowledged. A
    change without an answer makes an object unknown, and it is left alone."""

    kinds = ("echo",) * 3 + ("hello",) * 3 + ("create",) * 3 + ("retrieve",) * 6 + ("update",) * 3 + ("search",) * 3 + ("upload", "download",
                                                                                                                 "delete")

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.small, self.large, self.made = {}, {}, 0  # id -> what it has

    def hello(self):
        self.ask(doip.HELLO, SERVICE)

    def id(self):
        self.made += 1
        return f"{SERVICE.partition('/')[0]}/{self.name}-{self.made}"

    def create(self):
        name = self.id()
        self.ask(doip.CREATE, SERVICE, [{"id": name, "type": "Load", "attributes": {"content": {"count": 0}}}])
        self.small[name] = 0

    def some(self, objects, otherwise):
        """One of them; None where there is none yet and one was made instead."""
        if not objects:
            self.instead(otherwise)
            return None
        return random.choice(list(objects))

    def instead(self, other):
        self.kind = other.__name__
        other()

    def retrieve(self):
        name = self.some(self.small, self.create)
        if name is not None:
            found = self.ask(doip.RETRIEVE, name).output["attributes"]["content"]["count"]
            assert found == self.small[name], f"{name} has {found}, not {self.small[name]}"

    def update(self):
        name = self.some(self.small, self.create)
        if name is not None:
            count = self.small.pop(name) + 1
            self.ask(doip.UPDATE, name, [{"attributes": {"content": {"count": count}}}])
            self.small[name] = count

    def search(self):
        name = self.some(self.small, self.create)
        if name is not None:
            query = {"query": f'id:"{name}" AND /count:{self.small[name]}', "type": "id"}
            found = self.ask(doip.SEARCH, SERVICE, attributes=query).output["results"]
            assert found == [name], f"a search for {name} found {found}"

    def upload(self):
        name, data = self.id(), os.urandom(LARGE)
        value = {"id": name, "type": "Load", "elements": [{"id": "e"}]}
        self.ask(doip.CREATE, SERVICE, doip.object_segments(value, {"e": data}))
        self.large[name] = doip.sha256(data)

    def download(self):
        name = self.some(self.large, self.upload)
        if name is not None:
            data = self.ask(doip.RETRIEVE, name, attributes={"element": "e"}).output
            assert doip.sha256(data) == self.large[name], f"{name} has other bytes than it was given"

    def delete(self):
        objects = self.large if len(self.large) > len(self.small) else self.small
        if len(objects) <= OBJECTS:
            self.instead(self.create)
        while len(objects) > OBJECTS:
            name = next(iter(objects))
            del objects[name]
            self.ask(doip.DELETE, name)


class Load:
    """So many clients that keep their connections and so many that do not, for as long as the `with` lasts."""

    def __init__(self, made, keeping=4, fresh=3, kind=Client, pause=0.0, patience=60):
        self.made, self.ended, self.killed, self.patience = made, threading.Event(), {}, patience
        self.clients = ([kind(self, True, pause or 0.05) for _ in range(keeping)] + [kind(self, False, pause) for _ in range(fresh)])

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

    def by_kind(self, name):
        return sum((getattr(client, name) for client in self.clients), collections.Counter())

    def sum(self, name):
        return sum(self.by_kind(name).values())

    @property
    def lost(self):
        return [text for client in self.clients for text in client.lost]

    def told(self, name):
        counts = sorted(self.by_kind(name).items())
        return f"{self.sum(name)}" + (f" ({', '.join(f'{kind} {count}' for kind, count in counts)})" if len(counts) > 1 else "")

    def __str__(self):
        return (f"{self.told('answered')} answered, {len(self.lost)} lost, {self.told('again')} asked again after an orderly end, "
                f"{self.told('cut')} cut by {len(self.killed)} kills")
