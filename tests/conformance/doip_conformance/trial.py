"""What a case's function is given: connections, requests, checks. One trial is one case run once, in the main thread."""

from . import message, names
from .service import ABSENT
from .wire import Connection, Ended, Silent

__all__ = ["ABSENT", "Failed", "Skipped", "Trial"]


class Failed(Exception):
    """The service did other than it should."""

    def __init__(self, expected, got):
        super().__init__(f"expected {expected}, got {got}")
        self.expected, self.got = expected, str(got)


class Skipped(Exception):
    """The case can't be tested here; says why."""


class Trial:
    def __init__(self, service, transcript):
        self.service, self.transcript = service, transcript
        self.connections, self.objects = [], []

    # -------------------------------------------------------- talking

    def connect(self, **options):
        made = Connection(self.service.endpoint, self.transcript, **options)
        self.connections.append(made)
        return made

    def message(self, operation, target=None, segments=(), **more):
        """A whole request as bytes; the target is the service where none is given."""
        return self.service.message(operation, self.service.id if target is None else target, segments, **more)

    def head(self, operation, target=None, **more):
        """A request's first segment as bytes."""
        return message.json_segment(self.service.head(operation, self.service.id if target is None else target, **more))

    def answer(self, connection, expected="an answer"):
        """Reads the next answer."""
        try:
            return message.read_answer(connection)
        except (Ended, message.Malformed) as error:
            raise Failed(expected, error) from None
        except Silent:
            raise Failed(expected, f"nothing in {self.service.endpoint.timeout:g} s") from None

    def send(self, data, connection=None, expected="an answer"):
        """Sends bytes, on a connection of their own unless one is given, and reads one answer."""
        if connection is not None:
            connection.send(data)
            return self.answer(connection, expected)
        with self.connect() as own:
            own.send(data)
            return self.answer(own, expected)

    def ask(self, operation, target=None, segments=(), connection=None, **more):
        """One request and its answer. What a Create made, wanted or not, is deleted after the case."""
        answer = self.send(self.message(operation, target, segments, **more), connection)
        if operation == names.CREATE and answer.status == names.OK and isinstance(answer.output, dict):
            self.objects.append(answer.output.get("id"))
        return answer

    # -------------------------------------------------------- objects

    def new_id(self):
        """An id for an object that the case may make; deleted after it, if it is there then."""
        made = self.service.new_id()
        self.objects.append(made)
        return made

    def create(self, value=None, elements=None, **more):
        """Creates an object with an id of ours; what the service answered (the object)."""
        whole = {"id": self.new_id(), "type": self.service.kind}
        whole.update(value or {})
        if elements:
            whole.setdefault("elements", [{"id": name} for name in elements])
        answer = self.ask(names.CREATE, None, message.object_segments(whole, elements or {}), **more)
        return self.made(answer)

    def made(self, answer):
        """The object of a Create's answer, to be deleted after the case."""
        self.status(answer, names.OK)
        value = answer.output
        self.expect(isinstance(value, dict) and isinstance(value.get("id"), str), "the object, with its id", answer)
        self.objects.append(value["id"])
        return value

    def retrieve(self, target, **attributes):
        return self.ask(names.RETRIEVE, target, attributes=attributes or ABSENT)

    def everything(self, target):
        """An object with the data of its elements: (object, {element id: bytes})."""
        answer = self.status(self.retrieve(target, includeElementData=True), names.OK)
        value, rest = (answer.segments or [None])[0], answer.segments[1:]
        pairs = list(zip(rest[::2], rest[1::2]))
        well = len(rest) % 2 == 0 and all(isinstance(h, dict) and isinstance(d, bytes) for h, d in pairs)
        self.expect(isinstance(value, dict) and well, "the object, then pairs of an element's header and its bytes", answer)
        self.expect(len({h.get("id") for h, _ in pairs}) == len(pairs), "each element once", answer)
        return value, {h.get("id"): d for h, d in pairs}

    def finish(self):
        """Closes what is open and deletes what was made. What can't be deleted is noted in the service."""
        for connection in self.connections:
            connection.close()
        if self.service.why_not(("Create",)):
            return
        for target in dict.fromkeys(self.objects):
            if not self.service.deleted(target):
                self.service.left.append(target)

    # -------------------------------------------------------- checking

    def skip(self, why):
        raise Skipped(why)

    def expect(self, condition, expected, got):
        if not condition:
            raise Failed(expected, got)

    def equal(self, got, expected, what):
        if got != expected or type(got) is not type(expected):
            raise Failed(f"{what}: {shown(expected)}", shown(got))

    def status(self, answer, status, why=""):
        """Checks an answer's status; the answer."""
        wanted = (status,) if isinstance(status, str) else status
        if answer.status not in wanted:
            raise Failed(" or ".join(wanted) + (f" ({why})" if why else ""), answer)
        return answer

    def closed(self, connection):
        """The service must end the stream now, and send nothing more."""
        try:
            ended = connection.at_end()
        except Silent:
            raise Failed("the connection closed after the answer", "a connection that stays open") from None
        self.expect(not connection.buffer, "nothing after the answer", bytes(connection.buffer[:200]))
        return ended

    def goes_on(self, connection, after="that"):
        """The connection must answer one more request."""
        answer = self.send(self.message(names.HELLO, requestId="goes on"), connection, f"an answer to a Hello after {after}")
        self.expect((answer.head.get("requestId"), answer.status) == ("goes on", names.OK), f"the answer to a Hello after {after}", answer)


def shown(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"
