"""A disk in trouble: calls that fail, one after the other or at random, and a disk that is full. Nothing acknowledged is lost,
the client is told, and the service goes on by itself when all is well again (doc/testing.md)."""

import os
import sys

import base
import daemon

sys.path.append(os.path.join(daemon.TREE, "tests/faults"))

import trouble  # pylint: disable=wrong-import-position,wrong-import-order
from layer import FOREVER  # pylint: disable=wrong-import-position,wrong-import-order


class Disk(base.Case):
    def test_each_call_of_a_change_fails(self):
        for error, operation, most in (("EIO", "creates", FOREVER), ("EIO", "updates", 1), ("EIO", "deletes", 1),
                                       ("ENOSPC", "creates", 1), ("EDQUOT", "updates", FOREVER), ("EMFILE", "creates", FOREVER)):
            with self.subTest(error=error, operation=operation, most=most):
                trouble.walk(error, operation, most)

    def test_a_large_element_that_the_disk_does_not_take(self):
        """Of which parts are waited for, and let go of, while it comes in."""
        trouble.walk("EIO", "creates", kinds=("sync",), sizes=(20 << 20,))

    def test_a_large_element_without_a_thread_of_its_own(self):
        trouble.walk("EAGAIN", "creates", FOREVER, kinds=("thread",), sizes=(700000,))

    def test_what_could_not_be_removed_is_removed_later(self):
        trouble.tidy_again()

    def test_each_call_of_a_start_fails(self):
        for error, stride in (("EIO", 23), ("ENOSPC", 2), ("EMFILE", 2)):
            with self.subTest(error=error):
                trouble.starts(error, stride)


class Storm(base.Case):
    def test_any_calls_fail_under_load(self):
        trouble.storm(10)

    def test_full(self):
        if trouble.full() is None:
            self.skipTest("this machine does not let us mount a tmpfs")
