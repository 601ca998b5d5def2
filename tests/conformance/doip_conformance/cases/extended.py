"""Section 6: extended operations that nobody claims."""

from .. import names
from ..registry import MUST, case

UNCLAIMED = ("20.DOIP/Op.Conformance.None", "123/abc", "conformance none", "0.DOIP/Op.Nothing", "0.DOIP/Op.hello")
REFUSED = (names.UNAUTHENTICATED, names.FORBIDDEN)


def declined(t, target):
    for operation in UNCLAIMED:
        answer = t.ask(operation, target)
        if answer.status in REFUSED:
            t.skip(f"refused before it is known whether anybody handles it: {answer.status} {answer.reason}")
        t.status(answer, names.DECLINED, operation)


@case("extended.service", "6", MUST, "an operation that nobody claims is 200 on the service")
def on_service(t):
    declined(t, None)


@case("extended.unknown-object", "6", MUST, "an operation that nobody claims is 200 on an unknown object, too")
def on_unknown(t):
    declined(t, t.service.new_id())


@case("extended.object", "6", MUST, "an operation that nobody claims is 200 on an object", needs=("Create",))
def on_object(t):
    declined(t, t.create()["id"])


@case("extended.with-input", "6", MUST, "an operation that nobody claims is 200 whatever its input")
def with_input(t):
    for segments, more in (([], {"input": {"a": 1}}), ([{"a": 1}, b"bytes", 5], {}), ([b""], {})):
        answer = t.ask("20.DOIP/Op.Conformance.None", None, segments, **more)
        if answer.status in REFUSED:
            t.skip(f"refused before it is known whether anybody handles it: {answer.status} {answer.reason}")
        t.status(answer, names.DECLINED)
