"""The fault layer (layer.h) as the tests hold it: its file, its switches, its journal."""

import errno
import mmap
import os
import struct
import tempfile

import daemon

LAYER = os.path.join(daemon.BUILD, "tests/faults.so")
LOST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lost.supp")
START = 4096
SIZE, TAIL, JOURNAL, OVERFLOW, CALLS, ERROR, AFTER, MOST, SEEN = 0, 8, 16, 20, 24, 28, 32, 40, 48  # struct layer
MANNER, STALL_MS, EXCUSED, CALLERS = 60, 64, 68, 72
NOTED = 1 << 16  # calls whose callers can be noted
MANNERS = ("fail", "short", "stall")
KINDS = {"open": 1, "read": 2, "write": 4, "truncate": 8, "sync": 16, "link": 32, "unlink": 64, "mkdir": 128}  # on files
OTHERS = {"memory": 0x100, "receive": 0x200, "send": 0x400, "accept": 0x800, "wait": 0x1000, "arm": 0x2000, "fork": 0x4000,
          "thread": 0x8000, "map": 0x10000, "descriptor": 0x20000, "TLS read": 0x40000, "TLS write": 0x80000, "message": 0x100000}
FULL = ("write", "truncate", "mkdir", "link")  # what a full disk refuses
TROUBLE = {"ENOSPC": FULL, "EDQUOT": FULL, "EIO": tuple(KINDS), "EMFILE": ("open",)}
FOREVER = (1 << 62)


class Layer:
    """Under a daemon that is not started yet. `journal` says how many bytes the journal may have, `below` which files it is about."""

    def __init__(self, made, journal=0, below=None):
        self.size = START + max(journal, 8 * NOTED)
        self.file = tempfile.NamedTemporaryFile(prefix="doipd-test-layer-")
        self.file.truncate(self.size)
        self.memory = mmap.mmap(self.file.fileno(), self.size)
        self.put("<Q", SIZE, self.size)
        self.put("<I", JOURNAL, 1 if journal else 0)
        os.makedirs(made.state, exist_ok=True)
        made.environment.update({"LD_PRELOAD": LAYER, "DOIPD_FAULTS": self.file.name, "DOIPD_FAULTS_BELOW": below or made.state})
        if "asan" in daemon.BUILD or "address" in daemon.BUILD:
            made.environment["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
            made.environment["LSAN_OPTIONS"] = f"print_suppressions=0:suppressions={LOST}"

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
        """From now on calls of these kinds fail: the first `after` go well, then `most` fail. In place of an error, "short": they do
        half of what they are asked for; a number: they take so many milliseconds longer."""
        manner = "stall" if isinstance(error, int) else "short" if error == "short" else "fail"
        self.put("<I", CALLS, 0)
        self.put("<I", MANNER, MANNERS.index(manner))
        self.put("<I", STALL_MS, error if manner == "stall" else 0)
        self.put("<i", ERROR, getattr(errno, error) if manner == "fail" else 0)
        self.put("<Q", AFTER, after)
        self.put("<Q", MOST, most)
        self.put("<Q", SEEN, 0)
        self.put("<I", CALLS, sum(KINDS.get(kind) or OTHERS[kind] for kind in kinds))

    def callers(self, kind, scenario):
        """The numbers of a scenario's calls of a kind, one for each chain of callers (the first call that came that way), and of all."""
        self.put("<I", CALLERS, 1)
        self.fail("EIO", (kind,), FOREVER)
        scenario()
        seen = self.mend()
        self.put("<I", CALLERS, 0)
        if seen > NOTED:
            raise AssertionError(f"{seen} calls of {kind}: there is room for the callers of {NOTED}")
        first = {}
        for number in range(seen):
            first.setdefault(self.get("<Q", START + 8 * number), number)
        return sorted(first.values()), seen

    def mend(self):
        """All goes well again; how many calls of the kinds there were."""
        self.put("<I", CALLS, 0)
        return self.get("<Q", SEEN)
