"""Each mistake that a configuration can have: one line, with the file, the line, the key and what to do; and nothing half-started stays."""

import os
import re
import socket

import doip
from base import Case
from daemon import children, handler_file
from test_certificates import issue

def tls(certificate, key):
    return {"tls": {"certificate": certificate, "key": key}}


class Mistakes(Case):
    """Each method makes one, and tells the key that must be named and what must be said."""

    def unknown_key(self, made):
        made.change({"workers": {"thread": 4}})
        return "workers.thread", "did you mean workers.threads?"

    def wrong_type(self, made):
        made.change({"workers": {"threads": "many"}})
        return "workers.threads", "must be a whole number from 2 to 4096"

    def unreadable_file(self, made):
        made.change(tls(made.path("none.pem"), made.path("none.key")))
        return "tls.certificate", "can't read .*none.pem: No such file"

    def unreadable_users_file(self, made):
        made.change({"users_files": [made.path("none.conf")]})
        return "users_files", "none.conf: cannot read the configuration: No such file"

    def missing_handler(self, made):
        made.change({"handler": {"absent": {"enabled": True}}})
        return "handler.absent", "there is no .*absent.so.*enabled = false"

    def two_handlers_of_one_name(self, made):
        """A file is named as its handler, so the second has another's name."""
        made.install("second", handler_file("debug"))
        made.change({"handler": {"second": {"enabled": True}}})
        return "handler.second", 'second.so: its descriptor is named "debug".*so rename the one or the other'

    def port_in_use(self, made):
        taken = socket.create_server((doip.HOST, made.port))
        self.addCleanup(taken.close)
        return "listen", "Address already in use; another program listens there: stop it, or set another port"

    def key_of_another_certificate(self, made):
        made.change(tls(issue(made, "one")[0], issue(made, "two")[1]))
        return "tls.key", "does not hold the key of the certificate in .*one.pem; set the one that belongs to it"

    def expired_certificate(self, made):
        made.change(tls(*issue(made, "old", days=-1)))
        return "tls.certificate", "has expired, on 20.*; renew it"

    def key_that_everybody_can_read(self, made):
        pair = issue(made, "open")
        os.chmod(pair[1], 0o644)
        made.change(tls(*pair))
        return "tls.key", "everybody can read the key in .*open.key: chmod 600"

    def bad_hash_in_a_users_file(self, made):
        made.write('# people\nusers = (\n  { id = "a"; password_hash = "letmein"; }\n);\n', made.path("users.conf"))
        made.change({"users_files": [made.path("users.conf")]})
        return "users.[0].password_hash", "users.conf:3: .*--hash-password"

    def contradictory_threads(self, made):
        made.change({"workers": {"threads": 64, "connections": 8}})
        return "workers.threads", "64 threads can never be busy with 8 connections .*; at most as many"

    def contradictory_connections(self, made):
        made.change({"workers": {"connections": 100}, "limits": {"connections_per_address": 5000}})
        return "limits.connections_per_address", "5000 can never be reached with 2 workers of 100 connections"

    def contradictory_totals(self, made):
        made.change({"limits": {"connections": 100, "connections_per_address": 101}})
        return "limits.connections_per_address", "101 can never be reached with limits.connections = 100 .*; at most as many"

    def key_without_a_certificate(self, made):
        made.change({"tls": {"key": made.path("one.key")}})
        return "tls.key", "set tls.certificate too"

    MISTAKES = (unknown_key, wrong_type, unreadable_file, unreadable_users_file, missing_handler, two_handlers_of_one_name, port_in_use,
                key_of_another_certificate, expired_certificate, key_that_everybody_can_read, bad_hash_in_a_users_file, contradictory_threads,
                contradictory_connections, contradictory_totals, key_without_a_certificate)

    def one_line(self, made, text, key, words):
        errors = [line for line in text.splitlines() if not re.search(r" (warning|notice|info): ", line)]
        self.assertEqual(len(errors), 1, text)
        self.assertRegex(errors[0], words)
        file, number, named = re.search(r"(/\S+\.conf):(\d+): ([\w.\[\]]+): ", errors[0]).groups()
        self.assertEqual(named, key)
        with open(file) as opened:
            self.assertRegex(opened.readlines()[int(number) - 1], rf"\b{re.split(r'[.]', key)[-1]}\b|^{key.split('.')[0]} =")

    def test_each_in_one_line_that_says_where_and_what_to_do(self):
        for mistake in self.MISTAKES:
            with self.subTest(mistake.__name__):
                made = self.make(start=False, settings={})
                made.change({"pid_file": made.path("pid")})
                key, words = mistake(self, made)
                checked = made.run("-t")
                if mistake is not Mistakes.port_in_use:  # a check binds nothing
                    self.assertEqual(checked.returncode, 1)
                    self.one_line(made, checked.stderr, key, words)
                status, log = made.fails()
                self.assertEqual(status, 1)
                self.one_line(made, log, key, words)
                self.nothing_stays(made)

    def nothing_stays(self, made):
        self.assertFalse(os.path.exists(made.path("pid")))
        self.assertFalse(os.path.exists(os.path.join(made.state, "control/socket")))
        self.assertEqual([pid for pid in children(os.getpid()) if self.is_of(made, pid)], [])

    def is_of(self, made, pid):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                return made.dir in file.read()
        except OSError:
            return False
