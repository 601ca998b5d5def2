"""Section 4: the form of responses, and where errors carry their text."""

import json
import re

from .. import names
from ..registry import INTEROP, MUST, SHOULD, case

UNSUPPORTED = "This operation is not supported."


def some_answers(t):
    """Answers of every kind that we can get without changing anything."""
    yield t.ask(names.HELLO)
    yield t.ask(names.LIST)
    yield t.ask("20.TEST/Op.None")
    yield t.retrieve(t.service.new_id())
    yield t.ask(names.HELLO, operationId=5)


def errors(t):
    return [a for a in some_answers(t) if a.status != names.OK]


@case("response.head", "4", MUST, "a response's head has status, and at most requestId, attributes and output beside it")
def head(t):
    for answer in some_answers(t):
        t.expect(set(answer.head) <= {"requestId", "status", "attributes", "output"}, "no other properties", answer)
        t.expect(isinstance(answer.head.get("attributes", {}), dict), "attributes that are an object", answer)
        t.expect(isinstance(answer.head.get("requestId", ""), str), "a requestId that is a string", answer)


@case("response.status", "4", MUST, "a response's status is one of the protocol's")
def status(t):
    for answer in some_answers(t):
        t.expect(answer.status in names.STATUSES, f"one of {', '.join(names.STATUSES)}", answer)


@case("response.plainest-form", "2", INTEROP,
      "what a service writes is the plainest form: JSON on one line, no blanks: some clients' readers need that")
def plainest_form(t):
    for answer in some_answers(t):
        for line in answer.raw.split(b"\n")[:-1]:
            bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', line)
            t.expect(not re.search(rb"\s", bare), "lines without blanks", repr(line[:200]))
            if not line.startswith((b"#", b"@")):
                try:
                    json.loads(line)
                except ValueError:
                    t.expect(False, "JSON on one line", repr(line[:200]))


@case("response.compact", "4", INTEROP, "a single JSON output segment comes in the compact form, as output")
def compact(t):
    answer = t.status(t.ask(names.HELLO), names.OK)
    t.expect(answer.compact, "an output in the head", answer)


@case("response.success-has-one-output", "4", MUST, "a successful Hello has one output, a JSON object")
def one_output(t):
    answer = t.status(t.ask(names.HELLO), names.OK)
    t.expect(isinstance(answer.output, dict), "one JSON object", answer)


@case("response.one", "4", MUST, "each request has one answer: nothing follows it")
def one(t):
    for operation in (names.HELLO, "20.TEST/Op.None"):
        with t.connect() as connection:
            t.ask(operation, connection=connection)
            connection.quiet(0.2)
            t.expect(not connection.buffer, "nothing after the answer", bytes(connection.buffer[:300]))


@case("error.text", "4", SHOULD, "an error carries a text that a person understands")
def text(t):
    for answer in errors(t):
        t.expect(answer.reason.strip(), "a text in attributes.message, output.reason or output.message", answer)


@case("error.text.attributes-message", "4", INTEROP, "an error's text is in attributes.message, for the Java SDK and Cordra")
def attributes_message(t):
    for answer in errors(t):
        t.expect(isinstance(answer.attributes.get("message"), str), "a string in attributes.message", answer)


@case("error.text.output-reason", "4", INTEROP, "an error's text is in output.reason, for the Python SDK")
def output_reason(t):
    for answer in errors(t):
        t.expect(isinstance(answer.output, dict) and isinstance(answer.output.get("reason"), str), "a string in output.reason", answer)


@case("error.text.output-message", "4", INTEROP, "an error's text is in output.message, for the FDO community's schemas")
def output_message(t):
    for answer in errors(t):
        t.expect(isinstance(answer.output, dict) and isinstance(answer.output.get("message"), str), "a string in output.message", answer)


@case("error.text.same", "4", INTEROP, "the text is the same in all three places")
def same(t):
    for answer in errors(t):
        output = answer.output if isinstance(answer.output, dict) else {}
        texts = [answer.attributes.get("message"), output.get("reason"), output.get("message")]
        t.expect(texts[0] is not None and len(set(map(repr, texts))) == 1, "the same text three times", texts)


@case("error.text.unsupported", "4", INTEROP, "the text about an operation that nobody handles is the Python SDK's")
def unsupported(t):
    answer = t.ask("20.TEST/Op.None")
    if answer.status in (names.UNAUTHENTICATED, names.FORBIDDEN):
        t.skip(f"refused before it is known whether anybody handles it: {answer.status} {answer.reason}")
    t.equal(t.status(answer, names.DECLINED).reason, UNSUPPORTED, "text")


@case("error.requestId", "4", MUST, "errors carry the request's requestId")
def request_id(t):
    for operation, target in (("20.TEST/Op.None", None), (names.RETRIEVE, t.service.new_id()), (names.HELLO, t.service.new_id())):
        answer = t.ask(operation, target, requestId="error")
        t.equal(answer.head.get("requestId"), "error", "requestId")
