"""A short round of the crowd (tests/load/crowd, doc/testing.md): hundreds of connections of all kinds at once, and nothing of them left afterwards."""

import os
import subprocess
import sys

import base
import daemon
import doip
from daemon import SERVICE, until

sys.path.append(os.path.join(daemon.TREE, "tests/load"))

import measure  # pylint: disable=wrong-import-position,wrong-import-order

CROWD = os.path.join(daemon.TREE, "tests/load/crowd")


class Crowd(base.Case):
    weight = 3

    def test_short_round(self):
        run = subprocess.run([CROWD, "-n", "500", "-t", "8", "-r", "50", "-p", "2", "-s", "4"],
                             capture_output=True, text=True, timeout=600, preexec_fn=daemon.die_with_parent)
        self.assertEqual(run.returncode, 0, f"{run.stdout}\n{run.stderr}")

    def test_what_it_would_not_do(self):
        run = subprocess.run([CROWD, "-n", "5"], capture_output=True, text=True, timeout=60)
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("at least 100 connections", run.stderr)


class Memory(base.Case):
    """The system gets back what a crowd used, some time after it has gone."""

    def test_goes_back(self):
        made = self.make(handlers=("debug",), settings={"workers": {"processes": 1}, "log": {"access": False}})
        worker, = made.workers()
        if not measure.judges_memory(worker):
            self.skipTest("a sanitizer keeps what is freed")
        for _ in range(20):
            made.request(doip.HELLO, SERVICE)
        before = measure.Worker(worker).pss
        held = []
        for _ in range(600):
            held.append(made.connect())
            self.ok(held[-1].request(doip.HELLO, SERVICE))
        crowded = measure.Worker(worker).pss
        self.assertGreater(crowded, before + 4096)
        for connection in held:
            connection.close()
        until(lambda: measure.Worker(worker).pss < before + (crowded - before) // 4,
              f"the worker's {crowded} KiB to become about {before} again", 60, 0.5)
