"""The store handler, end to end: objects go in and come out, whole or not at all, over restarts and crashes."""

import os
import pwd
import signal
import threading
import time

import doip
from base import Case, SharedCase, store_files, unchanged_files
from daemon import PREFIX, SERVICE, until
from doip import DUPLICATE, INVALID, UNKNOWN

SIZES = (0, 1, 65536, 5 << 20)


def sent(value):
    """The attributes of an object or an element without what the store itself keeps there."""
    return {name: v for name, v in value.get("attributes", {}).items() if name not in ("metadata", "sha256")}


class Objects(SharedCase):
    def retrieve(self, target, **attributes):
        return self.request(doip.RETRIEVE, target, attributes=attributes)

    def everything(self, target):
        return self.ok(self.retrieve(target, includeElementData=True)).elements()

    def test_round_trip_of_an_object_without_elements(self):
        attributes = {"content": {"title": "\u00e9\n\"", "n": [1, 2.5, None, 1e300, -9223372036854775808]}}
        for more in ({"input": {"type": "Document", "attributes": attributes}}, None):
            if more:
                made = self.ok(self.request(doip.CREATE, SERVICE, **more)).output
            else:
                made = self.create({"type": "Document", "attributes": attributes})
            self.assertTrue(made["id"].startswith(PREFIX + "/"), made)
            self.assertEqual((made["type"], sent(made)), ("Document", attributes))
            self.assertEqual(self.ok(self.retrieve(made["id"])).output, made)
            self.assertEqual(self.ok(self.retrieve(made["id"], includeElementData=True)).segments, [made])

    def test_round_trip_of_elements_of_every_size(self):
        data = {f"size {size}": os.urandom(size) for size in SIZES}
        elements = [{"id": name, "type": "application/octet-stream", "attributes": {"n": 1}} for name in data]
        made = self.create({"elements": elements}, data)
        self.assertEqual([(e["id"], e["length"], e["type"], sent(e)) for e in made["elements"]],
                         [(name, len(value), "application/octet-stream", {"n": 1}) for name, value in data.items()])
        now, got = self.everything(made["id"])
        self.assertEqual(now, made)
        self.assertEqual({n: doip.sha256(v) for n, v in got.items()}, {n: doip.sha256(v) for n, v in data.items()})
        for name, value in data.items():
            self.assertTrue(self.ok(self.retrieve(made["id"], element=name)).output == value, name)

    def test_one_byte_chunks_and_elements_out_of_order(self):
        value = {"type": "T2", "elements": [{"id": "a"}, {"id": "b"}, {"id": "none"}]}
        with self.daemon.connect() as connection:
            connection.send(doip.head(doip.CREATE, SERVICE) + doip.json_segment(value) +
                            doip.json_segment({"id": "b"}) + doip.bytes_segment(b"\n#\n@\n#\n\0", 1) +
                            doip.json_segment({"id": "a"}) + doip.bytes_segment(b"") + doip.EMPTY)
            made = self.ok(connection.response()).output
        _, got = self.everything(made["id"])
        self.assertEqual({n: v for n, v in got.items() if n != "none"}, {"a": b"", "b": b"\n#\n@\n#\n\0"})

    def test_an_element_without_data(self):
        made = self.create({"elements": [{"id": "bare"}, {"id": "full"}]}, {"full": b"x"})
        self.assertEqual(self.ok(self.retrieve(made["id"], element="bare")).output, b"")
        self.assertNotIn("bare", self.everything(made["id"])[1])

    def test_element_answers_have_the_attributes_that_clients_want(self):
        made = self.create({"elements": [
            {"id": "named", "type": "text/plain", "attributes": {"filename": "a b.txt"}}, {"id": "plain", "type": "x/y"}]},
            {"named": b"12345", "plain": b"1"})
        self.assertEqual(self.retrieve(made["id"], element="named").attributes,
                         {"filename": "a b.txt", "type": "text/plain", "length": 5})
        self.assertEqual(self.retrieve(made["id"], element="plain").attributes,
                         {"filename": "plain", "type": "x/y", "length": 1})

    def test_ranges(self):
        data = bytes(range(100))
        made = self.create({"elements": [{"id": "e"}, {"id": "empty"}]}, {"e": data, "empty": b""})
        for asked, want in (({}, data), ({"start": 0}, data), ({"end": 99}, data), ({"start": 10, "end": 19}, data[10:20]),
                            ({"start": 5, "end": 5}, data[5:6]), ({"start": 99}, data[99:]), ({"end": 0}, data[:1]),
                            ({"start": 90, "end": 1000}, data[90:]), ({"start": "10", "end": "19"}, data[10:20]),
                            ({"start": None, "end": 9}, data[:10]), ({"end": 9223372036854775807}, data),
                            ({"start": 100}, INVALID), ({"start": 100, "end": 200}, INVALID), ({"start": 20, "end": 10}, INVALID),
                            ({"start": -1}, INVALID), ({"start": "x"}, INVALID), ({"start": 1.5}, INVALID), ({"end": -1}, INVALID),
                            ({"start": []}, INVALID), ("0-5", INVALID), ([0, 5], INVALID)):
            with self.subTest(range=asked):
                response = self.retrieve(made["id"], element="e", range=asked)
                if want == INVALID:
                    self.status(response, INVALID)
                else:
                    self.assertEqual(self.ok(response).output, want)
        self.assertEqual(self.ok(self.retrieve(made["id"], element="empty", range={"start": 0})).output, b"")
        self.assertEqual(self.ok(self.retrieve(made["id"], element="e", range=None)).output, data)
        self.status(self.retrieve(made["id"], range={"start": 0}), INVALID)

    def test_what_retrieve_refuses(self):
        made = self.create({}, {"e": b"x"})
        for status, attributes in ((UNKNOWN, {"element": "other"}), (UNKNOWN, {"element": ""}),
                                   (INVALID, {"element": "e", "includeElementData": True}), (INVALID, {"element": 5.5}),
                                   (INVALID, {"includeElementData": "maybe"})):
            with self.subTest(attributes=attributes):
                self.status(self.retrieve(made["id"], **attributes), status)
        for value in (True, "true"):
            self.assertEqual(self.ok(self.retrieve(made["id"], includeElementData=value)).elements()[1], {"e": b"x"})
        for value in (False, "false", None):
            self.assertEqual(self.ok(self.retrieve(made["id"], includeElementData=value)).output, made)
        self.assertEqual(self.ok(self.retrieve(made["id"], element="e", includeElementData=False)).output, b"x")

    def test_create_with_an_id(self):
        for name in (PREFIX + "/chosen", "99.OTHER/prefix", "no prefix"):
            self.assertEqual(self.create({"id": name})["id"], name)
            self.status(self.request(doip.CREATE, SERVICE, [{"id": name, "type": "T"}]), DUPLICATE, name)
        self.assertTrue(self.create({"id": ""})["id"].startswith(PREFIX + "/"))
        self.assertTrue(self.create({"id": None})["id"].startswith(PREFIX + "/"))
        self.status(self.request(doip.CREATE, SERVICE, [{"id": SERVICE, "type": "T"}]), DUPLICATE)

    def test_a_refused_duplicate_keeps_the_first(self):
        made = self.create({"id": "first wins"}, {"e": b"first"})
        before = store_files(self.daemon.root)
        self.status(self.request(doip.CREATE, SERVICE, doip.object_segments(
            {"id": "first wins", "type": "T", "elements": [{"id": "e"}]}, {"e": b"second" * 50000})), DUPLICATE)
        self.assertEqual(self.everything(made["id"])[1], {"e": b"first"})
        unchanged_files(self.daemon.root, before)

    def test_many_create_the_same_id_at_once(self):
        for name in ("race 1", "race 2"):
            statuses, start = [], threading.Barrier(12)

            def one(number):
                start.wait()
                statuses.append(self.request(doip.CREATE, SERVICE, doip.object_segments(
                    {"id": name, "type": "Race", "elements": [{"id": "e"}]}, {"e": b"%d" % number * 1000})).status)
            threads = [threading.Thread(target=one, args=(n,)) for n in range(12)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(sorted(statuses), [doip.OK] + [DUPLICATE] * 11)

    def test_update(self):
        made = self.create({"attributes": {"a": 1, "b": 2}, "elements": [{"id": "x"}, {"id": "y"}]}, {"x": b"x1", "y": b"y1"})

        def update(value, elements=None):
            return self.request(doip.UPDATE, made["id"], doip.object_segments(value, elements or {}))
        with self.subTest("attributes are replaced as a whole, elements stay"):
            now = self.ok(update({"type": "Test", "attributes": {"c": 3}})).output
            self.assertEqual((sent(now), now["type"]), ({"c": 3}, "Test"))
            self.assertEqual(self.everything(made["id"]), (now, {"x": b"x1", "y": b"y1"}))
        with self.subTest("a type alone"):
            now = self.ok(update({"type": "Other"})).output
            self.assertEqual((now["type"], sent(now)), ("Other", {"c": 3}))
        with self.subTest("nothing but an id"):
            again = self.ok(update({"id": made["id"]})).output
            self.assertEqual((sent(again), again["elements"]), (sent(now), now["elements"]))
        with self.subTest("an element's data"):
            now = self.ok(update({"elements": [{"id": "x"}]}, {"x": b"x two"})).output
            self.assertEqual([(e["id"], e["length"]) for e in now["elements"]], [("x", 5), ("y", 2)])
            self.assertEqual(self.everything(made["id"])[1], {"x": b"x two", "y": b"y1"})
        with self.subTest("an element named without data keeps its bytes"):
            self.ok(update({"elements": [{"id": "y", "type": "text/plain"}]}))
            now, data = self.everything(made["id"])
            self.assertEqual(data["y"], b"y1")
            self.assertEqual({e["id"]: e.get("type") for e in now["elements"]}["y"], "text/plain")
        with self.subTest("a new element"):
            self.ok(update({"elements": [{"id": "z"}]}, {"z": b"zzz"}))
            self.assertEqual(self.everything(made["id"])[1], {"x": b"x two", "y": b"y1", "z": b"zzz"})
        with self.subTest("another id than the target"):
            self.status(update({"id": "another", "attributes": {}}), INVALID)
        with self.subTest("wrong types"):
            self.status(update({"type": 1}), INVALID)
            self.status(update([]), INVALID)
        self.assertEqual(self.everything(made["id"])[1], {"x": b"x two", "y": b"y1", "z": b"zzz"})

    def test_metadata_digests_and_versions(self):
        data = os.urandom(100000)
        made = self.create({"elements": [{"id": "e"}], "attributes": {"metadata": {"createdBy": "mallory"}}}, {"e": data})
        kept = made["attributes"]["metadata"]
        self.assertEqual(made["elements"][0]["attributes"], {"sha256": doip.sha256(data)})
        self.assertEqual((kept["version"], kept["createdOn"], kept.get("createdBy")), (1, kept["modifiedOn"], None))
        self.assertLess(abs(kept["createdOn"] / 1000 - time.time()), 60)

        def update(version, **more):
            return self.request(doip.UPDATE, made["id"], [{"attributes": made["attributes"]}],
                                attributes={"ifVersion": version, **more})
        now = self.ok(update(1, elementsToDelete=["e"])).output
        self.assertEqual((now["attributes"]["metadata"]["version"], now["attributes"]["metadata"]["createdOn"]),
                         (2, kept["createdOn"]))
        self.assertNotIn("elements", now)
        self.status(update(1), INVALID, "has version 2, not 1")
        self.status(self.request(doip.DELETE, made["id"], attributes={"ifVersion": 1}), INVALID, "has version 2, not 1")
        self.ok(self.request(doip.DELETE, made["id"], attributes={"ifVersion": 2}))

    def test_delete(self):
        before = store_files(self.daemon.root)
        made = self.create({}, {"e": os.urandom(200000)})
        response = self.ok(self.request(doip.DELETE, made["id"]))
        self.assertEqual(response.segments, [])
        for operation in (doip.RETRIEVE, doip.DELETE, doip.UPDATE, doip.LIST):
            segments = [{"type": "T"}] if operation == doip.UPDATE else []
            self.status(self.request(operation, made["id"], segments), UNKNOWN)
        unchanged_files(self.daemon.root, before)
        self.assertEqual(self.create({"id": made["id"]})["id"], made["id"], "a deleted id can be used again")

    def test_equal_bytes_do_not_share_a_fate(self):
        """Whether equal elements are kept once or twice, deleting one must keep the other."""
        data = os.urandom(100000)
        first, second = self.create({}, {"e": data}), self.create({}, {"e": data, "f": data})
        self.ok(self.request(doip.DELETE, first["id"]))
        self.assertTrue(self.everything(second["id"])[1] == {"e": data, "f": data})
        self.ok(self.request(doip.UPDATE, second["id"], doip.object_segments({"elements": [{"id": "e"}]}, {"e": b"new"})))
        self.assertTrue(self.everything(second["id"])[1] == {"e": b"new", "f": data})

    def test_an_element_is_read_while_its_object_is_deleted_or_replaced(self):
        data = os.urandom(20 << 20)
        for change in ("delete", "update"):
            with self.subTest(change):
                made = self.create({}, {"e": data})
                connection = self.connect(buffer=8192)
                connection.send(doip.message(doip.RETRIEVE, made["id"], attributes={"element": "e"}))
                connection._need(100000, "an element")
                if change == "delete":
                    self.ok(self.request(doip.DELETE, made["id"]))
                else:
                    self.ok(self.request(doip.UPDATE, made["id"], doip.object_segments({"elements": [{"id": "e"}]}, {"e": b"2"})))
                try:
                    self.assertTrue(self.ok(connection.response()).output == data, "other bytes than were promised")
                except doip.Broken as error:
                    self.assertFalse(error.clean)


class Searches(SharedCase):
    def search(self, query, **more):
        return self.request(doip.SEARCH, SERVICE, attributes={"query": query, **more})

    def ids(self, query, **more):
        output = self.ok(self.search(query, type="id", **more)).output
        self.assertEqual(set(output), {"size", "results"})
        return output["size"], output["results"]

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for n in range(25):
            assert cls.daemon.request(doip.CREATE, SERVICE, [
                {"id": f"{PREFIX}/s{n:02}", "type": "Even" if n % 2 == 0 else "Odd",
                 "attributes": {"content": {"title": f"document number{n}", "word": "common"}}}]).ok

    def test_by_type(self):
        size, results = self.ids("type:Even")
        self.assertEqual((size, sorted(results)), (13, [f"{PREFIX}/s{n:02}" for n in range(0, 25, 2)]))
        self.assertEqual(self.ids("type:Nothing"), (0, []))
        self.assertEqual(self.ids("type:Eve")[0], 0)

    def test_by_id(self):
        self.assertEqual(self.ids(f"id:{PREFIX}/s07"), (1, [f"{PREFIX}/s07"]))
        self.assertEqual(self.ids(f'id:"{PREFIX}/s07"'), (1, [f"{PREFIX}/s07"]))
        self.assertEqual(self.ids("id:nothing"), (0, []))

    def test_by_words(self):
        self.assertEqual(self.ids("number7"), (1, [f"{PREFIX}/s07"]))
        self.assertEqual(self.ids("common")[0], 25)
        self.assertEqual(self.ids("common number11"), (1, [f"{PREFIX}/s11"]))
        self.assertEqual(self.ids("unheardof"), (0, []))

    def test_full_results_are_the_objects(self):
        for more in ({}, {"type": "full"}):
            output = self.ok(self.search(f"id:{PREFIX}/s03", **more)).output
            self.assertEqual(output["results"], [self.ok(self.request(doip.RETRIEVE, f"{PREFIX}/s03")).output])

    def test_paging(self):
        seen = []
        for page in range(4):
            size, results = self.ids("common", pageNum=page, pageSize=10, sortFields="id")
            self.assertEqual(size, 25)
            self.assertEqual(len(results), [10, 10, 5, 0][page])
            seen += results
        self.assertEqual(seen, [f"{PREFIX}/s{n:02}" for n in range(25)])
        for more in ({}, {"pageSize": -1}, {"pageSize": "-1"}, {"pageSize": 100}, {"pageNum": 0}):
            self.assertEqual(len(self.ids("common", **more)[1]), 25, more)
        self.assertEqual(self.ids("common", pageSize=0), (25, []))
        self.assertEqual(self.ids("common", pageNum="1", pageSize="20", sortFields="id")[1],
                         [f"{PREFIX}/s{n:02}" for n in range(20, 25)])

    def test_sorting(self):
        forward = [f"{PREFIX}/s{n:02}" for n in range(25)]
        self.assertEqual(self.ids("common", sortFields="id")[1], forward)
        self.assertEqual(self.ids("common", sortFields="id ASC")[1], forward)
        self.assertEqual(self.ids("common", sortFields="id DESC")[1], forward[::-1])
        self.assertEqual(self.ids("common", sortFields="type DESC,id ASC")[1], forward[1::2] + forward[::2])

    def test_the_query_language(self):
        for query, size in (("/title:document AND (type:Even OR number7)", 14), ("common -type:Odd", 13),
                            ("/title:num*", 25), ('/title:"document number3"', 1), (f"id:{PREFIX}/s1?", 10),
                            (f"id:[{PREFIX}/s10 TO {PREFIX}/s12]", 3), ("version:1 createdOn:[2020 TO *]", 25),
                            ("NOT *:*", 0), ("/nothing:x", 0)):
            with self.subTest(query=query):
                self.assertEqual(self.ids(query)[0], size)
        self.assertEqual(self.ids("*:*", sortFields="/title DESC", pageSize=1)[1], [f"{PREFIX}/s09"])
        self.status(self.search("a AND (b"), INVALID, "character 7: this parenthesis is never closed")

    def test_what_search_refuses(self):
        for attributes in ({}, {"query": None}, {"query": {}}, {"query": "common", "type": "some"},
                           {"query": "common", "pageSize": "x"}, {"query": "common", "pageNum": []}):
            with self.subTest(attributes=attributes):
                self.status(self.request(doip.SEARCH, SERVICE, attributes=attributes), INVALID)

    def test_odd_queries_are_answered(self):
        """Whatever they mean: an answer or a 101, never a failure."""
        for query in ("", " ", "*", "*:*", "\"", "(", "a AND", "NOT", "type:", ":x", "a'b", "a;b", "\u20ac", "x" * 5000, "a\nb", "NEAR(a",
                      "^a", "-a", "{a}", "a:b:c", "\\", "%", "type:Even OR 1=1"):
            with self.subTest(query=query[:20]):
                self.assertIn(self.search(query).status, (doip.OK, INVALID))


class Lasting(Case):
    """What the store keeps when processes end, one way or another."""

    def test_objects_outlive_a_restart(self):
        made = self.make()
        data = os.urandom(300000)
        created = made.request(doip.CREATE, SERVICE, doip.object_segments(
            {"type": "Lasting", "elements": [{"id": "e"}]}, {"e": data})).output
        certificate = made.request(doip.HELLO).output["attributes"]["publicKey"]
        made.stop()
        made.start()
        now, elements = made.request(doip.RETRIEVE, created["id"], attributes={"includeElementData": True}).elements()
        self.assertEqual(now, created)
        self.assertTrue(elements == {"e": data})
        self.assertEqual(made.request(doip.SEARCH, SERVICE, attributes={"query": "type:Lasting"}).output["size"], 1)
        self.assertEqual(made.request(doip.HELLO).output["attributes"]["publicKey"], certificate)

    def test_an_answered_create_outlives_kill_9_of_everything(self):
        made = self.make()
        for n in range(5):
            self.ok(made.request(doip.CREATE, SERVICE, doip.object_segments(
                {"id": f"k{n}", "type": "K", "elements": [{"id": "e"}]}, {"e": b"%d" % n * 100000})))
        made.kill()
        made.start()
        for n in range(5):
            self.assertTrue(made.request(doip.RETRIEVE, f"k{n}", attributes={"element": "e"}).output == b"%d" % n * 100000)

    def test_kill_9_of_workers_during_uploads(self):
        made = self.make()
        data, stop, done, trouble = os.urandom(700000), time.monotonic() + 5, [], []

        def upload(number):
            n = 0
            while time.monotonic() < stop:
                name = f"up {number}.{n}"
                n += 1
                try:
                    response = made.request(doip.CREATE, SERVICE, doip.object_segments(
                        {"id": name, "type": "Up", "elements": [{"id": "e"}]}, {"e": data}))
                    if response.ok:
                        done.append(name)
                    else:
                        trouble.append(repr(response))
                except (OSError, doip.Broken):
                    time.sleep(0.05)
        threads = [threading.Thread(target=upload, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        while time.monotonic() < stop - 1:
            time.sleep(0.7)
            for pid in made.workers()[:1]:
                os.kill(pid, signal.SIGKILL)
        for thread in threads:
            thread.join()
        made.wait_ready()
        self.assertEqual(trouble, [])
        self.assertGreater(len(done), 3)
        for name in done:
            self.assertTrue(made.request(doip.RETRIEVE, name, attributes={"element": "e"}).output == data, name)
        found = made.request(doip.SEARCH, SERVICE, attributes={"query": "type:Up", "type": "id"}).output["results"]
        for name in found:
            self.assertTrue(made.request(doip.RETRIEVE, name, attributes={"element": "e"}).output == data, name)
        for name in found:
            self.ok(made.request(doip.DELETE, name))
        made.stop()
        made.start()
        until(lambda: not self.element_bytes(made), "half-made files of killed workers to be cleaned up: " +
              str(store_files(made.root)[:5]))

    def element_bytes(self, made):
        return [path for path in store_files(made.root) if os.path.exists(path) and os.path.getsize(path) > 0]

    def test_a_large_upload_that_breaks_off_leaves_no_file_and_no_thread(self):
        made = self.make(settings={"workers": {"processes": 1}})
        whole = doip.message(doip.CREATE, SERVICE, doip.object_segments({"type": "T", "elements": [{"id": "e"}]}, {"e": os.urandom(4 << 20)}))
        worker, = made.workers()

        def threads():
            return len(os.listdir(f"/proc/{worker}/task"))
        with made.connect() as client:
            client.sock.sendall(whole)
            self.ok(client.response())
        files, before = len(self.element_bytes(made)), threads()
        for leave in (doip.Connection.abort, doip.Connection.end_writing):
            with self.subTest(leave=leave.__name__), made.connect() as client:
                client.sock.sendall(whole[:3 << 20])
                until(lambda: threads() > before, "a second thread of a large upload")
                leave(client)
                until(lambda: len(self.element_bytes(made)) == files, "half of an element to be removed")
                until(lambda: threads() == before, f"{before} threads as before, not {threads()}")
        self.assertEqual(made.workers(), [worker])

    def test_limits_are_told_before_all_is_sent(self):
        made = self.make(settings={"handler": {"store": {"options": {"max_element": "1M", "quota": "2M"}}}})

        def create(size):
            return made.request(doip.CREATE, SERVICE, doip.object_segments(
                {"type": "T", "elements": [{"id": "e"}]}, {"e": os.urandom(size)}))
        self.ok(create(1 << 20))
        self.status(create((1 << 20) + 1), INVALID, "max_element")
        self.ok(create(1 << 20))
        self.status(create(100), INVALID, "quota")
        self.status(create(100000), INVALID, "quota")

    def test_two_services_have_two_stores(self):
        one, two = self.make(), self.make()
        self.ok(one.request(doip.CREATE, SERVICE, [{"id": "x", "type": "T"}]))
        self.status(two.request(doip.RETRIEVE, "x"), UNKNOWN)

    def test_an_unprivileged_user(self):
        if os.geteuid() != 0:
            self.skipTest("only root can change to another user")
        made = self.make(settings={"user": "nobody"})
        self.ok(made.request(doip.CREATE, SERVICE, doip.object_segments(
            {"id": "x", "type": "T", "elements": [{"id": "e"}]}, {"e": b"data"})))
        self.assertEqual(made.request(doip.RETRIEVE, "x", attributes={"element": "e"}).output, b"data")
        for pid in made.workers():
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, pwd.getpwnam("nobody").pw_uid)

    def test_the_prefix_is_that_of_the_service_where_none_is_configured(self):
        made = self.make(settings={"handler": {"store": {"options": {"prefix": ""}}}})
        self.assertTrue(made.request(doip.CREATE, SERVICE, [{"type": "T"}]).output["id"].startswith("35.TEST/"))
