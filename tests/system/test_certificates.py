"""The service's certificates: which one a client is shown, which are refused, and how renewed ones come into force."""

import os
import re
import shutil
import subprocess
import time

import doip
from base import Case, certificate_text
from daemon import SLOW, until
from test_control import doipctl, report

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
RSA = ("-newkey", "rsa:2048")


def openssl(*arguments, **more):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True, **more).stdout


def issue(made, name, subject="/CN=test", kind=EC, days=90, names=()):
    """Makes NAME.pem and NAME.key: their paths."""
    certificate, key = made.path(name + ".pem"), made.path(name + ".key")
    more = ("-addext", "subjectAltName=" + ",".join(f"DNS:{each}" for each in names)) if names else ()
    openssl("req", "-x509", *kind, "-nodes", "-days", str(max(days, 1)), "-subj", subject, *more, "-keyout", key, "-out", certificate)
    if days < 0:
        openssl("x509", "-in", certificate, "-signkey", key, "-days", str(days), "-out", certificate)
    return certificate, key


def tls_settings(pair):
    return {"tls": {"certificate": pair[0], "key": pair[1]}}


class Choice(Case):
    def shown(self, made, *options):
        """The subject of the certificate that s_client is shown."""
        run = subprocess.run(["openssl", "s_client", "-connect", f"{doip.HOST}:{made.port}", *options], input="",
                             capture_output=True, text=True, timeout=30)
        return re.search(r"subject=(.*)", run.stdout).group(1).replace(" ", "")

    def test_by_name_and_by_what_the_client_can_verify(self):
        made = self.make(start=False)
        first = issue(made, "first", "/CN=first", EC)
        listed = [issue(made, "rsa", "/CN=first-rsa", RSA), issue(made, "a", "/CN=a-ec", EC, names=["a.test", "aa.test"]),
                  issue(made, "ar", "/CN=a-rsa", RSA, names=["a.test"]), issue(made, "b", "/CN=b-ec", EC, names=["*.b.test"])]
        made.change({"tls": {"certificate": first[0], "key": first[1],
                             "certificates": [{"certificate": certificate, "key": key} for certificate, key in listed]}})
        self.addCleanup(made.stop)
        made.start()
        rsa, ec = ("-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"), ("-sigalgs", "ECDSA+SHA256")
        for options, wanted in (((), "first"), (("-noservername", *ec), "first"), (("-noservername", *rsa), "first-rsa"),
                                (("-servername", "a.test", *ec), "a-ec"), (("-servername", "a.test", *rsa), "a-rsa"),
                                (("-servername", "A.TEST", *ec), "a-ec"), (("-servername", "aa.test", *ec), "a-ec"),
                                (("-servername", "x.b.test", *ec), "b-ec"), (("-servername", "b.test", *ec), "first"),
                                (("-servername", "x.y.b.test", *ec), "first"), (("-servername", "unknown.test", *rsa), "first-rsa")):
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(options=options, version=version):
                    self.assertEqual(self.shown(made, version, *options), "CN=" + wanted)
        key = made.request(doip.HELLO).output["attributes"]["publicKey"]
        self.assertEqual(key["kty"], "EC", "Hello shows the key of the first one")
        self.assertIn("certificates =", made.run("-T").stdout)

    def test_the_list_alone_is_enough(self):
        made = self.make(start=False)
        pair = issue(made, "only", "/CN=only", RSA)
        made.change({"tls": {"certificates": [{"certificate": pair[0], "key": pair[1]}]}})
        self.addCleanup(made.stop)
        made.start()
        self.assertIn("only", certificate_text(made, "-subject"))
        self.assertFalse(os.path.exists(os.path.join(made.state, "tls")), "a certificate was made that nobody needs")


class Refused(Case):
    """Each with the place in the configuration, and with what to do."""

    def refused(self, made, pair, *words):
        made.change(tls_settings(pair))
        for log in (self.start_error(made, *words), made.run("-t").stderr, made.run("--check-certificate").stderr):
            self.assertRegex(log, re.escape(made.conf) + r":\d+: tls\.(certificate|key): ")
            for word in words:
                self.assertIn(word, log)
        self.assertEqual(made.run("--check-certificate").returncode, 1)

    def test_what_can_not_be_used(self):
        made = self.make(start=False)
        good, other, expired = issue(made, "good"), issue(made, "other"), issue(made, "expired", days=-1)
        self.refused(made, (good[0], other[1]), "does not hold the key of the certificate in", "other.key")
        self.refused(made, expired, "has expired, on 20", "renew it")
        os.chmod(good[1], 0o644)
        self.refused(made, good, "everybody can read", "chmod 600")
        os.chmod(good[1], 0o640)
        openssl("pkey", "-in", other[1], "-aes256", "-passout", "pass:x", "-out", made.path("locked.key"))
        self.refused(made, (other[0], made.path("locked.key")), "is encrypted")
        made.change(tls_settings(good))
        self.assertEqual(made.run("-t").returncode, 0)

    def test_in_the_list(self):
        made = self.make(start=False)
        good, other = issue(made, "good"), issue(made, "other")
        for listed, words in (([{"certificate": good[0], "key": other[1]}], ["tls.certificates.[0]", "does not hold the key"]),
                              ([{"certificate": good[0]}], ["tls.certificates.[0]", "no usable key"]),
                              ([{"key": good[1]}], ["tls.certificates.[0]", "has no certificate"]),
                              ([{"file": good[1]}], ["tls.certificates.[0].file", "there is no such key"]),
                              (["x"], ["tls.certificates.[0]", "must be a group"])):
            made.settings["tls"] = {"certificates": listed}
            made.write()
            self.start_error(made, *words, made.conf + ":")


class Stapled(Case):
    """OCSP responses, made by `openssl ocsp`."""

    def issued(self, made, name, number, ca):
        certificate, key, request = (made.path(f"{name}.{end}") for end in ("pem", "key", "csr"))
        openssl("req", *EC, "-nodes", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}.test", "-keyout", key, "-out", request)
        openssl("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-set_serial", str(number), "-copy_extensions", "copy",
                "-days", "20", "-out", certificate)
        return certificate, key

    def response(self, made, name, ca, status="V\t351231235959Z\t", ends=("-ndays", "1")):
        """What the authority has to say about NAME.pem, in NAME.der; the index has the numbers of those that are known."""
        made.write("".join(f"{status}\t{number:X}\tunknown\t/CN={number}\n" for number in (0x1001, 0x1002)), made.path("index"))
        openssl("ocsp", "-index", made.path("index"), "-CA", ca[0], "-rsigner", ca[0], "-rkey", ca[1], "-issuer", ca[0], *ends,
                "-cert", made.path(name + ".pem"), "-respout", made.path(name + ".new"))
        os.rename(made.path(name + ".new"), made.path(name + ".der"))
        return made.path(name + ".der")

    def expire(self, made, name):
        """Nobody here looks at the signature."""
        with open(made.path(name + ".der"), "rb") as file:
            data = file.read()
        last = re.findall(rb"\d{14}Z", data)[-1]
        with open(made.path(name + ".new"), "wb") as file:
            file.write(data.replace(last, b"20200102030405Z"))
        os.rename(made.path(name + ".new"), made.path(name + ".der"))

    def shown(self, made, ca, *options):
        """The serial number in the response that a client is shown, which must be good by its own account; None for none."""
        run = subprocess.run(["openssl", "s_client", "-connect", f"{doip.HOST}:{made.port}", "-status", "-CAfile", ca[0], *options],
                             input="", capture_output=True, text=True, timeout=30)
        if "OCSP response: no response sent" in run.stdout:
            return None
        self.assertIn("Cert Status: good", run.stdout)
        return re.search(r"Serial Number: (\w+)", run.stdout)[1]

    def stapled(self, made, wanted):
        """What an operator is told, by all three who tell it: whether each is, and until when."""
        told = [certificate["ocsp"] for certificate in report(made, "status")["certificates"]]
        self.assertEqual([(os.path.basename(ocsp["file"]), ocsp["stapled"]) for ocsp in told], list(zip(("one.der", "two.der"), wanted)))
        text, check = doipctl(made, "status").stdout, made.run("--check-certificate").stdout
        for ocsp, good in zip(told, wanted):
            end = ocsp["not_after"]
            self.assertRegex(text, rf"(?m)^stapled +{ocsp['file']}, {'until' if good else 'no longer: it expired'} {end}$")
            self.assertRegex(check, rf"(?m)^  stapled +{'until' if good else 'no: the response expired at'} {end[:10]} {end[11:16]} UTC")

    def test_is_shown_to_who_asks_as_long_as_it_is_good(self):
        made = self.make(start=False)
        ca = issue(made, "ca", "/CN=authority")
        one, two = self.issued(made, "one", 0x1001, ca), self.issued(made, "two", 0x1002, ca)
        made.change({"tls": {"certificate": one[0], "key": one[1], "ocsp": self.response(made, "one", ca), "certificates": [
            {"certificate": two[0], "key": two[1], "ocsp": self.response(made, "two", ca)}]}})
        self.addCleanup(made.stop)
        made.start()
        for options, wanted in (((), "1001"), (("-servername", "two.test"), "1002"), (("-servername", "other.test"), "1001")):
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(options=options, version=version):
                    self.assertEqual(self.shown(made, ca, version, *options), wanted)
        self.assertIn("ocsp =", made.run("-T").stdout)
        self.stapled(made, [True, True])
        with self.subTest("expired"):
            self.expire(made, "one")
            made.wait_log(r"warning: the OCSP response in .*one\.der has expired.*\[staple-expired\]")
            self.assertEqual([self.shown(made, ca), self.shown(made, ca, "-servername", "two.test")], [None, "1002"])
            self.stapled(made, [False, True])
        with self.subTest("a new one comes into force by itself"):
            self.response(made, "one", ca)
            until(lambda: self.shown(made, ca) == "1001", "the new response")
        with self.subTest("some have no end"):
            self.response(made, "two", ca, ends=())
            until(lambda: re.search(r"(?m)^stapled .*two\.der, without an end$", doipctl(made, "status").stdout), "the one without")
            self.assertRegex(made.run("--check-certificate").stdout, "(?m)^  stapled +yes, without an end$")
        with self.subTest("and one that can't be used does not"):
            self.response(made, "one", ca, "R\t351231235959Z\t260101000000Z")
            made.wait_log(r"tls\.ocsp: .*one\.der says that the certificate was revoked.*\[certificate-kept\]")
            self.assertEqual(self.shown(made, ca), "1001")
        self.assertEqual(len(re.findall("staple-expired", made.log())), 1, "said once")

    def test_what_can_not_be_used_is_refused(self):
        made = self.make(start=False)
        ca = issue(made, "ca", "/CN=authority")
        one = self.issued(made, "one", 0x1001, ca)
        self.issued(made, "two", 0x1002, ca)
        made.write("not DER", made.path("garbage"))
        made.write("", made.path("empty"))
        revoked = self.response(made, "one", ca, "R\t351231235959Z\t260101000000Z")
        for file, words in ((made.path("none"), "can't read"), (made.path("garbage"), "holds no OCSP response in DER"),
                            (made.path("empty"), "it is empty"), (self.response(made, "two", ca), "is about another certificate"),
                            (revoked, "was revoked; get a new certificate")):
            with self.subTest(words):
                made.change({"tls": {"certificate": one[0], "key": one[1], "ocsp": file}})
                self.start_error(made, words, file)
                self.assertRegex(made.run("-t").stderr, re.escape(made.conf) + r":\d+: tls\.ocsp: ")


class Renewal(Case):
    def start_with(self, pair, **settings):
        made = self.daemon
        made.change(dict(tls_settings(pair), **settings))
        self.addCleanup(made.stop)
        return made.start()

    def test_replaced_files_come_into_force_by_themselves(self):
        made = self.make(start=False)
        self.start_with(issue(made, "now", "/CN=before"))
        self.assertIn("before", certificate_text(made, "-subject"))
        fresh = issue(made, "fresh", "/CN=after")
        with self.subTest("half of it"):
            os.rename(fresh[0], made.path("now.pem"))
            made.wait_log(r"certificate's files have changed.*can't be used as they are.*does not hold the key.*certificate-kept")
            self.assertIn("before", certificate_text(made, "-subject"))
        with self.subTest("the rest"):
            os.rename(fresh[1], made.path("now.key"))
            until(lambda: "after" in certificate_text(made, "-subject"), "the new certificate")
        self.assertEqual(len(re.findall("certificate-kept", made.log())), 1, "said once")
        made.wait_log("generation 2 serves")
        self.assertNotIn("generation 3", made.log())

    def test_an_unchanged_certificate_reloads_nothing(self):
        made = self.make(start=False)
        pair = issue(made, "now")
        self.start_with(pair)
        before = made.workers()
        subprocess.run(["sleep", "7"], check=True)
        self.assertEqual(made.workers(), before)

    def test_the_end_is_announced(self):
        for days, words in ((400, None), (20, r"ends in (19|20) days"), (3, r"ends in [23] days")):
            with self.subTest(days):
                made = self.make(start=False)
                self.start_with(issue(made, "soon", days=days))
                if words:
                    made.wait_log(words + r": renew it \[certificate-ends\]")
                else:
                    subprocess.run(["sleep", "4"], check=True)
                    self.assertNotIn("certificate-ends", made.log())
                made.stop()

    def test_the_self_made_one_is_renewed_and_keeps_its_key(self):
        made = self.make()
        kept = os.path.join(made.state, "tls", "service.pem")
        made.stop()
        openssl("req", "-x509", "-key", kept, "-days", "10", "-subj", "/UID=x", "-out", made.path("short.pem"))
        key = openssl("pkey", "-in", kept)
        with open(kept, "w") as file, open(made.path("short.pem")) as short:
            file.write(key + short.read())
        before = openssl("x509", "-in", kept, "-noout", "-pubkey")
        shutil.copy(kept, made.path("copy.pem"))
        with self.subTest("a check changes nothing"):
            self.assertEqual(made.run("-t").returncode, 0)
            self.assertRegex(made.run("--check-certificate").stdout, r"days left +(9|10), until 20")
            self.assertEqual(openssl("x509", "-in", kept), openssl("x509", "-in", made.path("copy.pem")))
        made.start()
        made.wait_log(r"renewed the self-signed certificate.*its key is the same \[certificate-renewed\]")
        self.assertEqual(certificate_text(made, "-pubkey"), before)
        certificate_text(made, "-checkend", str(3000 * 86400))
        self.assertEqual(os.stat(kept).st_mode & 0o777, 0o600)

    def test_the_self_made_one_is_renewed_while_the_service_runs(self):
        """One that comes to have less than its 30 days left. It has another end than it was made with, as nobody looks at its signature."""
        made = self.make()
        kept = os.path.join(made.state, "tls", "service.pem")
        made.stop()
        key, der = openssl("pkey", "-in", kept), made.path("kept.der")
        openssl("x509", "-in", kept, "-outform", "DER", "-out", der)
        with open(der, "rb") as file:
            data = file.read()
        end = time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + 30 * 86400 + 8 * SLOW)).encode()
        with open(der, "wb") as file:
            file.write(data.replace(re.findall(rb"\d{12}Z", data)[1], end))
        with open(kept, "w") as file:
            file.write(key + openssl("x509", "-inform", "DER", "-in", der))
        made.start()
        before = certificate_text(made, "-pubkey")
        self.assertEqual(len(re.findall("certificate-renewed", made.log())), 0, "renewed at the start: nothing was tested")
        made.wait_log(r"renewed the self-signed certificate.*its key is the same \[certificate-renewed\]", 30 * SLOW)
        made.wait_log("reloaded: generation 2")
        self.assertEqual(certificate_text(made, "-pubkey"), before)
        certificate_text(made, "-checkend", str(3000 * 86400))


class Shown(Case):
    def test_check_certificate(self):
        made = self.make(start=False)
        done = made.run("--check-certificate")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("there is no certificate yet", done.stdout)
        self.assertFalse(os.path.exists(made.state), "it changed something")
        pair = issue(made, "mine", "/CN=mine", RSA, days=50, names=["a.test", "b.test"])
        made.change(tls_settings(pair))
        done = made.run("--check-certificate")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?s)mine\.pem\n.*days left +(49|50), until 20\d\d-\d\d-\d\d\n.*DNS:a.test, DNS:b.test\n"
                                      r".*RSA 2048\n.*pin +[0-9a-f]{64}\n  stapled +no\n")
