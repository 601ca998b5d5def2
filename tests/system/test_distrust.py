"""The command `doip` and services that are not what they should be: other keys, lies, broken answers."""

import base64
import json
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import doip
from base import Case
from client import CONTROL, Home
from daemon import SERVICE


class Trust(Case):
    def setUp(self):
        self.home = Home(self)

    def pin_of(self, made):
        with made.connect() as connection:
            der = connection.sock.getpeercert(binary_form=True)
        public = subprocess.run("openssl x509 -inform DER -noout -pubkey | openssl pkey -pubin -outform DER", shell=True, check=True,
                                capture_output=True, input=der).stdout
        return doip.sha256(public)

    def test_the_key_is_pinned_on_first_use(self):
        made = self.make(handlers=("debug",))
        pin = self.pin_of(made)
        first = self.home.doip(made.port, "hello")
        self.assertEqual(first.status, 0, first)
        self.assertIn(pin.encode(), first.err)
        with open(self.home.pins) as file:
            self.assertIn(pin, file.read())
        self.assertEqual(os.stat(self.home.pins).st_mode & 0o077, 0)
        second = self.home.doip(made.port, "hello")
        self.assertEqual((second.status, second.err), (0, b""))

    def test_a_changed_key_is_refused_with_both_pins(self):
        made = self.make(handlers=("debug",))
        old = self.pin_of(made)
        self.assertEqual(self.home.doip(made.port, "hello").status, 0)
        made.stop()
        shutil.rmtree(os.path.join(made.state, "tls"))
        made.start()
        new = self.pin_of(made)
        self.assertNotEqual(old, new)
        result = self.home.doip(made.port, "hello")
        self.assertEqual((result.status, result.out), (3, b""), result)
        self.assertIn(old.encode(), result.err)
        self.assertIn(new.encode(), result.err)
        self.assertEqual(self.home.doip(made.port, "-k", "hello").status, 0)
        self.assertEqual(self.home.doip(made.port, "--pin", new, "hello").status, 0)
        self.assertEqual(self.home.doip(made.port, "--pin", old, "hello").status, 3)
        self.assertEqual(self.home.doip(made.port, "hello").status, 3, "-k and --pin must not change what is pinned")

    def test_nothing_is_sent_to_a_server_that_is_not_trusted(self):
        fake = FakeService(self)
        result = self.home.doip(fake.port, "--pin", "0" * 64, "--token", "secret", "hello")
        self.assertEqual(result.status, 3, result)
        self.assertEqual(fake.received, b"")

    def test_insecure_pins_nothing(self):
        made = self.make(handlers=("debug",))
        self.assertEqual(self.home.doip(made.port, "-k", "hello").status, 0)
        self.assertFalse(os.path.exists(self.home.pins))

    def test_a_chain_that_verifies(self):
        made = self.make(start=False, handlers=("debug",))

        def openssl(*arguments):
            subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=made.dir)
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
        openssl("req", "-x509", *key, "-subj", "/CN=A test CA", "-keyout", "ca.key", "-out", "ca.pem")
        openssl("req", *key, "-subj", "/CN=service", "-keyout", "s.key", "-out", "s.csr")
        with open(made.path("ext"), "w") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        openssl("x509", "-req", "-in", "s.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "ext", "-out",
                "s.pem")
        made.change({"tls": {"certificate": made.path("s.pem"), "key": made.path("s.key")}})
        self.addCleanup(made.stop)
        made.start()
        result = self.home.doip(made.port, "--ca", made.path("ca.pem"), "hello")
        self.assertEqual((result.status, result.err), (0, b""), result)
        self.assertFalse(os.path.exists(self.home.pins), "a chain that verifies needs no pin")
        openssl("req", "-x509", *key, "-subj", "/CN=Another CA", "-keyout", "other.key", "-out", "other.pem")
        self.assertEqual(self.home.doip(made.port, "--ca", made.path("other.pem"), "hello").status, 3)
        self.assertEqual(self.home.doip(made.port, "--ca", made.path("ca.pem"), "hello", host="localhost").status, 3,
                         "a certificate for another name was accepted")


class FakeService:
    """Answers every connection with the same bytes once a whole request is there, then closes, in order or not."""

    def __init__(self, case, answer=b"", clean=True):
        self.answer, self.clean, self.received = answer, clean, b""
        self.dir = tempfile.mkdtemp(prefix="doip-fake-")
        case.addCleanup(shutil.rmtree, self.dir, True)
        cert, key = os.path.join(self.dir, "c.pem"), os.path.join(self.dir, "k.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=fake",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert, key)
        self.listener = socket.create_server((doip.HOST, 0))
        self.port = self.listener.getsockname()[1]
        case.addCleanup(self.stop)
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)

    def run(self):
        while True:
            try:
                plain, _ = self.listener.accept()
            except OSError:
                return
            try:
                plain.settimeout(10)
                self.serve(self.context.wrap_socket(plain, server_side=True))
            except OSError:
                pass
            finally:
                plain.close()

    def serve(self, sock):
        while True:
            got = b""
            while not got.endswith(b"\n#\n#\n") and not got.endswith(b"\n#\n#\n#\n"):
                piece = sock.recv(65536)
                if not piece:
                    sock.close()
                    return
                got += piece
                self.received += piece
            if b"Op.Hello" in got:
                sock.sendall(self.hello(got))
                continue
            sock.sendall(self.answer)
            if self.clean:
                sock.unwrap()
            sock.close()
            return

    def hello(self, got):
        asked = json.loads(got.split(b"\n#\n")[0])
        return doip.json_segment({k: v for k, v in (("requestId", asked.get("requestId")), ("status", doip.OK), (
            "output", {"id": SERVICE, "type": "0.TYPE/DOIPServiceInfo"})) if v is not None}) + doip.EMPTY


def answer(*segments, end=True, status=doip.OK, **more):
    """A response's bytes, in full form."""
    parts = [doip.json_segment(dict({"status": status}, **more))]
    parts += [doip.bytes_segment(s) if isinstance(s, bytes) else doip.json_segment(s) for s in segments]
    return b"".join(parts) + (doip.EMPTY if end else b"")


def token_of(head, key):
    """The claims of the token in a request, once openssl has verified its signature with the key (RSA)."""
    text, _, signature = head["authentication"]["token"].rpartition(".")
    header, claims, signature = (base64.urlsafe_b64decode(part + "==") for part in (*text.split("."), signature))
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        subprocess.run(["openssl", "dgst", "-sha256", "-prverify", key, "-signature", file.name], input=text.encode(), check=True,
                       capture_output=True)
    return json.loads(header), json.loads(claims)


class Tokens(Case):
    """`doip -c ID --key FILE`: what the service gets to see."""

    def setUp(self):
        self.home = Home(self)
        self.key = self.home.path("alice.pem")
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.key], check=True,
                       capture_output=True)

    def test_each_request_carries_a_token_of_its_own(self):
        fake = FakeService(self, answer({"id": "x", "type": "T"}, requestId="2"))
        before = int(time.time())
        result = self.home.doip(fake.port, "-k", "-c", "20.TEST/alice", "--key", self.key, "create", "--type", "T")
        self.assertEqual(result.status, 0, result)
        hello, create = [json.loads(text.lstrip(b"#\n")) for text in fake.received.split(b"\n#\n") if b"operationId" in text]
        for head, audience in ((hello, None), (create, SERVICE)):
            header, claims = token_of(head, self.key)
            self.assertEqual((header, head["clientId"]), ({"alg": "RS256"}, "20.TEST/alice"))
            self.assertEqual((claims["iss"], claims["sub"], claims.get("aud")), ("20.TEST/alice", "20.TEST/alice", audience))
            self.assertIn(claims["iat"] - before, range(60))
            self.assertEqual(claims["exp"] - claims["iat"], 120)

    def test_a_key_that_signs_nothing(self):
        fake = FakeService(self)
        for path, words in (("/nonexistent", b"No such file"), (self.home.path("x", b"x"), b"no private key in PEM")):
            result = self.home.doip(fake.port, "-k", "-c", "20.TEST/alice", "--key", path, "hello")
            self.assertEqual((result.status, fake.received), (2, b""), result)
            self.assertIn(words, result.err)


class FalseService(Case):
    """What a service that means ill, or breaks, can do to a user: nothing."""

    def setUp(self):
        self.home = Home(self)

    def ask(self, data, *arguments, clean=True):
        return self.home.doip(FakeService(self, data, clean).port, "-k", *arguments)

    def left(self):
        return sorted(n for n in os.listdir(self.home.dir) if n != "state")

    def test_an_interrupted_download_leaves_no_file(self):
        whole = answer(b"x" * 200000)
        for clean in (True, False):
            for cut in (1, 2, 4, 100, 100000, len(whole) - 50):
                with self.subTest(cut=cut, clean=clean):
                    result = self.ask(whole[:-cut], "retrieve", "x", "--element", "e", "-o", self.home.path("out"), clean=clean)
                    self.assertEqual(result.status, 3, result)
                    self.assertEqual(self.left(), [])
        result = self.ask(whole, "retrieve", "x", "--element", "e", "-o", self.home.path("out"))
        self.assertEqual((result.status, self.left()), (0, ["out"]), result)

    def test_an_interrupted_directory_leaves_none(self):
        whole = answer({"id": "x", "type": "T", "elements": [{"id": "a"}, {"id": "b"}]}, {"id": "a"}, b"1" * 1000, {"id": "b"}, b"2" * 1000)
        for cut in (1, 2, 3, 500, 1030, 1500):
            with self.subTest(cut=cut):
                result = self.ask(whole[:-cut], "retrieve", "x", "--all", "-o", self.home.path("out"), clean=False)
                self.assertEqual(result.status, 3, result)
                self.assertEqual(self.left(), [])

    def test_an_interrupted_download_keeps_the_file_of_before(self):
        path = self.home.path("out", b"before")
        result = self.ask(answer(b"x" * 1000)[:-3], "retrieve", "x", "--element", "e", "-o", path, clean=False)
        self.assertEqual(result.status, 3)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"before")

    def test_names_of_a_service_become_single_safe_names(self):
        names = ["../../escape", "/etc/passwd", "..", ".x", ".hidden", "-rf", "a/b", "c\nd", "\u001b[31m", "x" * 500]
        whole = answer({"id": "x", "type": "T", "elements": [{"id": n} for n in names]},
                       *[s for n in names for s in ({"id": n}, n.encode())])
        result = self.ask(whole, "retrieve", "x", "--all", "-o", self.home.path("out"))
        self.assertEqual(result.status, 0, result)
        self.assertEqual(self.left(), ["out"])
        found = os.listdir(self.home.path("out"))
        self.assertEqual(len(found), len(names) + 1)
        for name in found:
            self.assertTrue(os.path.isfile(os.path.join(self.home.path("out"), name)))
            self.assertFalse(name.startswith((".", "-")) or CONTROL.search(name.encode()), name)

    def test_a_link_is_not_followed(self):
        target = self.home.path("precious", b"precious")
        os.mkdir(self.home.path("out"))
        os.symlink(target, self.home.path("out/a"))
        whole = answer({"id": "x", "type": "T", "elements": [{"id": "a"}]}, {"id": "a"}, b"evil")
        result = self.ask(whole, "retrieve", "x", "--all", "-o", self.home.path("out"))
        self.assertEqual(result.status, 2, result)
        with open(target, "rb") as file:
            self.assertEqual(file.read(), b"precious")

    def test_control_characters_in_errors(self):
        evil = "no\u001b[2J\u009b31m\u0007\r\nforged"
        data = answer(status="0.DOIP/Status.500\u001b[31m", attributes={"message": evil})
        result = self.ask(data, "delete", "x")
        self.assertEqual(result.status, 1, result)
        self.assertIsNone(CONTROL.search(result.err + result.out), result)
        self.assertIn(b"forged", result.err)

    def test_errors_of_either_family_of_services(self):
        for more, word in (({"attributes": {"message": "java says no"}}, b"java says no"),
                           ({"output": {"reason": "python says no"}}, b"python says no"),
                           ({"output": {"message": "schema says no"}}, b"schema says no")):
            result = self.ask(answer(status=doip.FORBIDDEN, **more), "delete", "x")
            self.assertEqual(result.status, 1, result)
            self.assertIn(word, result.err)
            self.assertIn(b"0.DOIP/Status.103", result.err)

    def test_nonsense(self):
        for name, data in (("nothing", b""), ("HTTP", b"HTTP/1.1 400 Bad Request\r\n\r\n"), ("an array", b"[]\n#\n#\n"),
                           ("no status", b"{}\n#\n#\n"), ("JSON for bytes", answer({"a": 1})), ("no bytes", answer()),
                           ("a bad chunk", b'{"status":"%b"}\n#\n@\n007\nabcdefg\n#\n#\n' % doip.OK.encode()),
                           ("a huge chunk", b'{"status":"%b"}\n#\n@\n2147483647\nabc' % doip.OK.encode())):
            with self.subTest(name):
                result = self.ask(data, "retrieve", "x", "--element", "e", "-o", self.home.path("out"))
                self.assertIn(result.status, (1, 3), result)
                self.assertEqual(self.left(), [])

    def test_a_pretty_printed_answer_is_fine(self):
        data = json.dumps({"status": doip.OK, "output": {"id": "x", "type": "T"}}, indent=3).encode() + b" \r\n# \t\n#\r\n"
        result = self.ask(data, "-j", "retrieve", "x")
        self.assertEqual((result.status, result.json), (0, {"id": "x", "type": "T"}), result)
