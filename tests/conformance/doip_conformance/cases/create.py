"""Section 6: Create, and the input that it refuses."""

from functools import partial

from .. import names
from ..message import bytes_segment, json_segment, object_segments, EMPTY
from ..registry import INTEROP, MUST, SHOULD, case

NEEDS = ("Create",)
BOTH = ("Create", "Retrieve")


@case("create.minimal", "6", MUST, "Create answers with the object: id and type as given", needs=NEEDS)
def minimal(t):
    target = t.new_id()
    made = t.made(t.ask(names.CREATE, None, [{"id": target, "type": t.service.kind}]))
    t.equal((made.get("id"), made.get("type")), (target, t.service.kind), "id and type")


@case("create.without-id", "6", MUST, "without an id, the service mints one", needs=NEEDS)
def without_id(t):
    ids = [t.made(t.ask(names.CREATE, None, [{"type": t.service.kind}]))["id"] for _ in range(3)]
    t.expect(all(ids) and len(set(ids)) == 3, "three different ids", ids)
    t.expect(t.service.id not in ids, "ids of objects", ids)


@case("create.empty-id", "6", MUST, "with an empty id, the service mints one", needs=NEEDS)
def empty_id(t):
    t.expect(t.made(t.ask(names.CREATE, None, [{"id": "", "type": t.service.kind}]))["id"], "an id that is not empty", "an empty one")


@case("create.minted-retrievable", "6", MUST, "an object with a minted id is found under it", needs=BOTH)
def minted_retrievable(t):
    made = t.made(t.ask(names.CREATE, None, [{"type": t.service.kind}]))
    t.equal(t.status(t.retrieve(made["id"]), names.OK).output.get("id"), made["id"], "id")


@case("create.in-use", "6", MUST, "Create with an id that is in use is 105", needs=NEEDS)
def in_use(t):
    target = t.create()["id"]
    t.status(t.ask(names.CREATE, None, [{"id": target, "type": t.service.kind}]), names.DUPLICATE)


@case("create.in-use.first-stays", "6", MUST, "a Create that is 105 leaves the object of that id as it was", needs=BOTH)
def first_stays(t):
    target = t.create({"attributes": {"content": {"n": 1}}}, {"data": b"first"})["id"]
    value = {"id": target, "type": t.service.kind, "attributes": {"content": {"n": 2}}, "elements": [{"id": "data"}]}
    t.status(t.ask(names.CREATE, None, object_segments(value, {"data": b"second"})), names.DUPLICATE)
    now, data = t.everything(target)
    t.equal((now.get("attributes", {}).get("content"), data), ({"n": 1}, {"data": b"first"}), "the object")


@case("create.service-id", "6", MUST, "Create with the service's own id is 105", needs=NEEDS)
def own_id(t):
    t.status(t.ask(names.CREATE, None, [{"id": t.service.id, "type": t.service.kind}]), names.DUPLICATE)


@case("create.other-prefix", "6", INTEROP, "an id outside the service's prefix is accepted", needs=NEEDS)
def other_prefix(t):
    target = "99.CONFORMANCE/" + t.service.new_id().partition("/")[2]
    t.equal(t.made(t.ask(names.CREATE, None, [{"id": target, "type": t.service.kind}]))["id"], target, "id")


@case("create.odd-id", "5", SHOULD, "an id may hold any characters", needs=BOTH)
def odd_id(t):
    target = t.new_id() + " #@%\u00e9\u20ac/..?&=\"'\\"
    t.equal(t.create({"id": target})["id"], target, "id")
    t.equal(t.status(t.retrieve(target), names.OK).output.get("id"), target, "id")


@case("create.length", "6", MUST, "the answer to Create has each element's length", needs=NEEDS)
def length(t):
    made = t.create({}, {"a": b"12345", "b": b""})
    found = {e.get("id"): e.get("length") for e in made.get("elements") or []}
    t.equal(found, {"a": 5, "b": 0}, "lengths")


@case("create.answer-is-default", "6", MUST, "the answer to Create is the default serialization, without element data", needs=NEEDS)
def default_answer(t):
    whole = {"id": t.new_id(), "type": t.service.kind, "elements": [{"id": "data"}]}
    answer = t.ask(names.CREATE, None, object_segments(whole, {"data": b"x"}))
    t.made(answer)
    t.equal(len(answer.segments), 1, "number of output segments")


@case("create.many-at-once", "6", MUST, "of pipelined Creates with one id, one succeeds", needs=NEEDS)
def many_at_once(t):
    target, connection = t.new_id(), t.connect()
    connection.send(t.message(names.CREATE, None, [{"id": target, "type": t.service.kind}]) * 5)
    found = [t.answer(connection, "five answers").status for _ in range(5)]
    t.equal(found, [names.OK] + [names.DUPLICATE] * 4, "statuses")


def elements(*names_):
    return {"type": "Document", "elements": [{"id": name} for name in names_]}


# name, level, what it is, segments
REFUSED = [
    ("no-input", MUST, "Create without input", []),
    ("bytes", MUST, "bytes where the object is due", [b"bytes"]),
    ("array", MUST, "an array as the object", [[1]]),
    ("string", MUST, "a string as the object", ["x"]),
    ("without-type", SHOULD, "an object without a type", [{"attributes": {}}]),
    ("type-number", MUST, "a number as type", [{"type": 5}]),
    ("id-number", MUST, "a number as id", [{"id": 5, "type": "Document"}]),
    ("id-513-bytes", MUST, "an id over 4096 bits", [{"id": "x" * 513, "type": "Document"}]),
    ("attributes-number", MUST, "a number as attributes", [{"type": "Document", "attributes": 1}]),
    ("elements-object", MUST, "an object as elements", [{"type": "Document", "elements": {}}]),
    ("element-number", MUST, "a number as an element", [{"type": "Document", "elements": [1]}]),
    ("element-without-id", MUST, "an element without an id", [{"type": "Document", "elements": [{"type": "x"}]}]),
    ("element-twice", MUST, "two elements with the same id", [elements("e", "e")]),
    ("header-unknown", MUST, "an element header that names no element of the object", [elements("e"), {"id": "other"}, b"x"]),
    ("header-of-none", MUST, "an element header for an object without elements", [{"type": "Document"}, {"id": "e"}, b"x"]),
    ("header-twice", MUST, "the same element header twice", [elements("e"), {"id": "e"}, b"x", {"id": "e"}, b"y"]),
    ("header-without-id", MUST, "an element header without an id", [elements("e"), {"name": "e"}, b"x"]),
    ("header-array", MUST, "an array as an element header", [elements("e"), ["e"], b"x"]),
    ("header-alone", MUST, "an element header with nothing after it", [elements("e"), {"id": "e"}]),
    ("json-for-bytes", MUST, "JSON where an element's bytes are due", [elements("e"), {"id": "e"}, {"not": "bytes"}]),
    ("bytes-for-header", MUST, "bytes where an element header is due", [elements("e"), b"bytes"]),
    ("bytes-twice", MUST, "two bytes segments after one header", [elements("e"), {"id": "e"}, b"x", b"y"]),
]


def refused(segments, t):
    t.status(t.ask(names.CREATE, None, segments), names.INVALID)


for name, level, words, segments in REFUSED:
    case("create.refused." + name, "5, 6", level, f"{words} is 101", NEEDS)(partial(refused, segments))


@case("create.refused.bad-json", "4", MUST, "an object that is not JSON is 101", needs=NEEDS)
def bad_json(t):
    t.status(t.send(t.head(names.CREATE) + json_segment(b'{"type":') + EMPTY), names.INVALID)


@case("create.refused.after-input", "3", MUST, "segments after an input in the head are 101, and nothing is created", needs=BOTH)
def after_input(t):
    for segment in (json_segment({"id": "e"}), bytes_segment(b"x"), bytes_segment(b"")):
        target = t.new_id()
        head = t.head(names.CREATE, input=dict(elements("e"), id=target), requestId="fault")
        answer = t.status(t.send(head + segment + EMPTY), names.INVALID)
        t.equal(answer.head.get("requestId"), "fault", "requestId")
        t.status(t.retrieve(target), names.UNKNOWN)


@case("create.refused.leaves-nothing", "5", MUST, "a Create that is refused for its last segment creates nothing", needs=BOTH)
def leaves_nothing(t):
    for tail in (json_segment({"id": "e"}) + bytes_segment(b"again"), json_segment({"id": "no"}) + bytes_segment(b""), json_segment([])):
        target = t.new_id()
        whole = json_segment(dict(elements("e"), id=target)) + json_segment({"id": "e"}) + bytes_segment(b"data")
        t.status(t.send(t.head(names.CREATE) + whole + tail + EMPTY), names.INVALID)
        t.status(t.retrieve(target), names.UNKNOWN)


@case("create.refused.connection-goes-on", "4", MUST, "after each refused Create the connection stays usable", needs=NEEDS)
def connection_goes_on(t):
    connection = t.connect()
    for name, _, _, segments in REFUSED:
        t.ask(names.CREATE, None, segments, connection)
        t.goes_on(connection, name)
