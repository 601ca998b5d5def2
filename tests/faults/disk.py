"""What a power cut may leave: a disk that follows the journal of the fault layer (layer.h), and can be written out as it
might be found after a cut.

What was synced is there. Of what was not, anything may be: POSIX promises no order, so any write may be there, missing or
torn, and any new, removed or changed name, each for itself. File systems are kinder; some cuts are made like theirs.
"""

import os
import struct

HEADER = struct.Struct("<IIQQQ")  # struct record
MAKE, MAKE_DIRECTORY, LINK, UNLINK, RENAME, WRITE, SIZE, SYNC = range(1, 9)
START = 4096

# How much of what was not synced is there.
NOTHING, EVERYTHING, IN_ORDER, ANY = MODES = ("nothing", "everything", "in order", "any")


def records(journal, end):
    """The positions after each record."""
    at = START
    while at < end:
        at += HEADER.size + (HEADER.unpack_from(journal, at)[1] + 7 & ~7)
        yield at


class File:
    def __init__(self):
        self.bytes = bytearray()
        self.waiting = []  # (position, write) or (position, size), not synced yet

    def sync(self, begun):
        for _, change in (w for w in self.waiting if w[0] < begun):
            change(self.bytes)
        self.waiting = [w for w in self.waiting if w[0] >= begun]

    def after_cut(self, survives, tear):
        out = bytearray(self.bytes)
        for position, change in self.waiting:
            if survives(position):
                change(out, tear)
        return out


class Directory:
    def __init__(self):
        self.names = {}
        self.waiting = []  # (position, changes of the names)

    def sync(self, begun):
        for _, change in (w for w in self.waiting if w[0] < begun):
            change(self.names)
        self.waiting = [w for w in self.waiting if w[0] >= begun]

    def after_cut(self, survives):
        out = dict(self.names)
        for position, change in self.waiting:
            if survives(position):
                change(out)
        return out


def resized(size):
    def change(data, _tear=None):
        del data[size:]
        data.extend(bytes(size - len(data)))
    return change


def written(offset, piece):
    def change(data, tear=None):
        if len(data) < offset + len(piece):
            data.extend(bytes(offset + len(piece) - len(data)))
        for begin, end in tear(offset, len(piece)) if tear else ((0, len(piece)),):
            data[offset + begin:offset + end] = piece[begin:end]
    return change


def named(**changes):
    """Names that lead to a node, or, with None, nowhere."""
    def change(names):
        for name, node in changes.items():
            if node is None:
                names.pop(name, None)
            else:
                names[name] = node
    return change


def kind_of_sync(node, data_only):
    """What was synced: SQLite leaves metadata out; of other files, the long ones hold the bytes of elements."""
    if isinstance(node, Directory):
        return "directories"
    if data_only:
        return "catalog"
    return "elements" if len(node.after_cut(lambda position: True, None)) > 16384 else "others"


class Disk:
    """Follows a journal. `directory` is the inode of the directory that it is about, which was empty at first.
    Syncs of the kind `forgotten` ("catalog", "elements", "directories") do not count: what must then be found shows
    that the test can see losses."""

    def __init__(self, journal, directory, forgotten=None):
        self.journal, self.forgotten = journal, forgotten
        self.root = Directory()
        self.nodes = {directory: self.root}
        self.at = START

    def follow(self, end):
        """Up to a position."""
        while self.at < end:
            kind, length, *numbers = HEADER.unpack_from(self.journal, self.at)
            begin = self.at + HEADER.size
            self.record(kind, numbers, bytes(self.journal[begin:begin + length]))
            self.at = begin + (length + 7 & ~7)

    def record(self, kind, numbers, data):
        file, parent, number = numbers
        if kind in (MAKE, MAKE_DIRECTORY):
            self.nodes[file] = File() if kind == MAKE else Directory()
        if kind in (MAKE, MAKE_DIRECTORY, LINK):
            self.names(parent, {data.decode(): self.nodes[file]})
        elif kind == UNLINK:
            self.names(parent, {data.decode(): None})
        elif kind == RENAME and file in self.nodes:  # else a socket: doipd makes it anew
            self.rename(self.nodes[file], parent, number, *data.decode().split("\0"))
        elif kind == WRITE:
            self.nodes[file].waiting.append((self.at, written(number, data)))
        elif kind == SIZE:
            self.nodes[file].waiting.append((self.at, resized(number)))
        elif kind == SYNC:
            for node in [self.nodes[file]] if file else list(self.nodes.values()):
                if self.forgotten is None or kind_of_sync(node, parent) != self.forgotten:
                    node.sync(number)

    def names(self, directory, changes):
        self.nodes[directory].waiting.append((self.at, named(**changes)))

    def rename(self, node, old, new, old_name, new_name):
        if old == new:
            self.names(old, {old_name: None, new_name: node})
        else:
            self.names(new, {new_name: node})
            self.names(old, {old_name: None})

    def write_out(self, path, rng, mode):
        """Writes what may be found after a cut here and now, into a directory that is empty."""
        kept = rng.random()
        last = rng.randrange(START, self.at + 1)
        survives = {NOTHING: lambda position: False, EVERYTHING: lambda position: True,
                    IN_ORDER: lambda position: position <= last, ANY: lambda position: rng.random() < kept}
        survives_data = survives[ANY if mode == IN_ORDER else mode]
        places = {}  # of files: one may have several names

        def tear(_offset, length):
            """The parts of a write that are there: sectors of one size, each for itself."""
            sector = rng.choice((512, 4096))
            if mode in (NOTHING, EVERYTHING) or length <= 512 or rng.random() < 0.7:
                return ((0, length),)
            return [(at, min(at + sector, length)) for at in range(0, length, sector) if rng.random() < 0.5]

        def put(directory, where):
            for name, node in directory.after_cut(survives[mode]).items():
                place = os.path.join(where, name)
                if isinstance(node, Directory):
                    os.mkdir(place, 0o700)
                    put(node, place)
                elif node in places:
                    os.link(places[node], place)
                else:
                    places[node] = place
                    with open(place, "wb", opener=lambda p, flags: os.open(p, flags, 0o600)) as file:
                        file.write(node.after_cut(survives_data, tear))
        put(self.root, path)
