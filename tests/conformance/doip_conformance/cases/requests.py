"""Section 3: the properties of a request's head, its two forms, and when it is complete."""

from .. import names
from ..message import EMPTY, json_segment, object_segments
from ..registry import INTEROP, MUST, SHOULD, case
from ..trial import ABSENT

LONGEST = 512  # bytes of a requestId or targetId


def echoed(t, request_id):
    t.equal(t.ask(names.HELLO, requestId=request_id).head.get("requestId"), request_id, "requestId")


@case("request.requestId.echoed", "3", MUST, "the requestId is echoed in the response exactly")
def request_id_echoed(t):
    for request_id in ("1", "a b/c:d#e\n", "\u00e9\u20ac\U0001f600", "e\u0301", "\"\\\t", "null"):
        echoed(t, request_id)


@case("request.requestId.longest", "3", MUST, "a requestId may have 4096 bits (512 bytes of UTF-8)")
def request_id_longest(t):
    echoed(t, "x" * LONGEST)
    echoed(t, "\u20ac" * 170 + "xx")


@case("request.requestId.absent", "4", MUST, "a request without a requestId gets an answer without one")
def request_id_absent(t):
    for value in (ABSENT, None):
        t.expect("requestId" not in t.ask(names.HELLO, requestId=value).head, "no requestId in the answer", "one")


@case("request.requestId.absent-in-error", "4", MUST, "an error about a request without a requestId has none either")
def request_id_absent_in_error(t):
    answer = t.ask("20.TEST/Op.None", requestId=ABSENT)
    t.expect("requestId" not in answer.head, "no requestId in the answer", answer)


@case("request.clientId.any", "3", SHOULD, "a clientId without authentication is a claim, no error")
def client_id(t):
    if t.service.properties.get("authentication"):
        t.skip("we come with credentials")
    t.status(t.ask(names.HELLO, clientId="20.TEST/somebody"), names.OK)


@case("request.targetId.longest", "3", MUST, "a targetId may have 4096 bits: an unknown one of that length is 104")
def target_longest(t):
    t.status(t.retrieve(t.service.prefix + "/" + "x" * (LONGEST - 1 - len(t.service.prefix.encode()))), names.UNKNOWN)


@case("request.targetId.missing-for-hello", "3", INTEROP, "Hello without a targetId, or with an empty one, means the service")
def hello_without_target(t):
    for target in (ABSENT, ""):
        t.status(t.ask(names.HELLO, target if target == "" else None, targetId=target), names.OK)


@case("request.null-is-absent", "3", MUST, "null for an optional property counts as absent")
def null_is_absent(t):
    for name in ("requestId", "clientId", "attributes", "authentication", "input"):
        if name not in t.service.properties:
            t.status(t.ask(names.HELLO, **{name: None}), names.OK, f"{name} null")


@case("request.null-input-and-segments", "3", MUST, "input null beside segments is the full form", needs=("Create",))
def null_input(t):
    t.made(t.ask(names.CREATE, None, [{"id": t.new_id(), "type": t.service.kind}], input=None))


@case("request.unknown-properties", "3", MUST, "unknown properties are ignored")
def unknown_properties(t):
    t.status(t.ask(names.HELLO, sender="x", output={"a": 1}, status=5, nothing=None), names.OK)


@case("request.property-order", "3", MUST, "the properties of the head come in any order")
def property_order(t):
    value = t.service.head(names.HELLO, t.service.id, requestId="order", attributes={})
    for pairs in (list(value.items())[::-1], sorted(value.items())):
        t.equal(t.send(json_segment(dict(pairs)) + EMPTY).head.get("requestId"), "order", "requestId")


@case("request.escaped-names", "3", MUST, "names and values written with JSON escapes are the same names and values")
def escaped_names(t):
    data = json_segment(t.service.head(names.HELLO, t.service.id)).replace(b'"operationId"', b'"oper\\u0061tionId"')
    t.status(t.send(data.replace(b"Op.Hello", b"Op\\u002eHello") + EMPTY), names.OK)


@case("request.forms-alike", "3", MUST, "the compact form (input) and the full form (a segment) mean the same", needs=("Create",))
def forms_alike(t):
    made = []
    for compact in (True, False):
        value = {"id": t.new_id(), "type": t.service.kind, "attributes": {"content": {"x": "\n#\n"}}}
        answer = t.ask(names.CREATE, input=value) if compact else t.ask(names.CREATE, None, [value])
        made.append(t.made(answer))
    contents = [m.get("attributes", {}).get("content") for m in made]
    t.equal(contents, [{"x": "\n#\n"}] * 2, "content of both objects")


@case("request.forms-alike.update", "3", MUST, "Update takes both forms", needs=("Create", "Update"))
def forms_alike_update(t):
    target = t.create()["id"]
    for number, compact in enumerate((True, False)):
        value = {"attributes": {"content": {"n": number}}}
        answer = t.ask(names.UPDATE, target, input=value) if compact else t.ask(names.UPDATE, target, [value])
        t.equal(t.status(answer, names.OK).output.get("attributes", {}).get("content"), {"n": number}, "content")


@case("request.ids-byte-for-byte", "3", MUST, "ids compare byte for byte: case and Unicode form matter", needs=("Create", "Retrieve"))
def ids_compare(t):
    target = t.create({"id": t.new_id() + "-A\u00e9"})["id"]
    for other in (target.replace("-A", "-a"), target.replace("\u00e9", "e\u0301"), target + " ", target[:-1]):
        t.status(t.retrieve(other), names.UNKNOWN, f"for {target!r} is there, not {other!r}")
    t.status(t.retrieve(target), names.OK)


@case("request.service-id-byte-for-byte", "3", MUST, "the service's own id compares byte for byte, too")
def service_id_compares(t):
    other = t.service.id.swapcase()
    if other == t.service.id:
        t.skip("the service's id has no letters")
    t.status(t.ask(names.HELLO, other), names.INVALID)


@case("request.incomplete", "3", MUST, "a message without the newline of its empty segment changes nothing", needs=("Create", "Retrieve"))
def incomplete(t):
    for cut in (1, 2, 3):
        for end in ("end_writing", "close_notify", "close"):
            target = t.new_id()
            data = t.message(names.CREATE, None, object_segments(
                {"id": target, "type": t.service.kind, "elements": [{"id": "data"}]}, {"data": b"abc"}))
            with t.connect() as connection:
                connection.send(data[:-cut])
                getattr(connection, end)()
                if end != "close":
                    connection.at_end()
            t.status(t.retrieve(target), names.UNKNOWN, f"cut by {cut} bytes, {end}")


@case("request.incomplete.update", "3", MUST, "an Update that is cut short leaves the object as it was", needs=("Create", "Retrieve", "Update"))
def incomplete_update(t):
    target = t.create({}, {"data": b"before"})["id"]
    data = t.message(names.UPDATE, target, object_segments({"elements": [{"id": "data"}]}, {"data": b"after"}))
    for cut in (1, 2, 3, 8):
        with t.connect() as connection:
            connection.send(data[:-cut])
            connection.end_writing()
            connection.at_end()
        t.equal(t.retrieve(target, element="data").output, b"before", f"the element after an Update cut by {cut} bytes")


@case("request.incomplete.delete", "3", MUST, "a Delete that is cut short deletes nothing", needs=("Create", "Retrieve", "Delete"))
def incomplete_delete(t):
    target = t.create()["id"]
    for cut in (1, 2, 3):
        with t.connect() as connection:
            connection.send(t.message(names.DELETE, target)[:-cut])
            connection.end_writing()
            connection.at_end()
        t.status(t.retrieve(target), names.OK, f"after a Delete cut by {cut} bytes")
