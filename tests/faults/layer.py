"""The fault layer (layer.h) as the tests hold it: its file, its switches, its journal."""

import errno
import mmap
import os
import struct
import tempfile

import daemon

LAYER = os.path.join(daemon.BUILD, "tests/faults.so")
START = 4096
SIZE, TAIL, JOURNAL, OVERFLOW, CALLS, ERROR, AFTER, MOST, SEEN = 0, 8, 16, 20, 24, 28, 32, 40, 48  # struct layer
KINDS = {"open": 1, "read": 2, "write": 4, "truncate": 8, "sync": 16, "link": 32, "unlink": 64, "mkdir": 128}
FULL = ("write", "truncate", "mkdir", "link")  # what a full disk refuses
TROUBLE = {"ENOSPC": FULL, "EDQUOT": FULL, "EIO": tuple(KINDS), "EMFILE": ("open",)}
FOREVER = (1 << 62)


class Layer:
    """Under a daemon that is not started yet. `journal` says how many bytes the journal may have."""

    def __init__(self, made, journal=0):
        self.size = START + journal
        self.file = tempfile.NamedTemporaryFile(prefix="doipd-test-layer-")
        self.file.truncate(self.size)
        self.memory = mmap.mmap(self.file.fileno(), self.size)
        self.put("<Q", SIZE, self.size)
        self.put("<I", JOURNAL, 1 if journal else 0)
        os.makedirs(made.state, exist_ok=True)
        made.environment.update({"LD_PRELOAD": LAYER, "DOIPD_FAULTS": self.file.name, "DOIPD_FAULTS_BELOW": made.state})
        if "asan" in daemon.BUILD or "address" in daemon.BUILD:
            made.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"

    def close(self):
        self.memory.close()
        self.file.close()

    def put(self, form, at, value):
        struct.pack_into(form, self.memory, at, value)

    def get(self, form, at):
        return struct.unpack_from(form, self.memory, at)[0]

    # the journal

    def position(self):
        return self.get("<Q", TAIL)

    def recorded(self):
        """AssertionError when the journal was too small."""
        if self.get("<I", OVERFLOW):
            raise AssertionError("the journal was too small for all that happened")

    # trouble

    def fail(self, error, kinds=tuple(KINDS), after=0, most=FOREVER):
        """From now on calls of these kinds fail: the first `after` go well, then `most` fail."""
        self.put("<I", CALLS, 0)
        self.put("<i", ERROR, getattr(errno, error))
        self.put("<Q", AFTER, after)
        self.put("<Q", MOST, most)
        self.put("<Q", SEEN, 0)
        self.put("<I", CALLS, sum(KINDS[kind] for kind in kinds))

    def mend(self):
        """All goes well again; how many calls of the kinds there were."""
        self.put("<I", CALLS, 0)
        return self.get("<Q", SEEN)
