"""TLS: versions, sessions, and the certificates of service and client."""

import base64
import os
import pwd
import socket
import ssl
import stat
import subprocess

import doip
from base import Case, SharedCase, certificate_text
from daemon import SERVICE


class Tls(SharedCase):
    def test_versions(self):
        for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with self.daemon.connect(tls=doip.context(versions=(version, version))) as connection:
                self.assertEqual(connection.sock.version(), name)
                self.still_usable(connection)

    def test_tls_1_1_is_refused(self):
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            old = doip.context(versions=(version, version), ciphers="ALL:@SECLEVEL=0")
            with self.assertRaises(ssl.SSLError) as caught:
                self.daemon.connect(tls=old)
            self.assertIn("ALERT", str(caught.exception), "the refusal must be the service's")

    def test_sessions_are_resumed_over_all_workers(self):
        tls = doip.context(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2))
        with self.daemon.connect(tls=tls) as connection:
            self.still_usable(connection)
            session = connection.sock.session
        for _ in range(12):
            with socket.create_connection((doip.HOST, self.port), 20) as plain:
                with tls.wrap_socket(plain, session=session) as sock:
                    self.assertTrue(sock.session_reused)

    def test_renegotiation_is_refused(self):
        done = subprocess.run(["openssl", "s_client", "-connect", f"{doip.HOST}:{self.port}", "-tls1_2"], input="R\n",
                              capture_output=True, text=True, timeout=30)
        self.assertIn("no renegotiation", done.stderr + done.stdout)
        self.ok(self.request(doip.HELLO, SERVICE))


class Oldest(Case):
    def test_min_version(self):
        made = self.make(settings={"tls": {"min_version": "1.3"}})
        newest = (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3)
        with made.connect(tls=doip.context(versions=newest)) as connection:
            self.still_usable(connection)
        with self.assertRaises(ssl.SSLError):
            made.connect(tls=doip.context(versions=(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2)))


class Certificates(Case):
    def test_the_generated_certificate(self):
        made = self.make()
        subject = certificate_text(made, "-subject", "-nameopt", "RFC2253")
        self.assertIn(f"UID={SERVICE}", subject)
        self.assertIn(f"CN={SERVICE}", subject)
        names = certificate_text(made, "-ext", "subjectAltName")
        self.assertIn("DNS:localhost", names)
        self.assertIn("IP Address:127.0.0.1", names)
        self.assertIn(socket.gethostname().split(".")[0], names)
        certificate_text(made, "-checkend", "86400")  # fails where it ends within a day

    def test_a_long_service_id_has_no_cn(self):
        name = "35.TEST/" + "x" * 100
        made = self.make(settings={"service": {"id": name}})
        subject = certificate_text(made, "-subject", "-nameopt", "RFC2253")
        self.assertIn(f"UID={name}", subject)
        self.assertNotIn("CN=", subject)

    def test_it_is_kept_over_restarts_and_reloads(self):
        made = self.make()
        first = certificate_text(made, "-fingerprint")
        made.reload()
        self.assertEqual(certificate_text(made, "-fingerprint"), first)
        made.stop()
        made.start()
        self.assertEqual(certificate_text(made, "-fingerprint"), first)

    def test_its_key_is_private(self):
        user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        made = self.make(settings={"user": user})
        folder = os.path.join(made.state, "tls")
        found = os.lstat(folder)
        self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid), (0o700, os.geteuid()))
        keys = 0
        for name in os.listdir(folder):
            found = os.lstat(os.path.join(folder, name))
            with open(os.path.join(folder, name), "rb") as file:
                if b"PRIVATE KEY" in file.read():
                    keys += 1
                    self.assertEqual((stat.S_IMODE(found.st_mode), found.st_uid), (0o600, os.geteuid()), name)
            self.assertTrue(stat.S_ISREG(found.st_mode))
            self.assertEqual(stat.S_IMODE(found.st_mode) & 0o022, 0)
        self.assertEqual(keys, 1)
        self.assertEqual(stat.S_IMODE(os.lstat(made.state).st_mode) & 0o022, 0, "others can write the state directory")

    def test_hello_shows_the_key_of_the_certificate(self):
        made = self.make()
        key = made.request(doip.HELLO).output["attributes"]["publicKey"]
        point = b"".join(base64.urlsafe_b64decode(key[part] + "=") for part in ("x", "y"))
        shown = certificate_text(made, "-pubkey")
        der = base64.b64decode("".join(line for line in shown.splitlines() if not line.startswith("-")))
        self.assertTrue(der.endswith(point))

    def test_a_client_certificate(self):
        """Self-signed: it is a claim, not an identity, until its chain verifies."""
        made = self.make(start=False)
        self.openssl_client(made)
        self.addCleanup(made.stop)
        made.start()
        tls = doip.context(cert=made.path("c.pem"), key=made.path("k.pem"))
        info = self.ok(made.request("20.DOIP/Debug.Info", SERVICE, tls=tls)).output
        self.assertEqual((info["certificate"], info["verified"], info["client"], info["claimed"]),
                         (True, False, None, "20.TEST/alice"))
        made.change({"tls": {"client_ca": made.path("c.pem")}})
        made.reload()
        info = self.ok(made.request("20.DOIP/Debug.Info", SERVICE, tls=tls)).output
        self.assertEqual((info["certificate"], info["verified"], info["client"]), (True, True, "20.TEST/alice"))
        with self.subTest("another clientId than the proven identity"):
            self.status(made.request("20.DOIP/Debug.Info", SERVICE, tls=tls, client="20.TEST/bob"), doip.UNAUTHENTICATED)
            self.ok(made.request("20.DOIP/Debug.Info", SERVICE, tls=tls, client="20.TEST/alice"))
        with self.subTest("no certificate at all"):
            self.assertFalse(self.ok(made.debug("Info")).output["certificate"])

    def openssl_client(self, made):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                        "/UID=300:20.TEST\\/alice/CN=ignored", "-keyout", made.path("k.pem"), "-out", made.path("c.pem")],
                       check=True, capture_output=True)
