"""Section 6: Hello and the service information. Also, for all operations without input: that input is refused."""

import base64
from functools import partial

from .. import certificate, names
from ..registry import INTEROP, MUST, SHOULD, case
from ..trial import ABSENT


def info(t):
    value = t.status(t.ask(names.HELLO), names.OK).output
    t.expect(isinstance(value, dict), "the service information, an object", value)
    return value


def attributes(t):
    value = info(t).get("attributes")
    t.expect(isinstance(value, dict), "the attributes of the service information", value)
    return value


@case("hello.id", "6", MUST, "the service information has the service's id")
def service_id(t):
    t.equal(info(t).get("id"), t.service.id, "id")


@case("hello.type", "6", MUST, "the service information is of type 0.TYPE/DOIPServiceInfo")
def service_type(t):
    t.equal(info(t).get("type"), names.INFO_TYPE, "type")


@case("hello.protocol", "6", MUST, "the service information says protocol TCP, protocolVersion 2.0")
def protocol(t):
    found = attributes(t)
    t.equal((found.get("protocol"), found.get("protocolVersion")), ("TCP", "2.0"), "protocol and protocolVersion")


@case("hello.address", "6", MUST, "the service information has ipAddress, a string, and port, a number")
def address(t):
    found = attributes(t)
    t.expect(isinstance(found.get("ipAddress"), str) and found["ipAddress"], "a string as ipAddress", found)
    port = found.get("port")
    t.expect(type(port) is int and 0 < port < 65536, "a number as port", found)


@case("hello.name", "6", MUST, "serviceName and serviceDescription, where there, are strings")
def name(t):
    found = attributes(t)
    for which in ("serviceName", "serviceDescription"):
        t.expect(isinstance(found.get(which, ""), str), f"a string as {which}", found)


def number(key, which):
    """The bytes of a number in a JWK."""
    text = key.get(which)
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) if isinstance(text, str) else None


@case("hello.publicKey", "6", MUST, "publicKey is the key of the TLS certificate as a JWK, without its private part")
def public_key(t):
    key = attributes(t).get("publicKey")
    t.expect(isinstance(key, dict), "a JWK as publicKey", key)
    t.expect(not {"d", "p", "q"} & set(key), "no private part", sorted(key))
    parts = {"EC": ("x", "y"), "RSA": ("n", "e"), "OKP": ("x",)}.get(key.get("kty"))
    t.expect(parts, "kty EC, RSA or OKP", key)
    spki = certificate.public_key(t.connect().certificate())
    for which in parts:
        value = number(key, which)
        t.expect(value and value in spki, f"the {which} of the TLS key", key)


WITHOUT_INPUT = [("hello", names.HELLO, False), ("list", names.LIST, False), ("search", names.SEARCH, False),
                 ("retrieve", names.RETRIEVE, True), ("delete", names.DELETE, True)]
FORMS = [("compact", (), {"input": {}}), ("json", ({},), {}), ("bytes", (b"x",), {}), ("empty-bytes", (b"",), {})]


def unwanted(operation, on_object, segments, more, t):
    target = None if not on_object else t.service.new_id() if t.service.why_not(("Create",)) else t.create()["id"]
    attributes = {"query": t.service.mark} if operation == names.SEARCH else ABSENT
    answer = t.ask(operation, target, list(segments), attributes=attributes, **more)
    t.status(answer, names.INVALID)
    if operation == names.DELETE and not t.service.why_not(("Create", "Retrieve")):
        t.status(t.retrieve(target), names.OK, "the object must still be there")


for short, operation, on_object in WITHOUT_INPUT:
    for form, segments, more in FORMS:
        needs = () if operation in (names.HELLO, names.LIST) else (short.capitalize(),)
        case(f"{short}.input-{form}", "6", MUST, f"{short.capitalize()} takes no input: {form} input is 101", needs)(
            partial(unwanted, operation, on_object, segments, more))


def not_the_service(operation, segments, more, t):
    target = t.service.new_id() if t.service.why_not(("Create",)) else t.create()["id"]
    t.status(t.ask(operation, target, list(segments), **more), names.INVALID)


for short, operation, segments, more, needs in (
        ("hello", names.HELLO, (), {}, ()), ("create", names.CREATE, ({"type": "Document"},), {}, ("Create",)),
        ("search", names.SEARCH, (), {"attributes": {"query": "x"}}, ("Search",))):
    case(f"{short}.wrong-target", "6", MUST, f"{short.capitalize()} on an object is 101", needs)(
        partial(not_the_service, operation, segments, more))


@case("hello.wrong-target.text", "6", SHOULD, "an answer about a wrong target names the right one")
def right_target(t):
    answer = t.status(t.ask(names.HELLO, t.service.new_id()), names.INVALID)
    t.expect(t.service.id in answer.reason, f"a text with {t.service.id!r}", answer)


@case("hello.attributes-ignored", "6", INTEROP, "attributes that Hello does not know are no error")
def attributes_ignored(t):
    t.status(t.ask(names.HELLO, attributes={"x": [1, {"y": None}], "element": "e"}), names.OK)
