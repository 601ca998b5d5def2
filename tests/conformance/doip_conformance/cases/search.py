"""Section 6: Search, with a word that only our objects have. Services may take a moment until they find a new object."""

import time
from functools import partial

from .. import names
from ..registry import INTEROP, MUST, SHOULD, case

ALONE = ("Search",)
NEEDS = ("Create", "Search")
PATIENCE = 10  # seconds until a new object must be found


def search(t, query, **attributes):
    return t.ask(names.SEARCH, attributes={"query": query, **attributes})


def found(t, query, **attributes):
    """(size, results) of a search that must succeed."""
    answer = t.status(search(t, query, **attributes), names.OK)
    value = answer.output
    well = isinstance(value, dict) and type(value.get("size")) is int and isinstance(value.get("results"), list)
    t.expect(well, 'a JSON segment {"size": N, "results": […]}', answer)
    return value["size"], value["results"]


def some(t, count):
    """(a word, ids): so many objects with the word, named and numbered, which the service has found by now."""
    word = "zq" + t.new_id().rpartition("/")[2].replace("-", "z")
    ids = [t.create({"attributes": {"content": {"name": f"n{n}", "word": word}}})["id"] for n in range(count)]
    deadline = time.monotonic() + PATIENCE
    while found(t, word, pageSize=0)[0] < count and time.monotonic() < deadline:
        time.sleep(0.2)
    return word, ids


@case("search.no-query", "6", MUST, "Search without a query is 101", needs=ALONE)
def no_query(t):
    t.status(t.ask(names.SEARCH), names.INVALID)
    t.status(t.ask(names.SEARCH, attributes={"pageSize": 1}), names.INVALID)


@case("search.query-null", "3", MUST, "query null counts as absent: 101", needs=ALONE)
def query_null(t):
    t.status(search(t, None), names.INVALID)


@case("search.query-object", "6", SHOULD, "a query that is an object is 101", needs=ALONE)
def query_object(t):
    t.status(search(t, {"a": 1}), names.INVALID)


@case("search.nothing", "6", MUST, "a search that finds nothing has size 0 and no results", needs=ALONE)
def nothing(t):
    t.equal(found(t, "zq" + t.service.mark + "nothing"), (0, []), "size and results")


@case("search.form", "6", MUST, "the answer is one JSON segment with size and results, and nothing else", needs=ALONE)
def form(t):
    answer = t.status(search(t, "zq" + t.service.mark), names.OK)
    t.expect(isinstance(answer.output, dict) and set(answer.output) == {"size", "results"}, "size and results", answer)


@case("search.finds", "6", MUST, "a new object is found by a word of its content", needs=NEEDS)
def finds(t):
    word, ids = some(t, 2)
    size, results = found(t, word)
    t.equal((size, sorted(r.get("id") for r in results)), (2, sorted(ids)), "size and ids")


@case("search.full", "6", MUST, "results are full objects by default, and with type full", needs=NEEDS)
def full(t):
    word, ids = some(t, 1)
    for more in ({}, {"type": "full"}, {"type": None}):
        result = found(t, word, **more)[1][0]
        t.expect(isinstance(result, dict), "an object", result)
        t.equal((result.get("id"), result.get("type")), (ids[0], t.service.kind), "id and type")
        t.equal(result.get("attributes", {}).get("content", {}).get("word"), word, "content")


@case("search.full.as-retrieved", "6", SHOULD, "a full result is the object as Retrieve gives it", needs=NEEDS + ("Retrieve",))
def as_retrieved(t):
    word, ids = some(t, 1)
    t.equal(found(t, word)[1], [t.status(t.retrieve(ids[0]), names.OK).output], "results")


@case("search.ids", "6", MUST, "results are ids with type id", needs=NEEDS)
def ids_only(t):
    word, ids = some(t, 3)
    size, results = found(t, word, type="id")
    t.equal((size, sorted(results)), (3, sorted(ids)), "size and ids")


@case("search.type-unknown", "6", SHOULD, "a type that is neither id nor full is 101", needs=ALONE)
def type_unknown(t):
    t.status(search(t, "x", type="everything"), names.INVALID)


@case("search.pages", "6", MUST, "pageNum (from 0) and pageSize cut the results into pages; size counts over all", needs=NEEDS)
def pages(t):
    word, ids = some(t, 5)
    got = []
    for number, due in enumerate((2, 2, 1, 0)):
        size, results = found(t, word, type="id", pageNum=number, pageSize=2)
        t.equal((size, len(results)), (5, due), f"size and number of results on page {number}")
        got += results
    t.equal(sorted(got), sorted(ids), "ids over all pages")


@case("search.pages.as-strings", "6", MUST, "pageNum and pageSize may be strings", needs=NEEDS)
def pages_as_strings(t):
    word, _ = some(t, 3)
    size, results = found(t, word, type="id", pageNum="1", pageSize="2")
    t.equal((size, len(results)), (3, 1), "size and number of results")


@case("search.pages.default", "6", MUST, "a missing or negative pageSize gives all results", needs=NEEDS)
def default_page(t):
    word, _ = some(t, 3)
    for more in ({}, {"pageSize": -1}, {"pageSize": "-1"}, {"pageSize": None}, {"pageNum": 0}):
        t.equal(len(found(t, word, type="id", **more)[1]), 3, f"number of results with {more}")


@case("search.pages.count-only", "6", MUST, "pageSize 0 gives only the count", needs=NEEDS)
def count_only(t):
    word, _ = some(t, 2)
    for size in (0, "0"):
        t.equal(found(t, word, pageSize=size), (2, []), f"size and results with pageSize {size!r}")


PAGES_REFUSED = [("pageSize-words", {"pageSize": "many"}), ("pageSize-real", {"pageSize": 1.5}), ("pageNum-words", {"pageNum": "x"}),
                 ("pageNum-negative", {"pageNum": -1, "pageSize": 2}), ("pageNum-array", {"pageNum": [0]}), ("sortFields-number", {"sortFields": 5})]


def refused(attributes, t):
    t.status(search(t, "zq" + t.service.mark, **attributes), names.INVALID)


for name, attributes in PAGES_REFUSED:
    case("search.refused." + name, "6", SHOULD, f"Search with {attributes} is 101".replace("'", ""), ALONE)(partial(refused, attributes))


def names_of(results):
    return [r.get("attributes", {}).get("content", {}).get("name") for r in results]


SORTED = [("ascending", "/name ASC", ["n0", "n1", "n2", "n3"]), ("descending", "/name DESC", ["n3", "n2", "n1", "n0"]),
          ("default", "/name", ["n0", "n1", "n2", "n3"]), ("two-fields", "/word ASC,/name DESC", ["n3", "n2", "n1", "n0"])]


def sorting(fields, due, t):
    word, _ = some(t, 4)
    t.equal(names_of(found(t, word, sortFields=fields)[1]), due, f"names sorted by {fields}")


for name, fields, due in SORTED:
    case("search.sort." + name, "6", INTEROP, f"sortFields {fields!r} sorts by a JSON pointer into content".replace("'", ""), NEEDS)(
        partial(sorting, fields, due))


@case("search.sort.pages", "6", INTEROP, "sorted results stay sorted over pages", needs=NEEDS)
def sorted_pages(t):
    word, _ = some(t, 5)
    got = []
    for number in range(3):
        got += names_of(found(t, word, sortFields="/name DESC", pageNum=number, pageSize=2)[1])
    t.equal(got, ["n4", "n3", "n2", "n1", "n0"], "names over all pages")


@case("search.after-update", "6", SHOULD, "an object is found by what an Update gave it, and not by what it had", needs=NEEDS + ("Update",))
def after_update(t):
    word, ids = some(t, 1)
    t.status(t.ask(names.UPDATE, ids[0], [{"attributes": {"content": {"word": word + "new"}}}]), names.OK)
    deadline = time.monotonic() + PATIENCE
    while found(t, word, pageSize=0)[0] > 0 and time.monotonic() < deadline:
        time.sleep(0.2)
    t.equal((found(t, word)[0], found(t, word + "new", type="id")[1]), (0, ids), "size for the old word, ids for the new one")


@case("search.after-delete", "6", MUST, "a deleted object is not found", needs=NEEDS + ("Delete",))
def after_delete(t):
    word, ids = some(t, 2)
    t.status(t.ask(names.DELETE, ids[0]), names.OK)
    deadline = time.monotonic() + PATIENCE
    while found(t, word, pageSize=0)[0] > 1 and time.monotonic() < deadline:
        time.sleep(0.2)
    t.equal(found(t, word, type="id"), (1, ids[1:]), "size and ids")
