"""Who is calling: passwords, tokens, client certificates, handlers that authenticate; what each may call; how guessing is slowed down."""

import base64
import hashlib
import json
import os
import pty
import re
import socket
import ssl
import subprocess
import threading
import time

import doip
from base import Case, SharedCase, needs_terminals
from daemon import BUILD, DOIPD, SERVICE, hashed, until

WRONG = "The credentials are not valid."
INFO = "20.DOIP/Debug.Info"
CREATE = ({"type": "Test"},)


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True).stdout


def certificate(made, name, subject, key="ec"):
    """A self-signed one with its key, and the public key for `key` of a user."""
    pem, private, public = (made.path(f"{name}.{kind}") for kind in ("pem", "key", "pub"))
    how = {"ec": ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"), "rsa": ("-newkey", "rsa:2048"), "ed": ("-newkey", "ed25519")}
    openssl("req", "-x509", *how[key], "-nodes", "-days", "2", "-subj", subject, "-keyout", private, "-out", pem)
    with open(public, "wb") as file:
        file.write(openssl("pkey", "-in", private, "-pubout"))
    return doip.context(cert=pem, key=private)


def encoded(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=")


def raw_signature(der):
    """The two numbers of an ECDSA signature on P-256, 32 bytes each."""
    first = der[4:4 + der[3]]
    second = der[6 + der[3]:]
    return b"".join(number.lstrip(b"\0").rjust(32, b"\0") for number in (first, second))


def token(made, name, client, algorithm="ES256", **claims):
    """A JWT as the Java SDK makes them, signed by the key of that name."""
    payload = dict({"iss": client, "sub": client, "exp": int(time.time()) + 600}, **claims)
    signed = encoded({"alg": algorithm, "typ": "JWT"}) + b"." + encoded(payload)
    path = made.path("signed")
    with open(path, "wb") as file:
        file.write(signed)
    if algorithm == "EdDSA":
        signature = openssl("pkeyutl", "-sign", "-rawin", "-inkey", made.path(name + ".key"), "-in", path)
    else:
        signature = openssl("dgst", "-sha256", "-sign", made.path(name + ".key"), path)
    if algorithm == "ES256":
        signature = raw_signature(signature)
    return (signed + b"." + encoded(signature)).decode()


class Users(SharedCase):
    """One daemon; each test has an address of its own, whose failures no other pays for."""

    handlers = ("debug", "tokens")
    settings = {"access": {"anonymous": ["Hello", "ListOperations", "Retrieve", "Search"]}}

    @classmethod
    def prepare(cls, made):
        digest = hashlib.sha256(b"opaque").hexdigest()
        with open(made.path("tokens"), "w") as file:
            file.write(f"# who has which\n{digest} 20.T/dave guests staff\n")
        cls.tls = {"alice": certificate(made, "alice", "/UID=300:20.T\\/alice/CN=x"),
                   "eve": certificate(made, "eve", "/UID=20.T\\/alice"),
                   "rsa": certificate(made, "rsa", "/CN=20.T\\/rsa", "rsa"),
                   "off": certificate(made, "off", "/CN=20.T\\/off")}
        certificate(made, "ed", "/CN=x", "ed")
        made.users = [
            {"id": "20.T/alice", "name": "alice", "password_hash": hashed("secret"), "key": "alice.pub", "groups": ["staff", "admin"],
             "may_act_as": ["20.T/b*", "20.T/off"]},
            {"id": "20.T/bob", "name": "bob", "password_hash": hashed("wörd"), "groups": ["guests"]},
            {"id": "20.T/off", "name": "off", "password_hash": hashed("secret"), "key": "off.pub", "enabled": False},
            {"id": "20.T/rsa", "key": "rsa.pub"}, {"id": "20.T/ed", "key": "ed.pub"},
        ]
        made.change({"users": made.users, "handler": {"tokens": {"options": {"file": made.path("tokens")}}}})

    def request(self, *arguments, **named):
        return super().request(*arguments, source=f"127.0.1.{sum(self.id().encode()) % 250 + 1}", **named)

    def info(self, status=doip.OK, contains=None, tls=None, **more):
        """What a handler sees of the client."""
        answer = self.request(INFO, SERVICE, tls=tls, **more) if tls else self.request(INFO, SERVICE, **more)
        self.status(answer, status, contains)
        return answer.output

    def is_client(self, due, **more):
        self.assertEqual(self.info(**more)["client"], due)

    def password(self, name="alice", password="secret", **more):
        return dict({"username": name, "password": password}, **more)

    def test_passwords(self):
        self.is_client("20.T/alice", authentication=self.password())
        self.is_client("20.T/alice", authentication=self.password("20.T/alice"))
        self.is_client("20.T/alice", client="20.T/alice", authentication={"password": "secret"})
        self.is_client("20.T/alice", client="20.T/alice", authentication=self.password())
        self.is_client("20.T/bob", authentication=self.password("bob", "wörd"))
        self.assertEqual(self.info(authentication=self.password())["groups"], ["staff", "admin"])

    def test_wrong_credentials_have_one_message(self):
        for given in (self.password(password="Secret"), self.password("nobody"), self.password("off"), self.password("20.T/rsa"),
                      {"token": "x.y.z"}, {"key": "x"}, {}, {"password": "secret"}, self.password("alice", "secret\n")):
            with self.subTest(given):
                self.status(self.request(doip.HELLO, SERVICE, authentication=given), doip.UNAUTHENTICATED, WRONG)
        self.status(self.request(doip.HELLO, SERVICE, client="20.T/bob", authentication=self.password()), doip.UNAUTHENTICATED)
        log = self.daemon.log()
        for cause in ("for 20.T/alice: the password is wrong", "refused: there is no such user", "for 20.T/off: the user is disabled",
                      "for 20.T/rsa: the user has no password"):
            self.assertIn(cause, log)

    def test_a_mistyped_member_is_a_bad_request(self):
        for given in ({"username": 1}, {"password": []}, {"token": {}}, {"asUserId": 2}, {"asUserId": "x" * 513}):
            self.status(self.request(doip.HELLO, SERVICE, authentication=given), doip.INVALID, "`authentication.")

    def test_tokens(self):
        made = self.daemon
        for name, algorithm in (("alice", "ES256"), ("rsa", "RS256"), ("ed", "EdDSA")):
            self.is_client(f"20.T/{name}", authentication={"token": token(made, name, f"20.T/{name}", algorithm)})
        self.is_client("20.T/alice", client="20.T/alice", authentication={"token": token(made, "alice", "20.T/alice", aud=SERVICE)})
        for bad in (token(made, "eve", "20.T/alice"), token(made, "off", "20.T/off"), token(made, "alice", "20.T/bob"),
                    token(made, "alice", "20.T/alice", exp=int(time.time()) - 3600), token(made, "alice", "20.T/alice", aud="other")):
            self.info(doip.UNAUTHENTICATED, WRONG, authentication={"token": bad})

    def test_certificates_by_registered_key(self):
        info = self.info(tls=self.tls["alice"])
        self.assertEqual((info["client"], info["verified"], info["groups"]), ("20.T/alice", True, ["staff", "admin"]))
        self.is_client("20.T/rsa", tls=self.tls["rsa"])
        for other in ("eve", "off"):
            self.status(self.request(doip.CREATE, SERVICE, CREATE, tls=self.tls[other]), doip.UNAUTHENTICATED, "needs authentication")
        with self.subTest("clientId and credentials of others"):
            self.info(doip.UNAUTHENTICATED, tls=self.tls["alice"], client="20.T/bob")
            self.info(doip.UNAUTHENTICATED, tls=self.tls["alice"], authentication=self.password("bob", "wörd"))
            self.is_client("20.T/alice", tls=self.tls["alice"], authentication=self.password())
        with self.subTest("asUserId"):
            self.is_client("20.T/bob", tls=self.tls["alice"], client="20.T/bob", authentication={"asUserId": "20.T/bob"})
            self.is_client("20.T/alice", tls=self.tls["alice"], authentication={"asUserId": "20.T/alice"})

    def test_acting_as_another(self):
        start = len(self.daemon.log())
        info = self.info(authentication=self.password(asUserId="20.T/bob"))
        self.assertEqual((info["client"], info["groups"]), ("20.T/bob", ["guests"]))
        self.daemon.wait_log(r"client=20\.T/bob actor=20\.T/alice operation=20\.DOIP/Debug\.Info", start=start)
        self.assertEqual(self.info(authentication=self.password(asUserId="20.T/b-unknown"))["groups"], None)
        self.is_client("20.T/bob", client="20.T/bob", authentication=self.password(asUserId="20.T/bob"))
        for who, word, other in (("bob", "wörd", "20.T/alice"), ("alice", "secret", "20.T/rsa"), ("alice", "secret", "20.T/off")):
            self.info(doip.FORBIDDEN, f"20.T/{who} may not act as {other}", authentication=self.password(who, word, asUserId=other))
        self.info(doip.UNAUTHENTICATED, client="20.T/carol", authentication=self.password(asUserId="20.T/bob"))

    def test_a_handler_that_authenticates(self):
        info = self.info(authentication={"token": "opaque"})
        self.assertEqual((info["client"], info["groups"]), ("20.T/dave", ["guests", "staff"]))
        self.info(doip.UNAUTHENTICATED, WRONG, authentication={"token": "Opaque"})
        self.info(doip.UNAUTHENTICATED, client="20.T/bob", authentication={"token": "opaque"})
        self.info(doip.FORBIDDEN, "may not act as", authentication={"token": "opaque", "asUserId": "20.T/bob"})

    def test_what_such_a_handler_may_say(self):
        self.is_client("20.T/erin", authentication={"debug": "20.T/erin"})
        self.info(doip.UNAUTHENTICATED, WRONG, authentication={"debug": "refuse"})
        self.info(doip.UNAUTHENTICATED, WRONG, authentication={"debug": "nobody"})
        self.assertIn("handler debug authenticated a request without saying who sent it", self.daemon.log())
        with self.subTest("it also answers for users of the configuration, if not for their own credentials"):
            self.assertEqual(self.info(authentication={"debug": "20.T/bob"})["groups"], ["guests"])
            self.info(doip.UNAUTHENTICATED, WRONG, authentication={"debug": "20.T/off"})
            self.info(doip.UNAUTHENTICATED, WRONG, authentication={"debug": "20.T/bob", "username": "bob", "password": "x"})

    def test_what_each_may_call(self):
        for operation in (doip.CREATE, INFO, "20.X/Y"):
            self.status(self.request(operation, SERVICE, CREATE), doip.UNAUTHENTICATED, f"{operation} needs authentication here")
        for operation in (doip.UPDATE, doip.DELETE):
            self.status(self.request(operation, "35.TEST/x"), doip.UNAUTHENTICATED, "needs authentication here")
        self.ok(self.request(doip.HELLO, SERVICE))
        self.ok(self.request(doip.LIST, SERVICE))
        self.status(self.request("20.X/Y", SERVICE, authentication=self.password()), doip.DECLINED)

    def test_the_connection_goes_on_after_a_refusal(self):
        with self.connect() as connection:
            self.status(connection.request(INFO, SERVICE, authentication=self.password("bob", "no")), doip.UNAUTHENTICATED, WRONG)
            self.ok(connection.request(INFO, SERVICE, authentication=self.password()))
            self.status(connection.request(INFO, SERVICE), doip.UNAUTHENTICATED)  # who one was is not kept
            self.still_usable(connection)

    def test_handlers_and_log_see_no_secret(self):
        marks = ("mark-of-password", "mark-of-token", "mark-of-other", "mark-of-name")
        given = {"username": marks[3], "password": marks[0], "other": [{"deep": marks[2]}]}
        self.request(doip.HELLO, SERVICE, authentication=given)
        self.request(doip.HELLO, SERVICE, authentication={"token": marks[1]})
        self.request(None, SERVICE, authentication=given)
        self.ok(self.request("20.DOIP/Debug.Info", SERVICE, authentication=self.password("bob", "wörd")))
        log = self.daemon.log()
        for mark in marks + ("wörd", "$y$"):
            self.assertNotIn(mark, log)

    def test_memory_holds_no_secret(self):
        """A worker must not have a password any more, once the answer is there."""
        with open(os.path.join(BUILD, "flags")) as file:
            if "-fsanitize" in file.read():
                self.skipTest("sanitizers keep what was freed")
        word = "needle-" + os.urandom(8).hex()
        with self.connect() as connection:
            for length in (1, 1, 1, 3000, 12000):  # long heads outgrow the buffer that they were read into first
                self.status(connection.request(doip.HELLO, SERVICE, authentication=self.password("nobody-2", word), attributes={"long": "x" * length}),
                            doip.UNAUTHENTICATED)
            found = {where for worker in self.daemon.workers() for where in places(worker, word.encode())}
        self.assertEqual(found, set())


def places(pid, needle):
    """The names of the mappings of a process that hold these bytes."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            span, access, *_ = line.split()
            low, high = (int(end, 16) for end in span.split("-"))
            if "rw" not in access or high - low > 1 << 28:
                continue
            try:
                memory.seek(low)
                if needle in memory.read(high - low):
                    yield line.split()[5] if len(line.split()) > 5 else ""
            except (OSError, ValueError):
                continue


class Slowly(Case):
    """Guessing, over two workers."""

    def serve(self, **more):
        made = self.make(handlers=("debug",), start=False, settings=more)
        made.users = [{"id": f"20.T/{name}", "name": name, "password_hash": hashed(name + "'s")} for name in ("alice", "bob")]
        made.change({"users": made.users})
        self.addCleanup(made.stop)
        made.start()
        return made

    def log_in(self, made, name="alice", password=None):
        return made.request(doip.HELLO, SERVICE, authentication={"username": name, "password": password or f"{name}'s"})

    def test_failures_slow_a_user_down_in_all_workers(self):
        made = self.serve()
        for _ in range(5):
            self.status(self.log_in(made, password="guess"), doip.UNAUTHENTICATED, WRONG)
        for _ in range(6):  # either worker
            self.status(self.log_in(made), doip.UNAUTHENTICATED, "try again in 1 s")
        self.ok(self.log_in(made, "bob"))
        with self.subTest("it outlives a reload"):
            for _ in range(3):
                until(lambda: self.log_in(made, password="guess").reason == WRONG, "a penalty to be over")
            made.reload()
            self.status(self.log_in(made), doip.UNAUTHENTICATED, "try again in")
        until(lambda: self.log_in(made).ok, "the penalty to be over", 20, 0.2)

    def test_unknown_users_are_slowed_down_alike(self):
        made = self.serve()
        for _ in range(5):
            self.status(self.log_in(made, "carol"), doip.UNAUTHENTICATED, WRONG)
        self.status(self.log_in(made, "carol"), doip.UNAUTHENTICATED, "try again in 1 s")

    def test_failures_slow_an_address_down(self):
        made = self.serve()
        for number in range(20):
            self.status(self.log_in(made, f"user {number}"), doip.UNAUTHENTICATED, WRONG)
        self.status(self.log_in(made, "bob"), doip.UNAUTHENTICATED, "try again in 1 s")
        with self.subTest("those who need no credentials are not concerned"):
            self.ok(made.request(doip.HELLO, SERVICE))
        until(lambda: self.log_in(made, "bob").ok, "the penalty to be over", 20, 0.2)

    def test_many_at_once_are_all_answered(self):
        """Far more than may be hashed at once, and than there are threads; Hello goes on beside them."""
        made = self.serve(workers={"processes": 2, "threads": 4})
        names = [f"{'alice' if number % 2 else 'bob'}" for number in range(40)]
        connections = [made.connect() for _ in names]
        answers = [None] * len(names)

        def ask(number):
            with connections[number] as connection:
                answers[number] = connection.request(INFO, SERVICE, authentication={"username": names[number], "password": names[number] + "'s"})

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(names))]
        for thread in threads:
            thread.start()
        for _ in range(5):
            self.ok(made.request(doip.HELLO, SERVICE))
        for thread in threads:
            thread.join(60)
        self.assertEqual([answer.output["client"] for answer in answers], [f"20.T/{name}" for name in names])

    def test_a_verified_password_is_not_hashed_again(self):
        made = self.serve(workers={"processes": 1})
        self.ok(self.log_in(made))
        before = self.cpu(made)
        with made.connect() as connection:
            for _ in range(200):
                self.ok(connection.request(doip.HELLO, SERVICE, authentication={"username": "alice", "password": "alice's"}))
        self.assertLess(self.cpu(made) - before, 1.0, "seconds of CPU time; 200 hashings take more than 2")

    def test_unknown_and_disabled_users_cost_the_same_work(self):
        """As CPU time of the worker, which a mere look-up does not take; how long an answer takes is not measured."""
        made = self.serve(workers={"processes": 1})
        made.change({"users": made.users + [{"id": f"20.T/off{n}", "password_hash": made.users[0]["password_hash"], "enabled": False}
                                            for n in range(15)]})
        made.reload()
        spent = {}
        for kind, name in (("real", "{}"), ("unknown", "nobody {}"), ("disabled", "20.T/off{}")):
            before = self.cpu(made)
            for number in range(12):
                who = ("alice", "bob")[number % 2] if kind == "real" else name.format(number)
                given = {"username": who, "password": "guess"}
                doip.request(made.port, doip.HELLO, SERVICE, authentication=given, source=f"127.0.3.{len(spent) * 16 + number // 4 + 1}")
                if kind == "real" and number == 7:
                    break  # four failures of each: the fifth would cost a penalty
            spent[kind] = (self.cpu(made) - before) / (number + 1)
        self.assertGreater(spent["unknown"], spent["real"] / 3, spent)
        self.assertGreater(spent["disabled"], spent["real"] / 3, spent)

    def cpu(self, made):
        with open(f"/proc/{made.workers()[0]}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_a_reload_forgets(self):
        made = self.serve()
        for _ in range(4):
            self.ok(self.log_in(made))
        for name, change in (("disabled", {"enabled": False}), ("another password", {"password_hash": hashed("new")})):
            with self.subTest(name):
                made.change({"users": [dict(made.users[0], **change), made.users[1]]})
                made.reload()
                self.status(self.log_in(made), doip.UNAUTHENTICATED, WRONG)
                self.ok(self.log_in(made, "bob"))
        self.ok(self.log_in(made, "alice", "new"))

    def test_users_files_are_read_again(self):
        made = self.serve()
        path = made.path("more.conf")
        made.change({"users_files": [path]})
        made.write('users = ( { id = "20.T/carol"; name = "carol"; password_hash = "%s" } );' % made.users[0]["password_hash"], path)
        os.chmod(path, 0o600)
        start = len(made.log())
        made.reload()
        self.ok(self.log_in(made, "carol", "alice's"))
        self.assertNotIn(f"{path}:1: everybody", made.log()[start:])
        made.write('users = ( { id = "20.T/carol"; password_hash = "oops" } );', path)
        made.send(1)
        made.wait_log(r"reload refused, nothing has changed: .*more\.conf:1: users\.\[0\]\.password_hash: is no password hash")
        self.ok(self.log_in(made, "carol", "alice's"))


class Without(Case):
    def test_no_users_and_no_handler_that_knows_any(self):
        made = self.make(handlers=("older",))
        for given in ({"username": "a", "password": "b"}, {"token": "x"}, {}):
            self.status(made.request(doip.HELLO, SERVICE, authentication=given), doip.UNAUTHENTICATED, "This service has no users")
        self.assertEqual(self.ok(made.request(doip.HELLO, SERVICE)).output, "older")

    def test_a_resumed_session_proves_nothing_to_another_authority(self):
        """The ticket of a session says that the chain was good: for the authorities of then."""
        made = self.make(handlers=("debug",), start=False)
        tls = certificate(made, "c", "/UID=20.T\\/alice")
        certificate(made, "other", "/CN=another authority")
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        made.change({"tls": {"client_ca": made.path("c.pem")}})
        self.addCleanup(made.stop)
        made.start()
        with made.connect(tls=tls) as connection:
            self.assertEqual(self.ok(connection.request(INFO, SERVICE)).output["client"], "20.T/alice")
            session = connection.sock.session

        def client():
            with socket.create_connection((doip.HOST, made.port), 20) as plain:
                with tls.wrap_socket(plain, session=session) as sock:
                    sock.sendall(doip.message(INFO, SERVICE))
                    return sock.session_reused, b'"client":"20.T/alice"' in sock.recv(65536)

        self.assertEqual(client(), (True, True))
        made.change({"tls": {"client_ca": made.path("other.pem")}})
        made.reload()
        self.assertEqual(client(), (False, False))

    def test_a_user_for_the_authority_only(self):
        """Users without any credential of their own give groups to those that the configured CA vouches for."""
        made = self.make(handlers=("debug",), start=False)
        tls = certificate(made, "c", "/UID=20.T\\/alice")
        made.change({"tls": {"client_ca": made.path("c.pem")}, "users": [{"id": "20.T/alice", "groups": ["staff"]}]})
        self.addCleanup(made.stop)
        made.start()
        info = self.ok(made.request(INFO, SERVICE, tls=tls)).output
        self.assertEqual((info["client"], info["groups"]), ("20.T/alice", ["staff"]))
        made.change({"users": [{"id": "20.T/alice", "enabled": False}]})
        made.reload()
        self.assertEqual(self.ok(made.request(INFO, SERVICE, tls=tls)).output["client"], None)

    def test_the_check_names_what_is_wrong(self):
        made = self.make(handlers=(), start=False)
        made.change({"users": [{"id": "20.T/alice", "password_hash": hashed("x")}]})
        os.chmod(made.conf, 0o644)
        done = made.run("-t")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"warning: .*doipd\.conf:\d+: everybody on this host may read this file")
        self.assertNotIn("$y$", made.run("-T").stdout)
        made.change({"users": [{"id": "20.T/alice", "key": "none.pem"}]})
        done = made.run("-t")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"doipd\.conf:\d+: users\.\[0\]\.key: .*none\.pem")


class HashPassword(Case):
    def test_from_standard_input(self):
        first, second = hashed("pass"), hashed("pass")
        self.assertRegex(first, r"^\$y\$[./\w]+\$[./\w]+\$[./\w]{43}$")
        self.assertNotEqual(first, second)
        for given in ("", "\n", "x" * 600 + "\n"):
            done = subprocess.run([DOIPD, "--hash-password"], input=given, capture_output=True, text=True, timeout=60)
            self.assertEqual((done.returncode, done.stdout), (1, ""), given)

    def test_from_a_terminal_twice_without_echo(self):
        needs_terminals(self)
        for typed, status in ((("word", "word"), 0), (("word", "ward"), 1)):
            pid, terminal = pty.fork()
            if pid == 0:
                os.execv(DOIPD, [DOIPD, "--hash-password"])
            said = b""
            for prompt, word in zip((b"Password: ", b"Again: "), typed):
                while prompt not in said:
                    said += os.read(terminal, 1000)
                os.write(terminal, word.encode() + b"\n")
            try:
                while piece := os.read(terminal, 1000):
                    said += piece
            except OSError:
                pass  # the other side is closed
            ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            os.close(terminal)
            self.assertEqual(ended, status, said)
            self.assertFalse(re.search(rb"w[oa]rd\r", said), said)
            self.assertEqual(b"$y$" in said, status == 0, said)
