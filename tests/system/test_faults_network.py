"""Networks that fail: connections that end anywhere in an exchange, packets that are lost, late, doubled or out of order, and clients that
vanish without a word (doc/testing.md)."""

import os
import sys

import base
import daemon

sys.path.append(os.path.join(daemon.TREE, "tests/faults"))

import network  # pylint: disable=wrong-import-position,wrong-import-order


class Connections(base.Case):
    def test_end_anywhere(self):
        network.cuts(60)

    def test_hang_anywhere(self):
        network.cuts(3, ("hang",))


class Link(base.Case):
    """Between two network namespaces."""

    def run_over(self, test, *arguments):
        try:
            test(*arguments)
        except network.Unavailable as error:
            self.skipTest(f"this machine does not let us make network namespaces: {error}")

    def test_rough(self):
        self.run_over(network.rough, 8)

    def test_clients_that_vanish(self):
        self.run_over(network.half_open)
