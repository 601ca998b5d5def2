"""Calls of the system, of the C library and of OpenSSL that fail, do less than they were asked for, or stall, one at a time: while the
service answers, starts, reloads and ends. No crash, no hang, nothing lost or leaked, and a word in the log (doc/testing.md)."""

import os
import sys

import base
import daemon

sys.path.append(os.path.join(daemon.TREE, "tests/faults"))

import service  # pylint: disable=wrong-import-position,wrong-import-order

# What was wrong once: each of these found something.
LOST_WORDS = (("message", "ENOBUFS", 1),)


class Answers(base.Case):
    def test_some_calls_of_requests_to_the_store(self):
        service.answers(6, 2)

    def test_some_calls_of_requests_to_a_small_handler(self):
        service.answers(6, 3, service.MINIMAL)


class Lives(base.Case):
    def test_some_calls_of_a_start(self):
        service.starts(4, 1)

    def test_some_calls_of_a_reload(self):
        service.reloads(4, 2)

    def test_words_between_master_and_workers_that_are_lost(self):
        service.reloads(LOST_WORDS, 0)

    def test_some_calls_of_what_an_operator_asks(self):
        service.asks(2, 1)

    def test_some_calls_of_an_end(self):
        service.ends(3, 1)
