"""The power is cut while doip-store imports, or after it has ended: what it said is done is on disk (doc/testing.md).

An export writes through stdio, which the layer does not see.
"""

import contextlib
import os
import random
import shutil
import subprocess
import sys
import types

import daemon
from test_store_power import CHANGES, skip_where_lines_count, symbols
from test_store_tool import TOOL, ToolCase, command, tree

sys.path.append(os.path.join(daemon.TREE, "tests/faults"))

import disk  # pylint: disable=wrong-import-position,wrong-import-order
import rounds  # pylint: disable=wrong-import-position,wrong-import-order
from layer import LAYER, Layer  # pylint: disable=wrong-import-position,wrong-import-order

JOURNAL = 256 << 20
CUTS = 12


class ToolPower(ToolCase):
    def setUp(self):
        super().setUp()
        self.seed = rounds.seed()
        self.rng = random.Random(self.seed)
        self.source = self.make(("store",))
        self.fill(self.source)
        self.source.stop()
        self.first = self.source.path("first")
        self.tool("export", self.source.root, self.first)
        self.made = types.SimpleNamespace(state=self.source.path("disk"), environment=dict(os.environ))

    @contextlib.contextmanager
    def recorded(self, *arguments):
        """The disk on which the tool has run, and where its journal ends."""
        layer = Layer(self.made, JOURNAL)
        try:
            subprocess.run([TOOL, *arguments], check=True, env=self.made.environment, stdout=subprocess.DEVNULL, timeout=60)
            layer.recorded()
            device = disk.Disk(layer.memory, os.stat(self.made.state).st_ino)
            for path in tree(self.source.root):  # a backup links to the elements, which were there before
                with open(os.path.join(self.source.root, path), "rb") as file:
                    device.nodes[os.fstat(file.fileno()).st_ino] = node = disk.File()
                    node.bytes[:] = file.read()
            yield layer, device
        finally:
            layer.close()

    def after(self, device, mode):
        """A directory with what such a cut may have left."""
        left = self.source.path("left")
        shutil.rmtree(left, ignore_errors=True)
        os.mkdir(left)
        device.write_out(left, self.rng, mode)
        return os.path.join(left, "it")

    def holds(self, root, what):
        """The repository has all that was exported at first."""
        again = self.source.path("again")
        shutil.rmtree(again, ignore_errors=True)
        self.assertEqual(self.json("verify", root)["wrong"], 0, what)
        self.tool("export", root, again)
        self.assertEqual(tree(again), tree(self.first), what)

    def ended(self, look, *arguments):
        with self.recorded(*arguments) as (layer, device):
            device.follow(layer.position())
            for mode in disk.MODES:
                look(self.after(device, mode), f"{mode} of what was not synced, DOIPD_FAULTS_SEED={self.seed}")

    def test_what_has_ended_is_on_disk(self):
        self.ended(self.holds, "import", os.path.join(self.made.state, "it"), self.first)
        shutil.rmtree(self.made.state)
        self.ended(self.holds, "backup", self.source.root, os.path.join(self.made.state, "it"))

    def test_an_import_can_be_run_again(self):
        with self.recorded("import", os.path.join(self.made.state, "it"), self.first) as (layer, device):
            ends = list(disk.records(layer.memory, layer.position()))
            for cut in sorted(self.rng.sample(ends, CUTS)):
                mode = self.rng.choice(disk.MODES)
                what = f"cut at {cut} of {ends[-1]}, {mode} of what was not synced, DOIPD_FAULTS_SEED={self.seed}"
                device.follow(cut)
                root = self.after(device, mode)
                done = command("import", root, self.first, "--merge")
                self.assertEqual(done.returncode, 0, f"{what}: {done.stderr}")
                self.tool("gc", root)
                self.holds(root, what)

    def test_the_layer_knows_all_calls(self):
        skip_where_lines_count(self)
        called = {name for name in symbols("--undefined-only", TOOL) if CHANGES.fullmatch(name)}
        self.assertIn("openat", called, "what the test looks for")
        self.assertEqual(called - symbols("--defined-only", LAYER), set())
