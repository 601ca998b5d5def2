"""Random searches, and what they must find among known objects: the query language of doipd-store(7), in Python."""

import re

from content import TYPES, WORDS, Different

TOKENS = re.compile(r"[a-z0-9]+")
SORTS = ("/year", "/code", "/tags/_", "id", "version", "type")


def words_of(value):
    """All words of a JSON value's strings and numbers."""
    if isinstance(value, dict):
        return [word for item in value.values() for word in words_of(item)]
    if isinstance(value, list):
        return [word for item in value for word in words_of(item)]
    return TOKENS.findall(str(value).lower()) if not isinstance(value, bool) else []


class Seen:
    """An object as a query sees it."""

    def __init__(self, name, state):
        self.name, self.state = name, state
        self.content = state.attributes["content"]
        self.words = TOKENS.findall(name.lower()) + TOKENS.findall(state.kind.lower()) + words_of(state.attributes)

    def values(self, field):
        """What a field has, for sorting."""
        if field == "/tags/_":
            return self.content.get("tags", [])
        if field.startswith("/"):
            return [self.content[field[1:]]] if field[1:] in self.content else []
        return [{"id": self.name, "version": self.state.version, "type": self.state.kind}[field]]


# Each makes (text, predicate over a Seen).

def a_word(rng):
    word = rng.choice(WORDS + ("book", "note"))
    return word, lambda seen: word in seen.words


def a_prefix(rng):
    word = rng.choice(WORDS)[:3]
    return word + "*", lambda seen: any(w.startswith(word) for w in seen.words)


def a_pattern(rng):
    word = rng.choice(WORDS)
    at = rng.randrange(1, len(word) - 1)
    wanted = re.compile(word[:at] + "." + word[at + 1:])
    return word[:at] + "?" + word[at + 1:], lambda seen: any(wanted.fullmatch(w) for w in seen.words)


def a_title(rng):
    word = rng.choice(WORDS)
    return f"/title:{word}", lambda seen: word in seen.content["title"].split()


def a_phrase(rng):
    phrase = " ".join(rng.choices(WORDS, k=2))
    return f'/title:"{phrase}"', lambda seen: f" {phrase} " in f" {seen.content['title']} "


def a_tag(rng):
    word = rng.choice(WORDS)
    return f"/tags/_:{word}", lambda seen: word in seen.content.get("tags", [])


def a_place(rng):
    word = rng.choice(WORDS)
    return f"/notes/place/_/name:{word}", lambda seen: any(p["name"] == word for p in seen.content.get("notes", {}).get("place", []))


def a_type(rng):
    kind = rng.choice(TYPES)
    return f'type:"{kind}"', lambda seen: seen.state.kind == kind


def within(rng, low, high):
    """A range's text and its test; either end may be open, or left out itself."""
    opened, closed = rng.choice("[{"), rng.choice("]}")
    low, high = (None if rng.random() < 0.15 else low), (None if rng.random() < 0.15 else high)

    def fits(value):
        return ((low is None or value > low or (opened == "[" and value == low))
                and (high is None or value < high or (closed == "]" and value == high)))
    return f"{opened}{'*' if low is None else low} TO {'*' if high is None else high}{closed}", fits


def a_year(rng):
    text, fits = within(rng, *sorted((rng.randrange(1850, 1950), rng.randrange(1850, 1950))))
    return f"/year:{text}", lambda seen: "year" in seen.content and fits(seen.content["year"])


def a_code(rng):
    text, fits = within(rng, *sorted(rng.choice("kmnpq") + rng.choice("stuvw") for _ in range(2)))
    return f"/code:{text}", lambda seen: "code" in seen.content and fits(seen.content["code"])


def a_version(rng):
    text, fits = within(rng, *sorted((rng.randrange(1, 6), rng.randrange(1, 6))))
    return f"version:{text}", lambda seen: fits(seen.state.version)


def any_year(_rng):
    return "/year:*", lambda seen: "year" in seen.content


TERMS = (a_word, a_prefix, a_pattern, a_title, a_phrase, a_tag, a_place, a_type, a_year, a_year, a_code, a_version, any_year)


def a_tree(rng, depth=0):
    if depth == 2 or rng.random() < 0.4:
        return rng.choice(TERMS)(rng)
    one, fits_one = a_tree(rng, depth + 1)
    two, fits_two = a_tree(rng, depth + 1)
    kind = rng.randrange(4)
    if kind == 0:
        return f"({one} OR {two})", lambda seen: fits_one(seen) or fits_two(seen)
    if kind == 1:
        return f"({one} NOT {two})", lambda seen: fits_one(seen) and not fits_two(seen)
    return f"({one}{' AND ' if kind == 2 else ' '}{two})", lambda seen: fits_one(seen) and fits_two(seen)


class Query:
    """A search's attributes, and the order and page that it asks for."""

    def __init__(self, text, fits, full):
        self.fits, self.full = fits, full
        self.sorts, self.page, self.size = [], 0, None
        self.attributes = {"query": text, "type": "full" if full else "id"}

    def sort(self, fields):
        self.sorts = fields
        self.attributes["sortFields"] = ",".join(name + (" DESC" if down else "") for name, down in fields)

    def paged(self, page, size):
        self.page, self.size = page, size
        self.attributes.update(pageNum=page, pageSize=size)

    def found(self, there):
        """Names of what it must find, in their order. `there` is in the order of creation."""
        seen = [one for one in (Seen(name, state) for name, state in there.items()) if self.fits(one)]
        for field, down in reversed(self.sorts):
            with_value = [one for one in seen if one.values(field)]
            without = [one for one in seen if not one.values(field)]
            with_value.sort(key=lambda one: (max if down else min)(one.values(field)), reverse=down)
            seen = with_value + without
        return [one.name for one in seen]

    def check(self, there, output):
        found = self.found(there)
        page = found if self.size is None else found[self.page * self.size:(self.page + 1) * self.size]
        got = [one["id"] if self.full else one for one in output["results"]]
        if output["size"] != len(found) or got != page:
            raise Different(f"search: expected {len(found)}: {page}, got {output['size']}: {got}")
        if self.full:
            for one in output["results"]:
                there[one["id"]].check(one["id"], one)


def random_query(rng, owner):
    """One that finds only what the owner has."""
    text, fits = a_tree(rng) if rng.random() < 0.9 else ("*:*", lambda seen: True)
    query = Query(f"/owner:{owner} AND {text}", fits, rng.random() < 0.5)
    if rng.random() < 0.6:
        query.sort([(name, rng.random() < 0.5) for name in rng.sample(SORTS, rng.randrange(1, 4))])
    if rng.random() < 0.5:
        query.paged(rng.randrange(3), rng.choice((0, 1, 2, 5)))
    return query
