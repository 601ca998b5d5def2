"""Section 6: Retrieve of objects, elements, and parts of elements."""

from functools import partial

from .. import names
from ..registry import INTEROP, MUST, SHOULD, case

BOTH = ("Create", "Retrieve")
DATA = bytes(range(100))


@case("retrieve.unknown", "6", MUST, "Retrieve of an unknown object is 104", needs=("Retrieve",))
def unknown(t):
    t.status(t.retrieve(t.service.new_id()), names.UNKNOWN)


@case("retrieve.service", "6", MUST, "Retrieve of the service is 101", needs=("Retrieve",))
def of_service(t):
    t.status(t.ask(names.RETRIEVE), names.INVALID)


@case("retrieve.default", "6", MUST, "Retrieve gives the default serialization, and no element data", needs=BOTH)
def default(t):
    target = t.create({}, {"e": b"x"})["id"]
    answer = t.status(t.retrieve(target), names.OK)
    t.equal((len(answer.segments), answer.output.get("id")), (1, target), "number of segments, id")


@case("retrieve.element", "6", MUST, "attribute element gives a single bytes segment", needs=BOTH)
def element(t):
    target = t.create({}, {"a": b"first", "b": b"second"})["id"]
    for name, data in (("a", b"first"), ("b", b"second")):
        t.equal(t.status(t.retrieve(target, element=name), names.OK).segments, [data], "segments")


@case("retrieve.element.unknown", "6", MUST, "an unknown element is 104", needs=BOTH)
def unknown_element(t):
    target = t.create({}, {"a": b"x"})["id"]
    for name in ("other", "A", ""):
        t.status(t.retrieve(target, element=name), names.UNKNOWN, f"element {name!r}")


@case("retrieve.element.without-data", "6", MUST, "an element without data gives an empty bytes segment", needs=BOTH)
def element_without_data(t):
    target = t.create({"elements": [{"id": "bare"}]})["id"]
    t.equal(t.status(t.retrieve(target, element="bare"), names.OK).segments, [b""], "segments")


@case("retrieve.element.and-all", "6", MUST, "element beside includeElementData is 101", needs=BOTH)
def element_and_all(t):
    target = t.create({}, {"a": b"x"})["id"]
    t.status(t.retrieve(target, element="a", includeElementData=True), names.INVALID)


@case("retrieve.element.filename", "6", INTEROP, "an element's answer has attributes filename, type and length: doipy needs filename",
      needs=BOTH)
def filename(t):
    value = {"elements": [{"id": "e", "type": "text/plain", "attributes": {"filename": "a b.txt"}}, {"id": "plain", "type": "x/y"}]}
    target = t.create(value, {"e": b"12345", "plain": b"1"})["id"]
    for name, due in (("e", ("a b.txt", "text/plain", 5)), ("plain", ("plain", "x/y", 1))):
        found = t.status(t.retrieve(target, element=name), names.OK).attributes
        t.equal((found.get("filename"), found.get("type"), found.get("length")), due, "filename, type, length")


@case("retrieve.all", "6", MUST, "includeElementData true gives the object and the data of its elements", needs=BOTH)
def everything(t):
    target = t.create({}, {"a": b"1", "b": b""})["id"]
    t.equal(t.everything(target)[1], {"a": b"1", "b": b""}, "element data")


@case("retrieve.all.as-string", "6", MUST, "includeElementData may be the string true, or false", needs=BOTH)
def as_string(t):
    target = t.create({}, {"a": b"1"})["id"]
    t.equal(len(t.status(t.retrieve(target, includeElementData="true"), names.OK).segments), 3, "number of segments for \"true\"")
    for value in ("false", False, None):
        t.equal(len(t.status(t.retrieve(target, includeElementData=value), names.OK).segments), 1, f"number of segments for {value!r}")


@case("retrieve.all.without-elements", "6", MUST, "includeElementData of an object without elements gives the object alone", needs=BOTH)
def without_elements(t):
    target = t.create()["id"]
    t.equal(t.status(t.retrieve(target, includeElementData=True), names.OK).output.get("id"), target, "id")


@case("retrieve.refused", "6", SHOULD, "attributes that are neither true nor false, or no id, are 101", needs=BOTH)
def refused(t):
    target = t.create({}, {"a": b"1"})["id"]
    for attributes in ({"includeElementData": "maybe"}, {"includeElementData": [1]}, {"element": 5.5}, {"element": {}}):
        t.status(t.retrieve(target, **attributes), names.INVALID, str(attributes))


# name, range, the bytes due (None: 101)
RANGES = [
    ("whole", {}, DATA),
    ("middle", {"start": 10, "end": 19}, DATA[10:20]),
    ("one-byte", {"start": 5, "end": 5}, DATA[5:6]),
    ("first-byte", {"end": 0}, DATA[:1]),
    ("last-byte", {"start": 99}, DATA[99:]),
    ("no-start", {"end": 9}, DATA[:10]),
    ("no-end", {"start": 90}, DATA[90:]),
    ("end-cut", {"start": 90, "end": 1000}, DATA[90:]),
    ("end-huge", {"end": 9223372036854775807}, DATA),
    ("as-strings", {"start": "10", "end": "19"}, DATA[10:20]),
    ("null-start", {"start": None, "end": 9}, DATA[:10]),
    ("start-past-end", {"start": 100}, None),
    ("start-after-end", {"start": 20, "end": 10}, None),
    ("negative-start", {"start": -1}, None),
    ("negative-end", {"end": -1}, None),
    ("real-start", {"start": 1.5}, None),
    ("words", {"start": "x"}, None),
    ("string", "0-5", None),
    ("array", [0, 5], None),
]


def ranged(asked, due, t):
    target = t.create({}, {"e": DATA})["id"]
    answer = t.retrieve(target, element="e", range=asked)
    if due is None:
        t.status(answer, names.INVALID)
    else:
        t.equal(t.status(answer, names.OK).segments, [due], "segments")


for name, asked, due in RANGES:
    what = "is 101" if due is None else f"gives {len(due)} of 100 bytes"
    case("retrieve.range." + name, "6", INTEROP, f"range {asked!r} {what}".replace("'", ""), BOTH)(partial(ranged, asked, due))


@case("retrieve.range.of-empty", "6", INTEROP, "range from 0 of an empty element gives no bytes", needs=BOTH)
def range_of_empty(t):
    target = t.create({}, {"e": b""})["id"]
    t.equal(t.status(t.retrieve(target, element="e", range={"start": 0}), names.OK).segments, [b""], "segments")


@case("retrieve.range.without-element", "6", INTEROP, "range without element is 101", needs=BOTH)
def range_alone(t):
    target = t.create({}, {"e": b"x"})["id"]
    t.status(t.retrieve(target, range={"start": 0}), names.INVALID)


@case("retrieve.range.null", "3", INTEROP, "range null counts as absent", needs=BOTH)
def range_null(t):
    target = t.create({}, {"e": DATA})["id"]
    t.equal(t.status(t.retrieve(target, element="e", range=None), names.OK).segments, [DATA], "segments")
