"""Processes of the service are killed at random moments: nothing acknowledged is lost, nothing is half there (doc/testing.md)."""

import os
import sys

import base
import daemon

sys.path.append(os.path.join(daemon.TREE, "tests/faults"))

import rounds  # pylint: disable=wrong-import-position,wrong-import-order


class Kill(base.Case):
    weight = 3

    def test_killed_again_and_again(self):
        rounds.kills(15)

    def test_killed_with_many_workers(self):
        rounds.kills(5, clients=6, processes=4)

    def test_what_was_not_there_stays_so(self):
        rounds.seals(8)
