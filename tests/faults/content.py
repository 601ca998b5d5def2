"""What random objects are made of: bytes, words, attributes, elements; and what the service must show of them."""

import functools
import hashlib
import random

# About the limits of the store: what is kept in the catalog, what a chunk and a record hold.
SIZES = (0, 1, 7, 100, 1000, 4096, 16384, 16385, 20000, 65535, 65537, 200000, 1 << 20)
SIZE_WEIGHTS = (4, 4, 4, 8, 12, 8, 4, 6, 10, 3, 3, 3, 1)
CONTENTS = 10  # of each size so many: equal bytes are to meet
WORDS = ("walnut", "birch", "larch", "hazel", "willow", "maple", "poplar", "rowan", "spruce", "linden")
TYPES = ("Book", "Article", "Note", "0.TYPE/DO")
ELEMENTS = ("a", "b", "c", "text", "scan")


class Different(AssertionError):
    """The service shows something else than it must."""


@functools.lru_cache(maxsize=600)
def content(size, number):
    return random.Random(size * 1000 + number).randbytes(size)


@functools.lru_cache(maxsize=4000)
def digest(size, number):
    return hashlib.sha256(content(size, number)).hexdigest()


def random_content(rng):
    return rng.choices(SIZES, SIZE_WEIGHTS)[0], rng.randrange(CONTENTS)


def random_attributes(rng, owner):
    value = {"owner": owner, "title": " ".join(rng.choices(WORDS, k=rng.randrange(1, 5)))}
    if rng.random() < 0.8:
        value["year"] = rng.randrange(1850, 1950)
    if rng.random() < 0.7:
        value["code"] = rng.choice("kmnpq") + rng.choice("stuvw") + str(rng.randrange(10))
    if rng.random() < 0.7:
        value["tags"] = rng.sample(WORDS, rng.randrange(0, 4))
    if rng.random() < 0.3:
        value["notes"] = {"place": [{"name": rng.choice(WORDS)}], "page": rng.random()}
    return {"content": value}


class Element:
    """An element as it is at one time; `content` is (size, number), or None for no data."""

    def __init__(self, name, kind=None, attributes=None, content_of=None):
        self.name, self.kind, self.attributes, self.content = name, kind, attributes, content_of

    @property
    def data(self):
        return content(*self.content)

    def changed(self, new):
        """This element after an update that gives `new`."""
        return Element(self.name, new.kind or self.kind, self.attributes if new.attributes is None else new.attributes,
                       new.content or self.content)

    def given(self):
        """What a client sends of it, beside the data."""
        out = {"id": self.name}
        if self.kind is not None:
            out["type"] = self.kind
        if self.attributes is not None:
            out["attributes"] = self.attributes
        return out

    def shown(self):
        out = self.given()
        if self.content:
            out["length"] = self.content[0]
            out["attributes"] = dict(self.attributes or {}, sha256=digest(*self.content))
        return out


def random_element(rng, name):
    return Element(name, rng.choice((None, "text/plain", "image/png")), rng.choice((None, {"filename": name + ".bin"}, {"n": 1})),
                   random_content(rng) if rng.random() < 0.85 else None)


class State:
    """An object as it is at one time; never changed."""

    def __init__(self, kind, attributes, elements=(), version=1):
        self.kind, self.attributes, self.elements, self.version = kind, attributes, tuple(elements), version

    def changed(self, kind, attributes, elements, dropped):
        kept = {e.name: e for e in self.elements if e.name not in dropped}
        for new in elements:
            kept[new.name] = kept[new.name].changed(new) if new.name in kept else new
        return State(kind or self.kind, self.attributes if attributes is None else attributes, kept.values(), self.version + 1)

    def data(self):
        return {e.name: e.data for e in self.elements if e.content}

    def file_digests(self, limit):
        """SHA-256 of each element that is longer than that."""
        return {digest(*e.content) for e in self.elements if e.content and e.content[0] > limit}

    def check(self, name, shown, data=None):
        """That this is what the service shows: the default serialization and, where given, the bytes. Different if not."""
        shown = dict(shown)
        attributes = dict(shown.get("attributes", {}))
        metadata = attributes.pop("metadata", {})
        shown["attributes"] = attributes
        want = {"id": name, "type": self.kind, "attributes": self.attributes}
        if self.elements:
            want["elements"] = [e.shown() for e in self.elements]
        if not shown.get("elements"):
            shown.pop("elements", None)
        for what, expected, got in (("object", want, shown), ("version", self.version, metadata.get("version"))):
            if expected != got:
                raise Different(f"{what} of {name}: expected {expected}, got {got}")
        if metadata["modifiedOn"] < metadata["createdOn"]:
            raise Different(f"{name} was changed before it was made: {metadata}")
        if data is not None:
            self.check_data(name, data)

    def check_data(self, name, data):
        want = self.data()
        if want.keys() != data.keys():
            raise Different(f"{name}: expected elements with data {sorted(want)}, got {sorted(data)}")
        for element, value in want.items():
            if value != data[element]:
                raise Different(f"{name}, element {element}: expected {len(value)} bytes {hashlib.sha256(value).hexdigest()}, "
                                f"got {len(data[element])} bytes {hashlib.sha256(data[element]).hexdigest()}")


def random_state(rng, owner):
    names = rng.sample(ELEMENTS, rng.choices((0, 1, 2, 4), (2, 5, 3, 1))[0])
    return State(rng.choice(TYPES), random_attributes(rng, owner), [random_element(rng, name) for name in names])
