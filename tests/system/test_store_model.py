"""The store against a model of it: random operations of several clients, restarts and reloads in between (doc/testing.md)."""

import os
import sys

import base
import daemon

sys.path.append(os.path.join(daemon.TREE, "tests/faults"))

import rounds  # pylint: disable=wrong-import-position,wrong-import-order


class Model(base.Case):
    weight = 3

    def test_random_operations(self):
        rounds.model(12)
