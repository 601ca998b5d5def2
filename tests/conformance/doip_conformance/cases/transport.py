"""Section 1: TLS, connections, pipelining, and how a connection ends."""

import json
import socket
import ssl
import warnings

from .. import certificate, names
from ..message import Malformed, read_answer
from ..registry import INTEROP, MUST, SHOULD, case
from ..wire import Ended, NoConnection, Silent

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


def hello_over(t, versions, name):
    try:
        connection = t.connect(versions=versions)
    except NoConnection as error:
        t.expect(False, f"a handshake with {name}", error)
    t.status(t.ask(names.HELLO, connection=connection), names.OK)
    return connection.tls.version()


@case("transport.tls", "1", MUST, "TLS 1.2 or 1.3 is spoken")
def tls(t):
    hello_over(t, (TLS12, TLS13), "TLS 1.2 or 1.3")


@case("transport.tls.1.2", "1", INTEROP, "TLS 1.2 is spoken, for older clients")
def tls12(t):
    t.equal(hello_over(t, (TLS12, TLS12), "TLS 1.2"), "TLSv1.2", "version")


@case("transport.tls.1.3", "1", SHOULD, "TLS 1.3 is spoken")
def tls13(t):
    t.equal(hello_over(t, (TLS13, TLS13), "TLS 1.3"), "TLSv1.3", "version")


@case("transport.tls.1.1-refused", "1", SHOULD, "TLS 1.1 and older are refused")
def tls11(t):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)
        try:
            version = t.connect(versions=old, ciphers="ALL:@SECLEVEL=0").tls.version()
        except NoConnection as error:
            if "no protocols available" in str(error).lower().replace("_", " "):
                t.skip("the TLS library here does not know TLS 1.1 any more")
            return
        t.expect(False, "no handshake", version)


@case("transport.no-plaintext", "1", MUST, "a request without TLS is not answered")
def no_plaintext(t):
    with t.service.endpoint.dial() as raw:
        data = t.message(names.HELLO)
        log = t.transcript.connection()
        log.sent(data)
        got = b""
        raw.settimeout(2)
        try:
            raw.sendall(data)
            raw.shutdown(socket.SHUT_WR)
            got = raw.recv(4096)
        except OSError as error:
            log.note(str(error))
        log.got(got)
        t.expect(b"{" not in got, "no answer outside TLS", got)


@case("transport.many-requests", "1", MUST, "a connection carries any number of requests, one after the other")
def many_requests(t):
    connection = t.connect()
    for number in range(50):
        answer = t.ask(names.HELLO, connection=connection, requestId=str(number))
        t.equal(t.status(answer, names.OK).head.get("requestId"), str(number), "requestId")


@case("transport.pipelined", "1", MUST, "requests sent before their answers came are all answered, in order")
def pipelined(t):
    connection = t.connect()
    connection.send(b"".join(t.message(names.HELLO, requestId=str(n)) for n in range(20)))
    answers = [t.status(t.answer(connection, "20 answers"), names.OK) for _ in range(20)]
    t.equal([answer.head.get("requestId") for answer in answers], [str(n) for n in range(20)], "requestIds")


@case("transport.pipelined.mixed", "1", MUST, "answers to pipelined requests come in order, whatever they are: success, errors, objects")
def pipelined_mixed(t):
    kinds = [(names.HELLO, None, [names.OK]), ("20.TEST/Op.None", None, [names.DECLINED, names.UNAUTHENTICATED, names.FORBIDDEN]),
             (names.RETRIEVE, t.service.new_id(), [names.UNKNOWN, names.UNAUTHENTICATED, names.FORBIDDEN]),
             (names.LIST, None, [names.OK, names.UNAUTHENTICATED, names.FORBIDDEN])] * 4
    connection = t.connect()
    connection.send(b"".join(t.message(operation, target, requestId=str(n)) for n, (operation, target, _) in enumerate(kinds)))
    for number, (operation, _, statuses) in enumerate(kinds):
        answer = t.answer(connection, f"{len(kinds)} answers")
        t.equal(answer.head.get("requestId"), str(number), "requestId")
        t.status(answer, statuses, operation)


@case("transport.pipelined.writes", "1", MUST, "a pipelined Retrieve sees what the Create before it made", needs=("Create", "Retrieve"))
def pipelined_writes(t):
    target, connection = t.new_id(), t.connect()
    connection.send(t.message(names.CREATE, None, [{"id": target, "type": t.service.kind}], requestId="1") +
                    t.message(names.RETRIEVE, target, requestId="2"))
    for number in "12":
        answer = t.status(t.answer(connection, "two answers"), names.OK)
        t.equal((answer.head.get("requestId"), (answer.output or {}).get("id")), (number, target), "requestId and object")


@case("transport.byte-at-a-time", "1", MUST, "a request may come in TLS records of one byte")
def byte_at_a_time(t):
    connection = t.connect()
    for byte in t.message(names.HELLO, requestId="slow"):
        connection.send(bytes([byte]))
    t.equal(t.status(t.answer(connection), names.OK).head.get("requestId"), "slow", "requestId")


@case("transport.split-anywhere", "1", MUST, "a request may be split at any place into two TLS records")
def split_anywhere(t):
    data = t.message(names.HELLO, requestId="split", attributes={"x": "\u00e9"})
    for at in range(1, len(data)):
        with t.connect() as connection:
            connection.send(data[:at])
            connection.send(data[at:])
            answer = t.answer(connection, f"an answer to a request split after {at} bytes")
        t.equal(t.status(answer, names.OK).head.get("requestId"), "split", f"requestId of a request split after {at} bytes")


@case("transport.close-notify", "2", MUST, "a client that says close_notify between two messages ends the connection in good order")
def close_notify(t):
    connection = t.connect()
    t.ask(names.HELLO, connection=connection)
    connection.close_notify()
    t.closed(connection)


@case("transport.close-notify.answered", "1", SHOULD, "close_notify is answered with close_notify")
def close_notify_answered(t):
    connection = t.connect()
    t.ask(names.HELLO, connection=connection)
    connection.close_notify()
    t.equal(t.closed(connection), "close_notify", "how the service ends")


def half_closed(t, end):
    connection = t.connect()
    connection.send(t.message(names.HELLO, requestId="1") + t.message(names.HELLO, requestId="2"))
    end(connection)
    for number in "12":
        answer = t.answer(connection, "two answers after the client's end")
        t.equal(t.status(answer, names.OK).head.get("requestId"), number, "requestId")
    t.closed(connection)


@case("transport.half-close.close-notify", "2", MUST, "requests before a client's close_notify are still answered")
def half_close_notify(t):
    half_closed(t, lambda connection: connection.close_notify())


@case("transport.half-close.bare", "2", MUST, "requests before a client's end of stream without close_notify are still answered")
def half_close_bare(t):
    half_closed(t, lambda connection: connection.end_writing())


@case("transport.half-close.inside-message", "2", MUST, "a stream that ends inside a message is broken: no success is answered")
def half_close_inside(t):
    connection = t.connect()
    connection.send(t.message(names.HELLO)[:-1])
    connection.end_writing()
    try:
        answer = read_answer(connection)
    except (Ended, Malformed):
        return
    except Silent:
        t.expect(False, "an end of the connection", "a connection that stays open")
    t.expect(answer.status != names.OK, "an error, or no answer", answer)


@case("transport.client-certificate", "1", MUST, "a client may present a TLS certificate")
def client_certificate(t):
    if not t.service.endpoint.cert:
        t.skip("no --cert given")
    for versions in ((TLS12, TLS12), (TLS13, TLS13)):
        connection = t.connect(versions=versions)
        t.status(t.ask(names.HELLO, connection=connection), (names.OK, names.UNAUTHENTICATED, names.FORBIDDEN))


@case("transport.certificate-names-service", "1", INTEROP,
      "the service's certificate has the service id as its subject's UID, else CN: the Java client checks that")
def certificate_names_service(t):
    uid, cn = certificate.subject(t.connect().certificate())
    name = uid or cn or ""
    index, _, rest = name.partition(":")
    t.equal(rest if index.isdigit() else name, t.service.id, "the subject's UID or CN")


@case("transport.slow-client", "1", MUST, "a message is answered when it is complete, however slowly it comes")
def slow_client(t):
    connection, data = t.connect(), json.dumps(t.service.head(names.HELLO, t.service.id)).encode()
    connection.send(data + b"\n#")
    t.expect(connection.quiet(1.0), "nothing before the request is complete", "an answer, or an end")
    connection.send(b"\n#")
    t.expect(connection.quiet(0.5), "nothing before the request is complete", "an answer, or an end")
    t.status(t.send(b"\n", connection), names.OK)
