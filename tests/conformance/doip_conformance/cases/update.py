"""Section 6: Update, what it changes and what stays."""

from functools import partial

from .. import names
from ..message import object_segments
from ..registry import MUST, SHOULD, case

NEEDS = ("Create", "Update")
ALL = ("Create", "Update", "Retrieve")


def update(t, target, value, elements=None):
    return t.ask(names.UPDATE, target, object_segments(value, elements or {}))


def updated(t, target, value, elements=None):
    return t.status(update(t, target, value, elements), names.OK).output


def content(value):
    return (value.get("attributes") or {}).get("content")


def subject(t):
    """An object with a content and two elements."""
    return t.create({"attributes": {"content": {"a": 1, "b": 2}}, "elements": [{"id": "x"}, {"id": "y", "type": "text/plain"}]},
                    {"x": b"x1", "y": b"y1"})["id"]


@case("update.unknown", "6", MUST, "Update of an unknown object is 104", needs=NEEDS)
def unknown(t):
    t.status(update(t, t.new_id(), {"type": t.service.kind}), names.UNKNOWN)


@case("update.service", "6", MUST, "Update of the service is 101", needs=NEEDS)
def of_service(t):
    t.status(t.ask(names.UPDATE, None, [{"type": t.service.kind}]), names.INVALID)


@case("update.answer", "6", MUST, "Update answers with the object in the default serialization", needs=ALL)
def answer(t):
    target = subject(t)
    now = updated(t, target, {"attributes": {"content": {"c": 3}}})
    t.equal((now.get("id"), content(now)), (target, {"c": 3}), "id and content")
    t.equal(t.status(t.retrieve(target), names.OK).output, now, "the object as Retrieve gives it")


@case("update.lengths", "6", MUST, "the answer to Update has each element's length", needs=NEEDS)
def lengths(t):
    now = updated(t, subject(t), {"elements": [{"id": "x"}]}, {"x": b"x two"})
    t.equal({e.get("id"): e.get("length") for e in now["elements"]}, {"x": 5, "y": 2}, "lengths")


@case("update.own-id", "6", MUST, "an id in the input that equals the target is no error", needs=NEEDS)
def own_id(t):
    target = subject(t)
    t.equal(updated(t, target, {"id": target}).get("id"), target, "id")


@case("update.other-id", "6", MUST, "an id in the input that is not the target is 101, and changes nothing", needs=ALL)
def other_id(t):
    target = subject(t)
    t.status(update(t, target, {"id": target + "x", "attributes": {"content": {"c": 3}}}), names.INVALID)
    t.equal(content(t.retrieve(target).output), {"a": 1, "b": 2}, "content")


@case("update.attributes-replaced", "6", MUST, "given attributes replace the content as a whole", needs=ALL)
def replaced(t):
    target = subject(t)
    updated(t, target, {"attributes": {"content": {"c": 3}}})
    t.equal(content(t.retrieve(target).output), {"c": 3}, "content")


@case("update.attributes-stay", "6", MUST, "missing attributes stay as they are", needs=ALL)
def attributes_stay(t):
    target = subject(t)
    updated(t, target, {"type": t.service.kind})
    t.equal(content(t.retrieve(target).output), {"a": 1, "b": 2}, "content")


@case("update.type-stays", "6", MUST, "a missing type stays as it is", needs=ALL)
def type_stays(t):
    target = subject(t)
    t.equal(updated(t, target, {"attributes": {"content": {}}}).get("type"), t.service.kind, "type")


@case("update.null-stays", "3", SHOULD, "null for type, attributes or elements counts as absent: they stay", needs=ALL)
def null_stays(t):
    target = subject(t)
    updated(t, target, {"type": None, "attributes": None, "elements": None})
    now, data = t.everything(target)
    t.equal((now.get("type"), content(now), data), (t.service.kind, {"a": 1, "b": 2}, {"x": b"x1", "y": b"y1"}), "the object")


@case("update.type-replaced", "6", SHOULD, "a given type replaces the old one", needs=ALL)
def type_replaced(t):
    target = subject(t)
    updated(t, target, {"type": "20.TEST/Other"})
    t.equal(t.retrieve(target).output.get("type"), "20.TEST/Other", "type")


@case("update.elements-stay", "6", MUST, "elements left out of the input stay as they are", needs=ALL)
def elements_stay(t):
    target = subject(t)
    for value in ({"attributes": {"content": {}}}, {"elements": []}):
        updated(t, target, value)
        t.equal(t.everything(target)[1], {"x": b"x1", "y": b"y1"}, "element data")


@case("update.element-data", "6", MUST, "new data replaces an element's, and others stay", needs=ALL)
def element_data(t):
    target = subject(t)
    for data in (b"a longer text", b"", b"s"):
        updated(t, target, {"elements": [{"id": "x"}]}, {"x": data})
        t.equal(t.everything(target)[1], {"x": data, "y": b"y1"}, "element data")


@case("update.element-named", "6", MUST, "an element named without data keeps its bytes", needs=ALL)
def element_named(t):
    target = subject(t)
    updated(t, target, {"elements": [{"id": "x", "type": "text/html"}]})
    now, data = t.everything(target)
    t.equal(data, {"x": b"x1", "y": b"y1"}, "element data")
    t.equal({e["id"]: e.get("type") for e in now["elements"]}, {"x": "text/html", "y": "text/plain"}, "types of elements")


@case("update.element-new", "6", MUST, "an element that is new is added", needs=ALL)
def element_new(t):
    target = subject(t)
    updated(t, target, {"elements": [{"id": "z"}]}, {"z": b"zz"})
    t.equal(t.everything(target)[1], {"x": b"x1", "y": b"y1", "z": b"zz"}, "element data")


@case("update.as-retrieved", "6", MUST, "an object can be sent back as it was retrieved", needs=ALL)
def as_retrieved(t):
    target = subject(t)
    value, data = t.everything(target)
    updated(t, target, value, data)
    now, found = t.everything(target)
    t.equal((content(now), found), (content(value), data), "content and element data")


REFUSED = [
    ("no-input", "no input", []),
    ("bytes", "bytes where the object is due", [b"x"]),
    ("array", "an array as the object", [[1]]),
    ("type-number", "a number as type", [{"type": 5}]),
    ("attributes-array", "an array as attributes", [{"attributes": []}]),
    ("header-unknown", "an element header that names no element", [{"elements": [{"id": "x"}]}, {"id": "q"}, b"1"]),
    ("header-twice", "the same element header twice", [{"elements": [{"id": "x"}]}, {"id": "x"}, b"1", {"id": "x"}, b"2"]),
    ("json-for-bytes", "JSON where an element's bytes are due", [{"elements": [{"id": "x"}]}, {"id": "x"}, {}]),
]


def refused(segments, t):
    target = subject(t)
    t.status(t.ask(names.UPDATE, target, segments), names.INVALID)
    now, data = t.everything(target)
    t.equal((content(now), data), ({"a": 1, "b": 2}, {"x": b"x1", "y": b"y1"}), "the object after it")


for name, words, segments in REFUSED:
    case("update.refused." + name, "5, 6", MUST, f"Update with {words} is 101, and changes nothing", ALL)(partial(refused, segments))
