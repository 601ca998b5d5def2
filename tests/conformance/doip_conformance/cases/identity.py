"""Section 1: credentials. Wrong ones are refused, never taken for nobody's."""

from .. import names
from ..registry import MUST, SHOULD, case

WRONG = [
    ("password", {"authentication": {"username": "conformance-nobody", "password": "wrong"}}),
    ("client-password", {"clientId": "99.CONFORMANCE/nobody", "authentication": {"password": "wrong"}}),
    ("as-user", {"authentication": {"username": "conformance-nobody", "password": "wrong", "asUserId": "99.CONFORMANCE/other"}}),
    ("key", {"authentication": {"key": "wrong"}}),
    ("token", {"authentication": {"token": "wrong"}}),
    ("jwt", {"authentication": {"token": "eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIiwic3ViIjoiYSIsImV4cCI6OTk5OTk5OTk5OX0."}}),
]


def refused(more):
    def run(t):
        t.status(t.ask(names.HELLO, **more), names.UNAUTHENTICATED)
    return run


for name, more in WRONG:
    case("identity.wrong-" + name, "1", MUST, f"credentials that are wrong ({name}) are 102, never silent anonymity")(refused(more))


@case("identity.connection-goes-on", "4", MUST, "after wrong credentials the connection stays usable")
def connection_goes_on(t):
    connection = t.connect()
    t.ask(names.HELLO, connection=connection, **WRONG[0][1])
    t.goes_on(connection, "wrong credentials")


@case("identity.not-kept", "1", MUST, "credentials hold for their request only, not for the connection")
def not_kept(t):
    if not t.service.properties.get("authentication"):
        t.skip("no credentials given")
    connection = t.connect()
    t.status(t.ask(names.HELLO, connection=connection), names.OK)
    t.status(t.ask(names.HELLO, connection=connection, **WRONG[0][1]), names.UNAUTHENTICATED)


@case("identity.right", "1", MUST, "the credentials given are accepted")
def right(t):
    if not t.service.properties.get("authentication"):
        t.skip("no credentials given")
    t.status(t.ask(names.HELLO), names.OK)


@case("identity.other-clientId", "1", MUST, "a clientId that is not the proven identity is 102")
def other_client_id(t):
    if not t.service.properties.get("authentication", {}).get("username"):
        t.skip("no --user given")
    t.status(t.ask(names.HELLO, clientId="99.CONFORMANCE/nobody"), names.UNAUTHENTICATED)


@case("identity.same-text", "1", SHOULD, "wrong credentials have one text for all causes")
def same_text(t):
    texts = {t.status(t.ask(names.HELLO, authentication=a), names.UNAUTHENTICATED).reason for a in (
        {"username": "conformance-nobody", "password": "wrong"}, {"username": "conformance-other", "password": ""})}
    t.equal(len(texts), 1, "number of different texts")
