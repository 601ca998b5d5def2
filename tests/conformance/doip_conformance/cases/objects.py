"""Section 5: digital objects, as they go in and come out."""

from .. import names
from ..message import EMPTY, bytes_segment, json_segment, object_segments
from ..registry import MUST, SHOULD, case

BOTH = ("Create", "Retrieve")


def content(t, value):
    """What content comes back as, by Retrieve, when it was created so."""
    target = t.create({"attributes": {"content": value}})["id"]
    now = t.status(t.retrieve(target), names.OK).output
    t.expect(isinstance(now, dict) and isinstance(now.get("attributes"), dict), "an object with attributes", now)
    return now["attributes"].get("content")


@case("object.serialization", "5", MUST, "an object has id, type, attributes and elements, and those have the types they should",
      needs=BOTH)
def serialization(t):
    made = t.create({"attributes": {"content": {}}}, {"data": b"x"})
    now = t.status(t.retrieve(made["id"]), names.OK).output
    for name, kind in (("id", str), ("type", str), ("attributes", dict), ("elements", list)):
        t.expect(isinstance(now.get(name), kind), f"{name} of type {kind.__name__}", now)
    for element in now["elements"]:
        t.expect(isinstance(element.get("id"), str) and isinstance(element.get("length", 0), int)
                 and isinstance(element.get("type", ""), str) and isinstance(element.get("attributes", {}), dict), "elements", element)


@case("object.same-everywhere", "5", MUST, "Create's answer and Retrieve's are the same object", needs=BOTH)
def same_everywhere(t):
    made = t.create({"attributes": {"content": {"a": 1}}}, {"data": b"x"})
    t.equal(t.status(t.retrieve(made["id"]), names.OK).output, made, "the object")


@case("object.content", "5", MUST, "attributes.content comes back as it was", needs=BOTH)
def content_comes_back(t):
    for value in ({"a": [1, 2, {"b": None}], "c": {"": ""}, "d": [[], {}], "e": True}, {"x": "\n#\n@\n\"\\/\b\f\r\t\u0001\u007f"},
                  {"\u00e9\u20ac": "\U0001f600"}, {"e\u0301": "\u00e9"}, {}):
        t.equal(content(t, value), value, "content")


@case("object.numbers", "3", SHOULD, "numbers come back as they were: 64-bit integers, and reals to their last bit", needs=BOTH)
def numbers(t):
    value = {"list": [0, -1, 9223372036854775807, -9223372036854775808, 0.1, 1e300, 2.5e-308, 1.7976931348623157e308, 123456789.125]}
    t.equal(content(t, value), value, "content")


@case("object.shortest-reals", "3", SHOULD, "reals go out in the shortest form that reads back equal", needs=BOTH)
def shortest_reals(t):
    target = t.create({"attributes": {"content": {"x": [0.1, 0.30000000000000004]}}})["id"]
    raw = t.status(t.retrieve(target), names.OK).raw.replace(b" ", b"").replace(b"\n", b"")
    t.expect(b"[0.1,0.30000000000000004]" in raw, "[0.1,0.30000000000000004]", raw[:600])


@case("object.other-attributes", "5", MUST, "attributes beside content are open, and kept", needs=BOTH)
def other_attributes(t):
    made = t.create({"attributes": {"content": {}, "conformance": {"a": [1]}, "words": "x"}})
    now = t.status(t.retrieve(made["id"]), names.OK).output.get("attributes", {})
    t.equal((now.get("conformance"), now.get("words")), ({"a": [1]}, "x"), "attributes")


@case("object.element-properties", "5", MUST, "an element's type and attributes are kept", needs=BOTH)
def element_properties(t):
    made = t.create({"elements": [{"id": "data", "type": "text/plain", "attributes": {"filename": "a.txt", "n": 1}}]}, {"data": b"x"})
    element = t.status(t.retrieve(made["id"]), names.OK).output["elements"][0]
    found = element.get("attributes", {})
    t.equal((element.get("type"), found.get("filename"), found.get("n")), ("text/plain", "a.txt", 1), "type and attributes")


@case("object.types", "5", SHOULD, "a type may be an identifier or a plain name", needs=BOTH)
def types(t):
    for kind in ("0.TYPE/DO", "Document", "20.TEST/Type.X"):
        made = t.create({"type": kind})
        t.equal(t.status(t.retrieve(made["id"]), names.OK).output.get("type"), kind, "type")


@case("object.element-data", "5", MUST, "element data comes back with its element", needs=BOTH)
def element_data(t):
    data = {"a": b"\n#\n", "b": b"", "c": bytes(range(256)) * 300, "d e/\u00e9": b"d"}
    made = t.create({}, data)
    t.equal(t.everything(made["id"])[1], data, "elements with their data")


@case("object.elements-in-any-order", "5", MUST, "element data may come in any order", needs=BOTH)
def any_order(t):
    made = t.create({"elements": [{"id": "a"}, {"id": "b"}, {"id": "c"}]}, {"c": b"3", "a": b"1", "b": b"2"})
    t.equal([e.get("id") for e in made["elements"]], ["a", "b", "c"], "elements")
    t.equal(t.everything(made["id"])[1], {"a": b"1", "b": b"2", "c": b"3"}, "elements with their data")


@case("object.element-without-data", "5", MUST, "an element without data is part of the object, and left out of its data", needs=BOTH)
def without_data(t):
    made = t.create({"elements": [{"id": "bare"}, {"id": "full"}]}, {"full": b"x"})
    now, data = t.everything(made["id"])
    t.equal([e.get("id") for e in now.get("elements", [])], ["bare", "full"], "elements")
    t.equal(data, {"full": b"x"}, "element data")


@case("object.header-with-more", "5", SHOULD, "an element header may have properties beside its id", needs=BOTH)
def header_with_more(t):
    target = t.new_id()
    value = {"id": target, "type": t.service.kind, "elements": [{"id": "e"}]}
    t.made(t.ask(names.CREATE, None, [value, {"id": "e", "note": 1}, b"x"]))
    t.equal(t.everything(target)[1], {"e": b"x"}, "element data")


@case("object.many-elements", "5", MUST, "an object may have a hundred elements", needs=BOTH)
def many_elements(t):
    data = {f"e{n}": b"%d" % n * n for n in range(100)}
    made = t.create({}, data)
    now, found = t.everything(made["id"])
    t.equal((len(now["elements"]), found), (100, data), "elements")


@case("object.null-properties", "3", SHOULD, "null for an object's optional properties counts as absent", needs=("Create",))
def null_properties(t):
    for value in ({"id": None}, {"attributes": None}, {"elements": None}):
        whole = dict({"id": t.new_id(), "type": t.service.kind}, **value)
        t.made(t.ask(names.CREATE, None, [whole]))


@case("object.pretty-printed", "2", MUST, "an object and its element headers may be pretty-printed", needs=BOTH)
def pretty_printed(t):
    target = t.new_id()
    value = b'{\r\n  "id": "%b",\n\n  "type":\n "%b",\n "elements":\t[\n{"id":"e"} ]\n}' % (target.encode(), t.service.kind.encode())
    t.made(t.send(t.head(names.CREATE) + json_segment(value) + json_segment(b'{\n"id" :\n "e"\n}\n') + bytes_segment(b"x") + EMPTY))
    t.equal(t.everything(target)[1], {"e": b"x"}, "element data")


@case("object.large-element", "5", MUST, "an element of 8 MiB comes back", needs=BOTH)
def large_element(t):
    data = bytes(range(251)) * 33422
    target = t.new_id()
    value = {"id": target, "type": t.service.kind, "elements": [{"id": "e"}]}
    t.made(t.ask(names.CREATE, None, object_segments(value, {"e": data})))
    answer = t.status(t.retrieve(target, element="e"), names.OK)
    t.expect(answer.output == data, f"{len(data)} bytes, as they went in", "other bytes")
