"""Section 6: Delete."""

from .. import names
from ..registry import MUST, case

NEEDS = ("Create", "Delete")


@case("delete.no-output", "6", MUST, "Delete is answered with success and no output", needs=NEEDS)
def no_output(t):
    answer = t.status(t.ask(names.DELETE, t.create()["id"]), names.OK)
    t.expect(not answer.segments and not answer.compact, "no output", answer)


@case("delete.gone", "6", MUST, "a deleted object is 104 for every operation on it", needs=NEEDS + ("Retrieve", "Update"))
def gone(t):
    target = t.create({}, {"e": b"x"})["id"]
    t.status(t.ask(names.DELETE, target), names.OK)
    for operation, segments in ((names.RETRIEVE, []), (names.UPDATE, [{"type": t.service.kind}]), (names.DELETE, []), (names.LIST, [])):
        t.status(t.ask(operation, target, segments), names.UNKNOWN, operation)
    t.status(t.retrieve(target, element="e"), names.UNKNOWN, "Retrieve of its element")


@case("delete.unknown", "6", MUST, "Delete of an unknown object is 104", needs=("Delete",))
def unknown(t):
    t.status(t.ask(names.DELETE, t.service.new_id()), names.UNKNOWN)


@case("delete.service", "6", MUST, "Delete of the service is 101", needs=("Delete",))
def of_service(t):
    t.status(t.ask(names.DELETE), names.INVALID)


@case("delete.others-stay", "6", MUST, "Delete of one object leaves others, with equal data, as they are", needs=NEEDS + ("Retrieve",))
def others_stay(t):
    data = b"the same in both" * 5000
    first, second = t.create({}, {"e": data})["id"], t.create({}, {"e": data})["id"]
    t.status(t.ask(names.DELETE, first), names.OK)
    t.equal(t.everything(second)[1], {"e": data}, "element data of the other")


@case("delete.pipelined", "1", MUST, "Create, Retrieve, Delete and Retrieve in one write are done in that order", needs=NEEDS + ("Retrieve",))
def pipelined(t):
    target, connection = t.new_id(), t.connect()
    steps = [(names.CREATE, None, [{"id": target, "type": t.service.kind}], names.OK), (names.RETRIEVE, target, [], names.OK),
             (names.DELETE, target, [], names.OK), (names.RETRIEVE, target, [], names.UNKNOWN)]
    connection.send(b"".join(t.message(operation, on, segments) for operation, on, segments, _ in steps))
    for operation, _, _, status in steps:
        t.status(t.answer(connection, "four answers"), status, operation)
