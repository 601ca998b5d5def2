"""What the test classes share: a daemon per class or per test, and assertions about answers and connections."""

import os
import pty
import subprocess
import unittest

import daemon
import doip
from daemon import SERVICE, until


def needs_terminals(test):
    """A bare chroot may have no /dev/pts."""
    try:
        for end in pty.openpty():
            os.close(end)
    except OSError as error:
        test.skipTest(f"there are no pseudo terminals here: {error}")


class Case(unittest.TestCase):
    """Tests that make their own daemons; self.make() ends each with the test, and checks that it ended well."""

    maxDiff = 2000

    def make(self, *arguments, start=True, **named):
        made = daemon.Daemon(*arguments, **named)
        self.daemon = made
        self.addCleanup(made.remove)
        if start:
            self.addCleanup(made.stop)
            made.start()
        return made

    def status(self, response, status, contains=None):
        self.assertEqual(response.status, status, repr(response))
        if status != doip.OK and contains != False:
            self.assertIsInstance(response.reason, str, f"an error without its text: {response!r}")
            output = response.output
            self.assertEqual((output["reason"], output["message"]), (response.reason, response.reason), repr(response))
            self.assertNotIn(daemon.TREE, response.reason)
        if contains:
            self.assertIn(contains, response.reason)
        return response

    def ok(self, response):
        return self.status(response, doip.OK)

    def still_usable(self, connection):
        """The connection must answer one more request."""
        response = connection.request(doip.HELLO, SERVICE, id="still usable")
        self.ok(response)
        self.assertEqual(response.id, "still usable")

    def closed(self, connection):
        """The service must have closed, in good order, after its answer."""
        self.assertTrue(connection.at_end(), "closed without close_notify: an answer may be lost")

    def start_error(self, made, *words):
        """A start must fail with status 1 and a message that has all the words."""
        status, log = made.fails()
        self.assertEqual(status, 1, log)
        for word in words:
            self.assertIn(word, log)
        return log


class SharedCase(Case):
    """Tests over one daemon for the class. No test may cost it a worker, but where it says so."""

    handlers = ("store", "debug")
    settings = {}
    options = ()
    workers_die = False

    @classmethod
    def setUpClass(cls):
        cls.daemon = daemon.Daemon(cls.handlers, cls.settings, cls.options)
        try:
            cls.prepare(cls.daemon)
            cls.daemon.start()
        except BaseException:
            cls.daemon.remove()
            raise

    @classmethod
    def prepare(cls, made):
        """What else the daemon needs before it starts."""

    @classmethod
    def tearDownClass(cls):
        try:
            cls.daemon.stop()
        finally:
            cls.daemon.remove()

    def setUp(self):
        self.before = self.daemon.workers()

    def tearDown(self):
        if not self.workers_die:
            self.assertEqual(self.daemon.workers(), self.before, "a worker died: " + self.daemon.tail())

    # short forms

    @property
    def port(self):
        return self.daemon.port

    def connect(self, **more):
        connection = self.daemon.connect(**more)
        self.addCleanup(connection.close)
        return connection

    def request(self, *arguments, **named):
        return self.daemon.request(*arguments, **named)

    def debug(self, *arguments, **named):
        return self.daemon.debug(*arguments, **named)

    def create(self, value=None, elements=None, **more):
        """Creates an object, full form; what the service answered (the object)."""
        value = dict({"type": "Test"}, **(value or {}))
        elements = elements or {}
        if elements:
            value.setdefault("elements", [{"id": name} for name in elements])
        return self.ok(self.request(doip.CREATE, SERVICE, doip.object_segments(value, elements), **more)).output


def store_files(root):
    """The files below a store's root, but for those of its catalog."""
    found = []
    for folder, _, names in os.walk(root):
        found += [os.path.join(folder, n) for n in names if not n.endswith((".db", ".db-wal", ".db-shm", ".db-journal", ".sqlite",
                                                                            ".sqlite-wal", ".sqlite-shm", ".lock"))]
    return sorted(found)


def unchanged_files(root, before):
    """Waits until the store has exactly the files of before (cleaning up may take a moment)."""
    until(lambda: store_files(root) == before,
          f"the store to hold only {len(before)} files; it has {sorted(set(store_files(root)) ^ set(before))[:5]} more or less")


def certificate_text(made, *options):
    """What openssl says of the certificate that the service shows."""
    with made.connect() as connection:
        pem = subprocess.run(["openssl", "x509", "-inform", "DER", "-outform", "PEM"], check=True, capture_output=True,
                             input=connection.sock.getpeercert(binary_form=True)).stdout
    return subprocess.run(["openssl", "x509", "-noout", *options], check=True, capture_output=True, input=pem).stdout.decode()


def debug_request(action, request_id="x", target=SERVICE, **attributes):
    """A request for an action of the debug handler."""
    return doip.message("20.DOIP/Debug." + action, target, id=request_id, attributes=attributes)
