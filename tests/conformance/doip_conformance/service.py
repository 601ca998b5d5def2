"""The service under test: who we are to it, and what it lets us do. Shared by all trials of a run."""

import secrets

from . import message, names
from .transcript import Transcript
from .wire import Connection, Ended, Silent

WRITING = ("Create", "Update", "Delete")


class Service:
    """`properties` go into the head of each request: `clientId`, `authentication`."""

    def __init__(self, endpoint, service_id, properties, prefix=None, kind="Document", read_only=False):
        self.endpoint, self.id, self.properties = endpoint, service_id, properties
        self.prefix = prefix if prefix is not None else service_id.partition("/")[0]
        self.kind, self.read_only = kind, read_only
        self.refused = {}     # short name of an operation: why it can't be tested
        self.left = []        # ids of objects that could not be deleted
        self.mark = secrets.token_hex(4)
        self.count = 0

    def secrets(self):
        found = self.properties.get("authentication") or {}
        return [found.get(name) for name in ("password", "token")]

    def new_id(self):
        self.count += 1
        return f"{self.prefix}/conformance-{self.mark}-{self.count}"

    def head(self, operation, target, **more):
        """A request's first segment: with credentials and a requestId, unless `more` has others; ABSENT leaves one out."""
        value = {"requestId": f"{self.mark}-{self.count}", "targetId": target, "operationId": operation}
        value.update(self.properties)
        value.update(more)
        return {name: v for name, v in value.items() if v is not ABSENT}

    def message(self, operation, target, segments=(), **more):
        return message.json_segment(self.head(operation, target, **more)) + message.segments_bytes(segments) + message.EMPTY

    def ask(self, operation, target, segments=(), **more):
        """One request outside any trial; None when it is not answered."""
        try:
            with Connection(self.endpoint, Transcript()) as connection:
                connection.send(self.message(operation, target, segments, **more))
                return message.read_answer(connection)
        except (Ended, Silent, message.Malformed):
            return None

    def probe(self):
        """Finds out which operations are refused to us, by status or because nobody offers them. Makes and deletes an object."""
        target = None
        if self.read_only:
            self.refused.update((name, "--read-only") for name in WRITING)
        else:
            target = self.probe_create()
        on = target or self.new_id()
        self.note("Retrieve", self.ask(names.RETRIEVE, on))
        if not self.read_only:
            self.note("Update", self.ask(names.UPDATE, on, [{"id": on, "type": self.kind}]))
            self.note("Delete", self.ask(names.DELETE, on))
        if target and not self.deleted(target):
            self.left.append(target)
        self.note("Search", self.ask(names.SEARCH, self.id, attributes={"query": self.mark, "pageSize": 0}))

    def probe_create(self):
        """Creates an object; its id, None where that failed."""
        made = self.ask(names.CREATE, self.id, [{"id": self.new_id(), "type": self.kind}])
        self.note("Create", made)
        value = made.output if made and made.status == names.OK and isinstance(made.output, dict) else {}
        return value.get("id") if isinstance(value.get("id"), str) else None

    def deleted(self, target):
        """Deletes an object that a case may have made: whether it is gone now."""
        answer = self.ask(names.DELETE, target)
        return answer is not None and answer.status in (names.OK, names.UNKNOWN)

    def note(self, name, answer):
        if answer and answer.status in names.REFUSALS:
            self.refused[name] = f"{name} is answered with {answer.status}: {answer.reason or 'no reason given'}"

    def why_not(self, needs):
        """Why a case with these needs can't be tested; None when it can."""
        return next((self.refused[name] for name in needs if name in self.refused), None)


class Absent:
    """For a property that is to be left out of a request."""


ABSENT = Absent()
