"""Section 6: ListOperations."""

from .. import names
from ..registry import INTEROP, MUST, case

ON_OBJECTS = (names.RETRIEVE, names.UPDATE, names.DELETE)
ON_SERVICE = (names.HELLO, names.CREATE, names.SEARCH)


def listed(t, target=None):
    value = t.status(t.ask(names.LIST, target), names.OK).output
    t.expect(isinstance(value, list) and all(isinstance(v, str) for v in value), "an array of operation ids", value)
    return value


@case("list.service", "6", MUST, "ListOperations of the service gives an array of operation ids, with Hello and ListOperations")
def service(t):
    found = listed(t)
    for operation in (names.HELLO, names.LIST):
        t.expect(operation in found, operation, found)


@case("list.service.offered", "6", MUST, "what the service does of Create and Search, it lists")
def offered(t):
    found = listed(t)
    for short, operation in (("Create", names.CREATE), ("Search", names.SEARCH)):
        if t.service.read_only and short == "Create" or t.service.why_not((short,)):
            continue
        t.expect(operation in found, operation, found)


@case("list.service.only", "6", INTEROP, "Retrieve, Update and Delete are not listed for the service")
def only(t):
    found = listed(t)
    t.expect(not set(ON_OBJECTS) & set(found), "none of " + ", ".join(ON_OBJECTS), found)


@case("list.once", "6", MUST, "each operation is listed once")
def once(t):
    found = listed(t)
    t.equal(len(found), len(set(found)), "number of different operations")


@case("list.object", "6", MUST, "ListOperations of an object gives Retrieve, Update, Delete and ListOperations, as far as offered",
      needs=("Create",))
def of_object(t):
    found = listed(t, t.create()["id"])
    for short, operation in zip(("Retrieve", "Update", "Delete"), ON_OBJECTS):
        if not t.service.why_not((short,)):
            t.expect(operation in found, operation, found)
    t.expect(names.LIST in found, names.LIST, found)


@case("list.object.only", "6", INTEROP, "Hello, Create and Search are not listed for an object", needs=("Create",))
def of_object_only(t):
    found = listed(t, t.create()["id"])
    t.expect(not set(ON_SERVICE) & set(found), "none of " + ", ".join(ON_SERVICE), found)


@case("list.unknown", "6", MUST, "ListOperations of an unknown object is 104")
def unknown(t):
    t.status(t.ask(names.LIST, t.service.new_id()), names.UNKNOWN)


@case("list.as-others", "6", MUST, "what ListOperations lists for the service does not answer 200")
def not_declined(t):
    found = listed(t)
    if names.SEARCH in found:
        answer = t.ask(names.SEARCH, attributes={"query": t.service.mark, "pageSize": 0})
        t.expect(answer.status != names.DECLINED, "a Search that is not declined", answer)
    t.status(t.ask(names.HELLO), names.OK)
