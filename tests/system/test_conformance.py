"""tests/conformance against a real doipd, which passes all of it, and against services that lie, which must not."""

import json
import os
import ssl
import subprocess
import sys

import daemon
import doip
from base import Case
from daemon import SERVICE, TREE, free_port

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(TREE, "tests", "conformance", "run")
NO_CREDENTIALS = {"identity.not-kept", "identity.right", "identity.other-clientId"}


def suite(port, *arguments, timeout=300, service=SERVICE):
    return subprocess.run([sys.executable, "-B", RUN, f"{doip.HOST}:{port}", "--service", service, "-k", *arguments],
                          capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)


class SuiteCase(Case):
    """Runs the suite against services, and reads its report."""
    seconds = 300
    weight = 5

    def open_daemon(self):
        """A doipd with the store, where anybody may do all."""
        return self.make(handlers=("store",))

    def report(self, made, port, *arguments, **named):
        """Runs the suite: {id: outcome}, and the run."""
        path = made.path("report.json")
        done = suite(port, "--json", path, *arguments, **named)
        self.assertIn(done.returncode, (0, 1), done.stdout[-2000:] + done.stderr)
        with open(path) as file:
            self.json = json.load(file)
        return {c["id"]: c["outcome"] for c in self.json["cases"]}, done

    def certificate(self, made):
        paths = [made.path("client.crt"), made.path("client.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                        "-subj", "/CN=20.TEST\\/alice", "-out", paths[0], "-keyout", paths[1]], check=True, capture_output=True)
        return ["--cert", paths[0], "--key", paths[1]]


class Conformance(SuiteCase):
    def test_doipd_passes_all(self):
        made = self.open_daemon()
        outcomes, done = self.report(made, made.port, *self.certificate(made))
        failed = [name for name, outcome in outcomes.items() if outcome == "failed"]
        self.assertEqual(failed, [], "\n".join(line for line in done.stdout.splitlines() if not line.startswith("ok")))
        self.assertEqual({name for name, outcome in outcomes.items() if outcome == "skipped"}, NO_CREDENTIALS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertGreater(len(outcomes), 300)
        self.assertEqual(self.json["objectsLeft"], [])
        self.assertEqual(made.request(doip.SEARCH, SERVICE, attributes={"query": "*:*", "pageSize": 0}).output["size"], 0)

    def test_read_only(self):
        made = self.open_daemon()
        made.request(doip.CREATE, SERVICE, input={"id": "35.TEST/kept", "type": "T"})
        made.wait_log(f"operation={doip.CREATE}")  # written after the answer has left
        start = len(made.log())
        outcomes, done = self.report(made, made.port, "--read-only")
        for operation in (doip.CREATE, doip.UPDATE, doip.DELETE):
            self.assertNotIn(f"operation={operation}", made.log()[start:])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertGreater(list(outcomes.values()).count("passed"), 100)
        self.assertEqual(outcomes["create.minimal"], "skipped")
        kept = made.request(doip.RETRIEVE, "35.TEST/kept").output
        self.assertEqual(kept["attributes"]["metadata"]["version"], 1)
        self.assertEqual(made.request(doip.SEARCH, SERVICE, attributes={"query": "*:*", "pageSize": 0}).output["size"], 1)

    def users(self):
        """A doipd with a user alice, where others may only read."""
        reading = ["Hello", "ListOperations", "Retrieve", "Search"]
        alice = {"id": "35.TEST/alice", "name": "alice", "password_hash": daemon.hashed("hunter2 secret")}
        made = self.make(handlers=("store",), settings={"users": (alice,), "access": {"anonymous": reading}})
        with open(made.path("password"), "w") as file:
            file.write("hunter2 secret\n")
        return made

    def test_as_a_user(self):
        made = self.users()
        outcomes, done = self.report(made, made.port, "--user", "alice", "--password-file", made.path("password"))
        self.assertEqual(done.returncode, 0, "\n".join(line for line in done.stdout.splitlines() if not line.startswith("ok")))
        self.assertEqual({name for name, outcome in outcomes.items() if outcome == "skipped"},
                         {"transport.client-certificate", "request.clientId.any"})
        self.assertNotIn("hunter2", done.stdout + json.dumps(self.json))

    def test_where_others_may_only_read(self):
        made = self.users()
        outcomes, done = self.report(made, made.port)
        self.assertEqual(done.returncode, 0, "\n".join(line for line in done.stdout.splitlines() if not line.startswith("ok")))
        self.assertEqual((outcomes["create.minimal"], outcomes["hello.id"], outcomes["framing.chunk-size-0"]), ("skipped", "passed", "passed"))
        self.assertIn("Create is answered with 0.DOIP/Status.102", done.stdout)

    def test_exit_statuses_and_trust(self):
        made = self.open_daemon()
        with made.connect() as connection:
            der = connection.sock.getpeercert(binary_form=True)
        with open(made.path("ca.pem"), "w") as file:
            file.write(ssl.DER_cert_to_PEM_cert(der))
        spki = subprocess.run("openssl x509 -inform DER -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum", shell=True,
                              input=der, capture_output=True, check=True).stdout.split()[0].decode()
        address, target = f"{doip.HOST}:{made.port}", ["--service", SERVICE]
        for status, arguments in (
                (0, [address, *target, "--ca", made.path("ca.pem"), "hello.id"]),
                (0, [address, *target, "--pin", spki, "hello.*"]),
                (3, [address, *target, "--pin", "00" * 32]),
                (3, [address, *target]),  # no authority of the system's knows a self-signed certificate
                (3, [f"{doip.HOST}:{free_port()}", *target, "-k"]),
                (1, [address, "--service", "35.TEST/other", "-k", "hello.id"]),
                (2, [address, "-k"]), (2, [*target, "-k"]), (2, ["nonsense", *target]), (2, [address, *target, "-k", "no such case"]),
                (2, [address, *target, "-k", "--user", "a"]), (2, [address, *target, "-k", "--ca", "x"]),
                (2, [address, *target, "-k", "--json", "/nowhere/report.json"]),
                (2, [address, *target, "-k", "--password-file", "/nowhere", "--user", "a"]),
                (0, ["--list"]), (0, ["--list", "hello.*"]), (0, ["--help"])):
            with self.subTest(arguments=arguments):
                done = subprocess.run([sys.executable, "-B", RUN, *arguments], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, status, done.stdout + done.stderr)
                self.assertNotIn("Traceback", done.stderr)

    def test_secrets_are_not_shown(self):
        made = self.open_daemon()
        with open(made.path("password"), "w") as file:
            file.write("hunter2 secret\n")
        outcomes, done = self.report(made, made.port, "--user", "nobody", "--password-file", made.path("password"), "hello", "identity")
        self.assertEqual((outcomes["hello.id"], outcomes["identity.wrong-password"]), ("failed", "passed"))
        self.assertIn("(secret)", done.stdout)
        self.assertNotIn("hunter2", done.stdout + json.dumps(self.json))


# What a service does wrong: (cases to run, those of them that must fail and no others). "" runs all.
LIES = {
    "honest": ("hello response error retrieve.element framing.chunk-size-0 fault.words", ""),
    "forgets_request_ids": ("request.* framing.requestId error response", "request.requestId.echoed request.requestId.longest "
                            "request.property-order framing.requestId error.requestId"),
    "invents_request_ids": ("request.* fault.requestId response", "request.requestId.absent request.requestId.absent-in-error "
                            "fault.requestId-513-bytes fault.requestId-513-bytes-utf-8 fault.requestId-number"),
    "odd_heads": ("response.head response.status", "response.head response.status"),
    "full_form": ("response hello list", "response.compact"),
    "pretty": ("response hello list segment.json", "response.plainest-form"),
    "duplicate_keys": ("hello.id extended.service", "hello.id extended.service"),
    "answers_twice": ("response hello", "response.one"),
    "texts_differ": ("error", "error.text.same error.text.unsupported"),
    "loses_last_byte": ("segment.bytes.o segment.bytes.no object.element-data retrieve.element", "segment.bytes.one-chunk "
                        "object.element-data retrieve.element"),
    "wrong_chunk_size": ("segment.bytes.one-chunk retrieve.all retrieve.default", "segment.bytes.one-chunk retrieve.all "
                         "retrieve.all.as-string"),
    "unknown_is_error": ("retrieve.unknown retrieve.default delete list", "retrieve.unknown delete.gone delete.unknown delete.pipelined "
                         "list.unknown"),
    "lists_more": ("list", "list.service.only list.object.only list.once"),
    "reverses": ("transport.pipelined hello.id delete.pipelined", "transport.pipelined transport.pipelined.mixed "
                 "transport.pipelined.writes delete.pipelined"),
    "closes": ("transport.many transport.byte hello fault.connection fault.words", "transport.many-requests fault.connection-goes-on"),
    "lingers": ("framing.chunk-size-0 framing.chunk-too hello.id", "framing.chunk-size-0 framing.chunk-size-0-second framing.chunk-too-long "
                "framing.chunk-too-short"),
}
CANNED = ("transport.tls.1.1 transport.no-plaintext transport.close-notify transport.half-close.inside "
          "segment.chunk.largest framing.close-notify identity.right identity.not-kept identity.other")


class Lies(SuiteCase):
    """Cases have teeth: what a wrong service gets wrong, they see."""

    def setUp(self):
        self.made = self.open_daemon()
        self.key = os.path.join(self.made.state, "tls", "service.pem")

    def false_service(self, script, *arguments):
        """Starts liar.py or canned.py; its port."""
        port = free_port()
        process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, script), str(port), *arguments], stdout=subprocess.PIPE,
                                   stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=daemon.die_with_parent)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.stdout.close()
        return port

    def liar(self, lie):
        return self.false_service("liar.py", str(self.made.port), self.key, self.key, lie)

    def failed(self, port, *arguments, **named):
        outcomes, _ = self.report(self.made, port, "--timeout", "5", *arguments, **named)
        return {name for name, outcome in outcomes.items() if outcome == "failed"}

    def test_each_lie_is_seen_and_nothing_else(self):
        for lie, (patterns, due) in LIES.items():
            with self.subTest(lie):
                self.assertEqual(self.failed(self.liar(lie), *patterns.split()), set(due.split()))

    def test_every_case_can_fail(self):
        seen = self.failed(self.liar("inverted"), timeout=200)
        for patterns, due in LIES.values():
            seen |= set(due.split())
        password = self.made.path("password")
        with open(password, "w") as file:
            file.write("secret")
        who = ["--user", "nobody", "--password-file", password]
        for how in ("deaf", "ragged"):
            port = self.false_service("canned.py", self.key, self.key, how)
            seen |= self.failed(port, *who, *CANNED.split())
            seen |= self.failed(port, *self.certificate(self.made), "transport.client-certificate")
        seen |= self.failed(self.made.port, *who, "identity")
        seen |= self.failed(self.made.port, "transport.certificate-names-service", service="35.TEST/other")
        done = subprocess.run([sys.executable, "-B", RUN, "--list"], capture_output=True, text=True, check=True)
        self.assertEqual({line.split()[0] for line in done.stdout.splitlines()} - seen, set())
