"""doip-store, beside a service and without one: what it finds, frees, copies, and brings back."""

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import pwd
import random
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import daemon
import doip
from base import Case
from daemon import SERVICE, until

TOOL = os.path.join(daemon.BUILD, "doip-store")


def command(*arguments, timeout=80):
    done = subprocess.run([TOOL, *arguments], capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
                          preexec_fn=daemon.die_with_parent)
    daemon.no_complaint(done.stderr)
    return done


def place(root, data):
    """Where the bytes of a large element are."""
    name = doip.sha256(data)
    return os.path.join(root, "elements", name[:2], name)


def sql(root, *statements):
    with contextlib.closing(sqlite3.connect(os.path.join(root, "catalog.db"), timeout=30)) as handle:
        rows = [handle.execute(*(s if isinstance(s, tuple) else (s,))).fetchall() for s in statements]
        handle.commit()
        return rows[-1]


def tree(root):
    """{path below root: SHA-256} of all files."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                found[os.path.relpath(os.path.join(folder, name), root)] = hashlib.sha256(file.read()).hexdigest()
    return found


def flip(path, at=-1):
    with open(path, "r+b") as file:
        file.seek(at, 2 if at < 0 else 0)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))


class ToolCase(Case):
    def tool(self, *arguments, status=0):
        done = command(*arguments)
        self.assertEqual(done.returncode, status, f"{arguments}: {done.stdout}{done.stderr}")
        return done

    def json(self, *arguments, status=0):
        return json.loads(self.tool(*arguments, "-j", status=status).stdout)

    def refused(self, words, *arguments, status=1):
        done = self.tool(*arguments, status=status)
        self.assertIn(words, done.stderr)
        self.assertEqual(done.stdout, "")

    def put(self, name, data=None, made=None, operation=doip.CREATE, **more):
        value = dict({"id": name, "type": "Test", "elements": [{"id": e} for e in data or {}]}, **more)
        target = SERVICE if operation == doip.CREATE else name
        return self.ok((made or self.daemon).request(operation, target, doip.object_segments(value, data or {}))).output

    def fill(self, made, objects=10):
        """Objects of all kinds: small and large elements, equal ones, without data, empty, changed, of several types."""
        same = os.urandom(30000)
        for i in range(objects):
            self.put(f"o/{i}", {"small": b"%d" % i, "large": os.urandom(20000 + i), "same": same, "empty": b""}, made,
                     type=f"T{i % 3}", attributes={"content": {"n": i, "text": "\u00e9\u4e00 \"x\"", "real": 0.1}},
                     elements=[{"id": "large", "type": "a/b", "attributes": {"filename": "f"}}, {"id": "bare", "attributes": {"x": None}},
                               {"id": "same"}, {"id": "small"}, {"id": "empty"}])
        self.put("o/1", {"more": os.urandom(17000)}, made, doip.UPDATE, type="T9")
        self.put("plain", made=made)
        self.ok(made.request(doip.DELETE, "o/2"))
        sql(made.root, "UPDATE object SET created_by = 'creator', modified_by = 'other' WHERE id = 'o/3'")

    def served(self, root):
        """A service over that root."""
        other = daemon.Daemon(("store",))
        self.addCleanup(other.remove)
        os.makedirs(os.path.dirname(other.root), exist_ok=True)
        shutil.copytree(root, other.root)
        return other.start()

    def everything(self, made):
        """What a client sees: the objects in the order of their creation, and all bytes."""
        found = self.ok(made.request(doip.SEARCH, SERVICE, attributes={"query": "*:*"})).output["results"]
        return [(o, {n: doip.sha256(v) for n, v in self.whole(made, o["id"]).items()}) for o in found]

    def whole(self, made, name):
        return self.ok(made.request(doip.RETRIEVE, name, attributes={"includeElementData": True})).elements()[1]


class Load:
    """Clients that create, replace and delete all the time, within a `with`."""

    def __init__(self, made, clients=2):
        self.made, self.stop, self.trouble = made, threading.Event(), []
        self.threads = [threading.Thread(target=self.client, args=(n,)) for n in range(clients)]
        self.changes = 0

    def client(self, number):
        pick = random.Random(number)
        contents = [bytes([65 + i]) * (100 if i % 2 else 40000) for i in range(6)]
        try:
            with self.made.connect() as connection:
                while not self.stop.is_set():
                    name, data = f"load/{number}/{pick.randrange(4)}", pick.choice(contents)
                    value = {"id": name, "type": "Load", "elements": [{"id": "e"}]}
                    segments = doip.object_segments(value, {"e": data})
                    answer = connection.request(doip.CREATE, SERVICE, segments)
                    if answer.status == doip.DUPLICATE:
                        operation = pick.choice((doip.UPDATE, doip.DELETE))
                        answer = connection.request(operation, name, segments if operation == doip.UPDATE else ())
                    if answer.status != doip.OK:
                        raise AssertionError(repr(answer))
                    self.changes += 1
        except Exception as error:  # noqa: what went wrong is told by the test
            self.trouble.append(error)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until(lambda: self.changes > 20 or self.trouble, "the load to begin")
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join()
        if self.trouble:
            raise self.trouble[0]


class Verify(ToolCase):
    def findings(self, *more, status=1):
        found = self.json("verify", self.daemon.root, *more, status=status)
        self.assertEqual(found["good"], status == 0)
        return sorted((f["what"], f.get("object"), f.get("element")) for f in found["findings"]), found

    def test_what_is_whole_is_good(self):
        made = self.make(("store",))
        self.fill(made)
        found, summary = self.findings(status=0)
        self.assertEqual((found, summary["wrong"], summary["orphans"]), ([], 0, 0))
        self.assertEqual(summary["pieces"], self.json("stats", made.root)["pieces"])
        self.assertIn("good: yes", self.tool("verify", made.root).stdout)
        made.stop()
        self.findings(status=0)

    def test_damaged_and_missing_bytes_are_named_with_all_that_point_to_them(self):
        made = self.make(("store",))
        data = {name: os.urandom(20000) for name in ("flipped", "short", "gone", "good")}
        for name, value in data.items():
            self.put(name, {"e": value, "other": b"small"})
        self.put("shares", {"f": data["flipped"]})
        self.put("little", {"s": b"the small one"})
        flip(place(made.root, data["flipped"]))
        os.truncate(place(made.root, data["short"]), 19999)
        os.unlink(place(made.root, data["gone"]))
        sql(made.root, "UPDATE blob SET data = CAST('the smell one' AS BLOB) WHERE data = CAST('the small one' AS BLOB)")
        found, summary = self.findings()
        self.assertEqual(found, [("damaged", "flipped", "e"), ("damaged", "little", "s"), ("damaged", "shares", "f"),
                                 ("damaged", "short", "e"), ("missing", "gone", "e")])
        self.assertEqual(summary["wrong"], 4)
        text = self.tool("verify", made.root, status=1).stdout
        wrong = doip.sha256(data["flipped"])
        self.assertRegex(text, rf"(?m)^damaged elements/{wrong[:2]}/{wrong}: the SHA-256 of what is there is [0-9a-f]{{64}}; "
                               "element 'f' of object 'shares'$")
        self.assertIn("19999 bytes are there, not 20000", text)
        self.assertIn("No such file or directory; element 'e' of object 'gone'", text)
        found, _ = self.findings("--quick")
        self.assertEqual(found, [("damaged", "little", "s"), ("damaged", "short", "e"), ("missing", "gone", "e")])
        # Storing the same bytes once more mends what is not as long as it should be.
        self.put("again", {"x": data["gone"], "y": data["short"]})
        self.assertEqual(self.findings()[1]["wrong"], 2)

    def test_files_that_nobody_knows_are_only_told(self):
        made = self.make(("store",))
        self.put("one", {"e": b"1" * 20000})
        orphan = place(made.root, b"nobody's")
        os.makedirs(os.path.dirname(orphan), exist_ok=True)
        with open(orphan, "wb") as file:
            file.write(b"nobody's")
        with open(os.path.join(os.path.dirname(orphan), "stray"), "wb"):
            pass
        found, summary = self.findings(status=0)
        self.assertEqual([what for what, *_ in found], ["orphan", "stray"])
        self.assertEqual((summary["orphans"], summary["strays"]), (1, 1))

    def test_rows_that_contradict_each_other(self):
        made = self.make(("store",))
        for name in ("a", "b", "c"):
            self.put(name, {"e": name.encode()}, attributes={"x": 1})
        made.stop()
        for statement, words in (
                ("UPDATE blob SET uses = uses + 1 WHERE number = 1", "have 2 uses, but 1 elements point to them"),
                ("UPDATE past SET removed = removed - 5", "usage is 8, but all bytes together are 3"),
                ("DELETE FROM past", "usage is missing"),
                ("DELETE FROM object WHERE id = 'b'", "the object that it belongs to is not there; element 'e'"),
                ("DELETE FROM blob WHERE number = 3", "the bytes that it points to are not known; element 'e' of object 'c'"),
                ("UPDATE object SET attributes = '{' WHERE id = 'a'", "the attributes are not JSON; object 'a'"),
                ("UPDATE element SET attributes = '{' WHERE object = 1", "the attributes are not JSON; element 'e' of object 'a'")):
            with self.subTest(statement=statement):
                kept = made.path("kept.db")
                shutil.copyfile(os.path.join(made.root, "catalog.db"), kept)
                sql(made.root, statement)
                self.assertIn(words, self.tool("verify", made.root, status=1).stdout)
                os.replace(kept, os.path.join(made.root, "catalog.db"))
        self.findings(status=0)

    def test_a_catalog_that_is_damaged_itself(self):
        made = self.make(("store",))
        self.fill(made, 60)
        made.stop()
        path = os.path.join(made.root, "catalog.db")
        with open(path, "r+b") as file:
            for page in range(4, os.path.getsize(path) // 4096, 3):
                file.seek(page * 4096)
                file.write(b"\xff" * 64)
        done = command("verify", made.root)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("catalog", done.stdout + done.stderr)

    def test_nothing_is_reported_of_what_changes_meanwhile(self):
        made = self.make(("store",))
        with Load(made) as load:
            end, rounds = time.monotonic() + 6, 0
            while time.monotonic() < end or rounds < 3:
                found = self.json("verify", made.root)
                self.assertEqual([f for f in found["findings"] if f["what"] != "orphan"], [])
                rounds += 1
        self.assertGreater(load.changes, 50)


class Gc(ToolCase):
    def test_it_removes_what_nothing_points_to(self):
        made = self.make(("store",))
        large = os.urandom(40000)
        self.put("kept", {"e": b"k" * 20000})
        self.put("dropped", {"e": large, "s": b"small"})
        with open(os.path.join(made.root, "readers.lock"), "ab") as lock:  # one who reads keeps the sweep away
            fcntl.flock(lock, fcntl.LOCK_SH)
            self.ok(made.request(doip.DELETE, "dropped"))
            done = self.tool("gc", made.root, status=1)
            self.assertIn("left: 2", done.stdout)
            self.assertTrue(os.path.exists(place(made.root, large)))
        freed = self.json("gc", made.root)
        self.assertEqual((freed["removed"], freed["removedBytes"], freed["left"]), (2, 40005, 0))
        self.assertFalse(os.path.exists(place(made.root, large)))
        self.assertEqual(self.whole(made, "kept"), {"e": b"k" * 20000})

    def test_it_removes_files_that_nobody_knows(self):
        made = self.make(("store",))
        self.put("kept", {"e": b"k" * 20000})
        for i in range(40):
            path = place(made.root, b"orphan %d" % i)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(b"orphan %d" % i if i else b"damaged")
        stage = os.path.join(made.root, "incoming", "0" * 32)
        os.mkdir(stage)
        with open(os.path.join(stage, "data"), "wb") as file:
            file.write(b"half of it")
        freed = self.json("gc", made.root)
        self.assertEqual((freed["orphans"], freed["left"]), (40, 0))
        self.assertEqual(os.listdir(os.path.join(made.root, "incoming")), [])
        self.assertEqual(len(glob.glob(os.path.join(made.root, "elements/*/*"))), 1)
        self.assertEqual(self.json("verify", made.root)["findings"], [])
        self.put("later", {"e": b"damaged"})
        self.assertEqual(self.json("stats", made.root)["bytes"], 20007)

    def test_under_load_it_takes_nothing_that_is_needed(self):
        made = self.make(("store",))
        with Load(made, 3):
            end = time.monotonic() + 6
            while time.monotonic() < end:
                command("gc", made.root)
        self.assertEqual(self.json("verify", made.root)["wrong"], 0)
        self.tool("gc", made.root)
        self.assertEqual(self.json("verify", made.root)["findings"], [])

    def test_an_orphan_that_finds_a_use_at_this_moment_stays(self):
        made = self.make(("store",))
        for round_ in range(8):
            contents = [os.urandom(17000) for _ in range(48)]
            for data in contents:
                os.makedirs(os.path.dirname(place(made.root, data)), exist_ok=True)
                with open(place(made.root, data), "wb") as file:
                    file.write(data)

            def client(number):
                with made.connect() as connection:
                    for i in range(number, len(contents), 6):
                        value = {"id": f"{round_}/{i}", "type": "T", "elements": [{"id": "e"}]}
                        self.ok(connection.request(doip.CREATE, SERVICE, doip.object_segments(value, {"e": contents[i]})))

            threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
            for thread in threads:
                thread.start()
            self.tool("gc", made.root)
            for thread in threads:
                thread.join()
        self.assertEqual(self.json("verify", made.root)["wrong"], 0)
        self.assertEqual(self.json("stats", made.root)["objects"], 8 * 48)


class Stats(ToolCase):
    def test_the_numbers(self):
        made = self.make(("store",))
        self.put("a", {"e": b"x" * 100, "f": b"y" * 20000})
        self.put("b", {"e": b"x" * 100, "none": b""}, type="Other")
        got = self.json("stats", made.root)
        want = {"objects": 2, "elements": 4, "pieces": 3, "bytes": 20100, "logicalBytes": 20200, "garbage": 0, "files": 1,
                "types": {"Other": 1, "Test": 1}}
        self.assertEqual({name: got[name] for name in want}, want)
        self.assertEqual(got["oldestCreatedOn"], self.ok(made.request(doip.RETRIEVE, "a")).output["attributes"]["metadata"]["createdOn"])
        text = self.tool("stats", made.root).stdout
        self.assertRegex(text, r"(?m)^bytes: 20100 \(19.6 KiB\)$")
        self.assertRegex(text, r"(?m)^newestModifiedOn: 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_an_empty_repository(self):
        made = self.make(("store",))
        self.assertEqual((self.json("stats", made.root)["objects"], self.json("stats", made.root)["oldestCreatedOn"]), (0, None))
        self.assertEqual(self.json("verify", made.root)["good"], True)


class Dump(ToolCase):
    def test_export_import_export_is_the_same_byte_for_byte(self):
        made = self.make(("store",))
        self.fill(made)
        first, root, second = made.path("first"), made.path("root"), made.path("second")
        told = self.json("export", made.root, first)
        self.assertEqual((told["objects"], told["wrong"]), (10, 0))
        self.assertEqual(self.json("import", root, first), {"added": 10, "present": 0, "kept": 0})
        self.tool("export", root, second)
        self.assertEqual(tree(first), tree(second))
        for name, digest in tree(first + "/elements").items():
            self.assertEqual(name, digest)
        self.assertEqual(self.json("verify", root)["findings"], [])
        self.assertEqual(self.everything(self.served(root)), self.everything(made))
        with open(os.path.join(first, "objects.jsonl")) as file:
            lines = [json.loads(line) for line in file]
        self.assertEqual([line["id"] for line in lines], ["o/0", "o/1"] + [f"o/{i}" for i in range(3, 10)] + ["plain"])
        self.assertEqual(lines[2]["attributes"]["metadata"]["createdBy"], "creator")
        self.assertEqual(lines[1]["attributes"]["metadata"]["version"], 2)

    def test_an_export_under_load_is_one_state(self):
        made = self.make(("store",))
        stop, count = threading.Event(), [0]

        def client():
            with made.connect() as connection:
                while not stop.is_set():
                    value = {"id": f"n/{count[0]}", "type": "N", "elements": [{"id": "e"}]}
                    self.ok(connection.request(doip.CREATE, SERVICE, doip.object_segments(value, {"e": os.urandom(20000)})))
                    count[0] += 1

        thread = threading.Thread(target=client)
        with Load(made):
            thread.start()
            until(lambda: count[0] > 10, "objects")
            for number in range(4):
                begun, dump = count[0], made.path(f"dump{number}")
                self.assertEqual(self.json("export", made.root, dump)["wrong"], 0)
                with open(os.path.join(dump, "objects.jsonl")) as file:
                    lines = [json.loads(line) for line in file]
                names = [line["id"] for line in lines if line["type"] == "N"]
                self.assertEqual(names, [f"n/{i}" for i in range(len(names))])
                self.assertGreaterEqual(len(names), begun)
                wanted = {e["attributes"]["sha256"] for line in lines for e in line["elements"]}
                self.assertEqual(set(os.listdir(dump + "/elements")), wanted)
            stop.set()
            thread.join()
        self.json("import", made.path("root"), made.path("dump3"))
        self.assertEqual(self.json("verify", made.path("root"))["findings"], [])

    def test_what_export_refuses(self):
        made = self.make(("store",))
        os.mkdir(made.path("full"))
        with open(made.path("full/file"), "w"):
            pass
        self.refused("is not empty", "export", made.root, made.path("full"))
        self.refused("is not empty", "export", made.root, made.root)
        self.refused("No such file", "export", made.root, made.path("no/such"))

    def test_an_export_says_what_is_damaged(self):
        made = self.make(("store",))
        data = os.urandom(20000)
        self.put("a", {"e": data})
        self.put("b", {"e": b"fine"})
        flip(place(made.root, data))
        done = self.tool("export", made.root, made.path("dump"), status=1)
        self.assertIn(doip.sha256(data), done.stderr)
        self.refused(f"line 1: elements/{doip.sha256(data)}: its SHA-256 is", "import", made.path("root"), made.path("dump"))

    def test_import_only_into_an_empty_root_but_for_merge(self):
        made = self.make(("store",))
        self.fill(made, 4)
        dump, root = made.path("dump"), made.path("root")
        self.tool("export", made.root, dump)
        self.tool("import", root, dump)
        self.refused("--merge", "import", root, dump)
        self.refused("--merge", "import", made.root, dump)
        self.assertEqual(self.json("import", root, dump, "--merge"), {"added": 0, "present": 4, "kept": 0})
        self.put("plain", operation=doip.UPDATE, attributes={"new": 1})
        self.ok(made.request(doip.DELETE, "o/0"))
        done = self.tool("import", made.root, dump, "--merge", "-j", status=1)  # into a repository that is served
        self.assertEqual(json.loads(done.stdout), {"added": 1, "present": 2, "kept": 1})
        self.assertIn("the object 'plain' is another than in the dump", done.stderr)
        self.assertEqual(self.ok(made.request(doip.RETRIEVE, "plain")).output["attributes"]["new"], 1)
        self.assertEqual(self.whole(made, "o/0")["small"], b"0")
        self.assertEqual(self.ok(made.request(doip.SEARCH, SERVICE, attributes={"query": "/n:0"})).output["size"], 1)
        self.assertEqual(self.json("verify", made.root)["findings"], [])
        os.makedirs(made.path("other/things"))
        self.refused("there is no repository", "import", made.path("other"), dump)

    def test_a_dump_that_is_not_as_it_was_written(self):
        made = self.make(("store",))
        self.fill(made, 6)
        dump, root = made.path("dump"), made.path("root")
        self.tool("export", made.root, dump)
        objects, manifest = os.path.join(dump, "objects.jsonl"), os.path.join(dump, "manifest.json")
        name = sorted(os.listdir(os.path.join(dump, "elements")), key=lambda n: os.path.getsize(f"{dump}/elements/{n}"))[-1]
        element = os.path.join(dump, "elements", name)
        with open(objects, "rb") as file:
            lines = file.read().splitlines(True)

        def write(*text):
            with open(objects, "wb") as file:
                file.write(b"".join(text))
            with open(manifest) as file:
                told = dict(json.load(file), sha256=doip.sha256(b"".join(text)))
            with open(manifest, "w") as file:
                json.dump(told, file)

        def change(number, old, new):
            self.assertIn(old, lines[number])
            write(*lines[:number], lines[number].replace(old, new), *lines[number + 1:])

        for harm, words in (
                (lambda: flip(objects, lines[0].index(b'"n":0') + 4), "objects.jsonl: its SHA-256 is"),
                (lambda: os.unlink(manifest), "manifest.json: it is not there: that is no dump, or not all of one"),
                (lambda: os.unlink(objects), "objects.jsonl: No such file"),
                (lambda: write(*lines[:2], b"{\"id\": 5\n"), "objects.jsonl: line 3: column "),
                (lambda: write(*lines[:2], b"[]\n"), "objects.jsonl: line 3: "),
                (lambda: write(*lines, lines[1]), "line 7: there is an object 'o/1' already"),
                (lambda: change(3, b'"version":', b'"fersion":'), "line 4: attributes.metadata.version is missing"),
                (lambda: change(3, b'"id":"o/4",', b""), "line 4: the object has no id"),
                (lambda: change(3, b'"sha256":"', b'"sha256":"x'), "line 4: element 'large' has a length, but no attributes.sha256"),
                (lambda: os.unlink(element), f"line 1: elements/{name}: No such file"),
                (lambda: os.truncate(element, 5), f"line 1: elements/{name}: it has 5 bytes, not 30000"),
                (lambda: flip(element), f"line 1: elements/{name}: its SHA-256 is")):
            shutil.copytree(dump, made.path("kept"))
            with self.subTest(words=words):
                harm()
                self.refused(words, "import", root, dump)
                if os.path.exists(root):
                    self.assertEqual(self.json("stats", root)["objects"], 0)
            shutil.rmtree(dump)
            os.rename(made.path("kept"), dump)
        with open(manifest) as file:
            told = json.load(file)
        for key, value, words in (("version", 2, "format version 2, and this tool knows only 1"), ("format", "x", "it is not that of a doip-store dump")):
            with open(manifest, "w") as file:
                json.dump(dict(told, **{key: value}), file)
            self.refused(words, "import", root, dump)

    def test_what_an_import_leaves_that_is_killed_at_once(self):
        made = self.make(("store",))
        self.fill(made)
        dump = made.path("dump")
        self.tool("export", made.root, dump)
        for count, names in enumerate((["incoming"], ["incoming", "readers.lock", "elements"], ["incoming", "elements", "queue.lock", "catalog.db"])):
            with self.subTest(names=names):
                root = made.path(f"root{count}")
                os.mkdir(root, 0o700)
                for name in names:
                    if "." in name:
                        open(os.path.join(root, name), "w").close()
                    else:
                        os.mkdir(os.path.join(root, name), 0o700)
                self.tool("import", root, dump)
                self.assertEqual(self.json("verify", root)["findings"], [])
        os.mkdir(made.path("other"))
        open(made.path("other/letter"), "w").close()
        self.refused("there is no repository", "import", made.path("other"), dump)

    def test_an_import_that_is_killed_can_go_on(self):
        made = self.make(("store",))
        with made.connect() as connection:
            for i in range(700):
                value = {"id": f"k/{i}", "type": "K", "elements": [{"id": "e"}, {"id": "s"}]}
                self.ok(connection.request(doip.CREATE, SERVICE, doip.object_segments(value, {"e": os.urandom(17000), "s": b"%d" % i})))
        dump, root = made.path("dump"), made.path("root")
        self.tool("export", made.root, dump)
        seen = set()
        for wait in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3):
            process = subprocess.Popen([TOOL, "import", root, dump, "--merge"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       preexec_fn=daemon.die_with_parent)
            time.sleep(wait)
            process.kill()
            process.wait()
            if os.path.exists(os.path.join(root, "catalog.db")) and command("stats", root).returncode == 0:
                self.assertEqual(self.json("verify", root)["wrong"], 0)
                names = [name for name, in sql(root, "SELECT id FROM object ORDER BY number")]
                self.assertEqual(names, [f"k/{i}" for i in range(len(names))])
                seen.add(len(names))
        self.tool("import", root, dump, "--merge")
        self.tool("gc", root)
        self.assertEqual(self.json("verify", root)["findings"], [])
        self.tool("export", root, made.path("second"))
        self.assertEqual(tree(dump), tree(made.path("second")))


class Backup(ToolCase):
    def test_a_backup_is_a_repository(self):
        made = self.make(("store",))
        self.fill(made)
        for more in ((), ("--copy",)):
            with self.subTest(more=more):
                copy = made.path("backup" + "".join(more))
                told = self.json("backup", made.root, copy, *more)
                self.assertEqual((told["files"], told["removed"], told["wrong"]), (11, 0, 0))
                self.assertEqual(self.json("verify", copy)["findings"], [])
                files = glob.glob(os.path.join(copy, "elements/*/*"))
                self.assertEqual({os.stat(f).st_nlink for f in files}, {1 if more else 2})
                self.assertEqual(self.everything(self.served(copy)), self.everything(made))

    def test_a_backup_is_renewed_and_copies_only_what_is_new(self):
        made = self.make(("store",))
        self.fill(made)
        copy = made.path("backup")
        self.tool("backup", made.root, copy, "--copy")
        self.put("new", {"e": os.urandom(50000)})
        self.ok(made.request(doip.DELETE, "o/5"))
        gone = os.path.join(copy, "elements/00/leftover.new")
        os.makedirs(os.path.dirname(gone), exist_ok=True)
        with open(gone, "w"):
            pass
        told = self.json("backup", made.root, copy, "--copy")
        self.assertEqual((told["files"], told["bytes"], told["removed"]), (1, 50000, 2))
        self.assertEqual(self.json("verify", copy)["findings"], [])
        self.assertEqual([f for f in os.listdir(copy) if "new" in f or "wal" in f], [])
        self.assertEqual(self.everything(self.served(copy)), self.everything(made))

    def test_backups_under_load(self):
        made = self.make(("store",))
        self.fill(made)
        copy = made.path("backup")
        with Load(made, 3):
            end, rounds = time.monotonic() + 8, 0
            while time.monotonic() < end or rounds < 3:
                self.assertEqual(self.json("backup", made.root, copy, *(["--copy"] if rounds % 2 else []))["wrong"], 0)
                self.assertEqual(self.json("verify", copy)["findings"], [])
                rounds += 1
        served = self.served(copy)
        for found, data in self.everything(served):
            self.assertEqual({e["id"]: e["attributes"]["sha256"] for e in found.get("elements", []) if "length" in e}, data)

    def test_what_backup_refuses(self):
        made = self.make(("store",))
        self.put("a", {"e": b"x"})
        self.refused("that is the repository itself", "backup", made.root, made.root)
        os.makedirs(made.path("full/x"))
        self.refused("neither empty nor a backup", "backup", made.root, made.path("full"))
        self.tool("backup", made.root, made.path("copy"))
        with open(made.path("copy/writer.lock"), "w"):
            pass
        self.refused("it has been served since it was made", "backup", made.root, made.path("copy"))
        self.refused("there is no repository", "backup", made.path("full"), made.path("other"))

    def test_what_is_missing_is_told_and_all_else_copied(self):
        made = self.make(("store",))
        data = os.urandom(20000)
        self.put("a", {"e": data})
        self.put("b", {"e": os.urandom(20000)})
        os.unlink(place(made.root, data))
        done = self.tool("backup", made.root, made.path("copy"), status=1)
        self.assertIn(f"{doip.sha256(data)}: missing in the repository", done.stderr)
        self.assertEqual([f["object"] for f in self.json("verify", made.path("copy"), status=1)["findings"]], ["a"])

    def test_a_backup_that_is_killed_leaves_the_one_before(self):
        made = self.make(("store",))
        copy = made.path("backup")
        self.put("first", {"e": b"f" * 20000})
        self.tool("backup", made.root, copy, "--copy")
        with Load(made, 1) as load:
            for round_ in range(12):
                self.put(f"more/{round_}", {f"e{i}": os.urandom(20000) for i in range(20)})
                process = subprocess.Popen([TOOL, "backup", made.root, copy, "--copy"], stdout=subprocess.DEVNULL,
                                           preexec_fn=daemon.die_with_parent)
                time.sleep(random.Random(round_).uniform(0.005, 0.12))
                process.kill()
                process.wait()
                self.assertEqual(self.json("verify", copy)["wrong"], 0)
            load.stop.set()
        self.tool("backup", made.root, copy, "--copy")
        self.assertEqual(self.json("verify", copy)["findings"], [])
        self.assertEqual(self.everything(self.served(copy)), self.everything(made))


class CommandLine(ToolCase):
    def test_wrong_usage(self):
        for arguments in ((), ("nonsense",), ("verify",), ("verify", "a", "b"), ("backup", "a"), ("stats", "a", "--quick"),
                          ("gc", "a", "--merge"), ("export", "a", "b", "--copy"), ("verify", "a", "--nonsense"), ("-x",)):
            with self.subTest(arguments=arguments):
                done = self.tool(*arguments, status=2)
                self.assertEqual(done.stdout, "")
                self.assertRegex(done.stderr, r"doip-store")

    def test_help_and_version(self):
        for option in ("-h", "--help"):
            self.assertIn("usage: doip-store COMMAND ROOT", self.tool(option).stdout)
        self.assertRegex(self.tool("-V").stdout, r"^doip-store \d+\.\d+\.\d+$")

    def test_what_is_no_repository_or_of_another_version(self):
        made = self.make(("store",))
        self.put("a", {"e": b"x"})
        made.stop()
        commands = [("verify", made.root), ("gc", made.root), ("stats", made.root), ("backup", made.root, made.path("b")),
                    ("export", made.root, made.path("e"))]
        version, = sql(made.root, "PRAGMA user_version")[0]
        for change, words in ((f"PRAGMA user_version = {version - 1}", "start the service once"),
                              ("PRAGMA user_version = 99", f"schema version 99 is newer than {version}, the last this tool knows"),
                              ("PRAGMA application_id = 7", "the database of another program")):
            sql(made.root, f"PRAGMA user_version = {version}", change)
            for arguments in commands:
                with self.subTest(arguments=arguments, change=change):
                    self.refused(words, *arguments)
                    self.assertFalse([path for path in arguments[2:] if os.path.exists(path)])
        self.refused("there is no repository", "verify", made.path("nowhere"))
        self.assertFalse(os.path.exists(made.path("nowhere")))

    def test_root_does_not_write_into_what_belongs_to_another(self):
        if os.geteuid() != 0:
            self.skipTest("only root could")
        made = self.make(("store",), start=False)
        nobody = pwd.getpwnam("nobody")
        os.makedirs(made.root)
        os.chown(made.root, nobody.pw_uid, nobody.pw_gid)
        self.refused("belongs to nobody: run this as that user", "gc", made.root)
        self.assertEqual(os.listdir(made.root), [])
