"""Power cuts: what was synced is there, of the rest anything may be. Nothing acknowledged is lost (doc/testing.md)."""

import os
import re
import subprocess
import sys

import base
import daemon

sys.path.append(os.path.join(daemon.TREE, "tests/faults"))

import rounds  # pylint: disable=wrong-import-position,wrong-import-order
from layer import LAYER  # pylint: disable=wrong-import-position,wrong-import-order

# Calls that change files, or make others able to.
CHANGES = re.compile(r"(p?write(v|v2|v64|64)?|(l|f)?(truncate|truncate64|allocate|allocate64)|posix_fallocate(64)?|f?(data)?sync(fs|_file_range)?|"
                     r"(copy_file_range|splice|tee|sendfile|sendfile64|vmsplice|io_uring_\w+|aio_write\w*)|"
                     r"(rename|link|unlink|mkdir|symlink|mknod|open|openat)(at|at2|64|at64)?|rmdir|remove|creat(64)?|fopen(64)?|mks?temp\w*)")


def symbols(option, path):
    run = subprocess.run(["nm", "-D", option, path], capture_output=True, text=True, check=True)
    return {line.split()[-1].partition("@")[0] for line in run.stdout.splitlines()}


def sqlite():
    run = subprocess.run(["ldd", daemon.handler_file("store")], capture_output=True, text=True, check=True)
    return re.search(r"=> (\S*libsqlite3\S*)", run.stdout)[1]


def skip_where_lines_count(test):
    with open(os.path.join(daemon.BUILD, "flags")) as file:
        if "--coverage" in file.read():
            test.skipTest("a build that counts lines opens files for that")


class Power(base.Case):
    weight = 3

    def test_cut_at_any_moment(self):
        rounds.power(6, 24)

    def test_losses_would_be_seen(self):
        """The test has teeth: where syncs of one kind do not count, it finds what is lost by that."""
        for forgotten in ("catalog", "elements", "directories"):
            with self.subTest(forgotten=forgotten):
                with self.assertRaisesRegex(AssertionError, "power cut at"):
                    rounds.power(3, 40, forgotten=forgotten)

    def test_the_layer_knows_all_calls(self):
        """What the store and SQLite call to change files, the layer stands in for."""
        skip_where_lines_count(self)
        known = symbols("--defined-only", LAYER)
        for path in (daemon.handler_file("store"), sqlite()):
            called = {name for name in symbols("--undefined-only", path) if CHANGES.fullmatch(name)}
            self.assertIn("unlink" if path.endswith(".0") else "unlinkat", called, "what the test looks for")
            self.assertEqual(called - known, set(), path)
