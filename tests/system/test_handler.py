"""Handlers as their authors know them: built outside the tree, in C++, in a chain, with options, with all that the SDK has."""

import os
import subprocess

import doip
from base import Case, SharedCase
from daemon import BUILD, CLIENT, SERVICE, TREE

# The handler of the manual's first pages: what an author types.
FIRST = r"""
#include <doip/handler.h>

static const char *const operations[] = {"20.EXAMPLE/Greet", NULL};

DOIP_HANDLER(.name = "greet", .version = "1.0", .flags = DOIP_THREAD_SAFE, .operations = operations);

DOIP_EXPORT doip_result
extended(doip_request *request, doip_response *response)
{
    const char *name = "world";

    if (doip_attribute_string(request, "name", &name) != DOIP_OK)
        return DOIP_FAILED;
    return doip_respond_json(response, json_pack("{s:s}", "hello", name));
}
"""


def shell(command, **more):
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=80, stdin=subprocess.DEVNULL, **more)
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class OutsideAuthor(Case):
    """What authors do with handlers of their own; test_manual has the first one, after `make install`."""

    def test_a_handler_that_is_replaced_while_the_daemon_runs(self):
        made = self.make(handlers=("debug",))
        for text in ("one", "two"):
            source = made.path("greet.c")
            with open(source, "w") as file:
                file.write(FIRST.replace('"world"', f'"{text}"'))
            shell(f"cc -shared -fPIC -I'{TREE}/include' -o {made.path('greet.so')} {source} -L'{BUILD}' -ldoip -ljansson")
            made.install("greet", made.path("greet.so"))
            made.reload()
            self.assertEqual(self.ok(made.request("20.EXAMPLE/Greet", SERVICE)).output, {"hello": text})
        os.unlink(os.path.join(made.handlers, "greet.so"))
        made.reload()
        self.status(made.request("20.EXAMPLE/Greet", SERVICE), doip.DECLINED)

    def test_a_symbol_of_a_linked_library_is_not_the_handlers(self):
        made = self.make(start=False, handlers=())
        source = os.path.join(TREE, "tests/handlers/linked")
        shell(f"cc -shared -fPIC -o {made.dir}/libfound.so '{source}/found.c'")
        shell(f"cc -shared -fPIC -I'{TREE}/include' -o {made.dir}/linked.so '{source}/linked.c' -L{made.dir} -lfound "
              f"-L'{BUILD}' -ldoip -ljansson -Wl,-rpath,{made.dir}")
        made.install("linked", made.path("linked.so"))
        self.addCleanup(made.stop)
        made.start()
        self.assertEqual(self.ok(made.request(doip.HELLO, SERVICE)).output, {"found": 42})
        self.status(made.request(doip.SEARCH, SERVICE, attributes={"query": "x"}), doip.DECLINED)
        self.assertNotIn(doip.SEARCH, self.ok(made.request(doip.LIST, SERVICE)).output)


class Cplusplus(SharedCase):
    handlers = ("cplusplus",)

    def test_it_answers_and_deletes(self):
        self.assertEqual(self.ok(self.request(doip.RETRIEVE, "cpp/a")).output, {"id": "cpp/a", "type": "Cpp"})
        self.ok(self.request(doip.DELETE, "cpp/a"))
        self.assertEqual(self.ok(self.request("20.DOIP/Cpp.Length", "cpp/a", [b"x" * 100000])).output, 100000)
        self.status(self.request("20.DOIP/Cpp.Length", "cpp/a", [{"not": "bytes"}]), doip.INVALID)
        self.status(self.request("20.DOIP/Cpp.Other", "cpp/a"), doip.DECLINED)
        self.assertIn("20.DOIP/Cpp.Length", self.ok(self.request(doip.LIST, SERVICE)).output)


class Tutorial(SharedCase):
    """plugins/hello, as its manual says."""

    handlers = ("hello",)
    settings = {"handler": {"hello": {"options": {"greeting": "Good morning", "repeat": 2}}}}

    def test_hello(self):
        output = self.ok(self.request(doip.HELLO, SERVICE)).output
        self.assertEqual((output["id"], output["greeting"]), (SERVICE, "Good morning"))

    def test_greet(self):
        call = lambda **more: self.request("20.EXAMPLE/Greet", SERVICE, **more)
        self.assertEqual(self.ok(call()).output, ["Good morning, stranger!"] * 2)
        self.assertEqual(self.ok(call(client="20.TEST/alice")).output, ["Good morning, 20.TEST/alice!"] * 2)
        self.assertEqual(self.ok(call(attributes={"times": "3"}, input={"name": "Ada"})).output, ["Good morning, Ada!"] * 3)
        self.assertEqual(self.ok(self.request("20.EXAMPLE/Greet", SERVICE, [{"name": "Ada"}])).output, ["Good morning, Ada!"] * 2)
        self.status(call(attributes={"times": "many"}), doip.INVALID)
        self.status(call(attributes={"times": 1000}), doip.INVALID)
        self.status(call(input={"name": 5}), doip.INVALID, "name")

    def test_count(self):
        data = b"one two\nthree\n" * 10000
        self.assertEqual(self.ok(self.request("20.EXAMPLE/Count", SERVICE, [data, b"x\n"])).output,
                         {"bytes": len(data) + 2, "lines": 20001})
        self.status(self.request("20.EXAMPLE/Count", SERVICE, [{"a": 1}]), doip.INVALID)
        self.status(self.request("20.EXAMPLE/Count", SERVICE), doip.INVALID)

    def test_the_rest_is_declined(self):
        self.status(self.request("20.EXAMPLE/Other", SERVICE), doip.DECLINED)
        listed = self.ok(self.request(doip.LIST, SERVICE)).output
        self.assertIn("20.EXAMPLE/Greet", listed)
        self.assertIn("20.EXAMPLE/Count", listed)


class Options(Case):
    def options(self, **options):
        return {"handler": {"debug": {"options": options}}}

    def test_defaults_and_given_values(self):
        made = self.make()
        state = made.debug("State").output
        state.pop("pid")
        self.assertEqual(state, {"text": "none", "number": 7, "flag": False, "size": 65536})
        made = self.make(settings=self.options(text="a \"b\" \u20ac", number=-12, flag=True, size="3M"))
        state = made.debug("State").output
        state.pop("pid")
        self.assertEqual(state, {"text": "a \"b\" \u20ac", "number": -12, "flag": True, "size": 3 << 20})
        made = self.make(settings=self.options(size=5), options=["handler.debug.options.number=99"])
        state = made.debug("State").output
        self.assertEqual((state["number"], state["size"]), (99, 5))

    def test_errors_name_file_and_line(self):
        """(the line in the section, words)"""
        made = self.make(start=False)
        with open(made.conf) as file:
            before = "".join(line for line in file if not line.startswith("handler =")) + "# a comment\n\n"
        for line, words in (('colour = "red"', ["colour"]), ('number = "many"', ["number"]), ("number = 1.5", ["number"]),
                            ("flag = 3", ["flag"]), ('flag = "maybe"', ["flag"]), ('size = "12Q"', ["size"]),
                            ("size = -1", ["size"]), ('text = ( "a" )', ["text"]), ("text = 5", ["text", "a string"]),
                            ('number = "7"', ["number", "an integer"]), ('flag = "true"', ["flag"])):
            with self.subTest(line):
                made.write(before + f"handler = {{ debug = {{ options = {{\n# more\n{line}\n}} }} }}\n")
                place = f"{made.conf}:{before.count(chr(10)) + 3}"
                self.start_error(made, place, "debug", *words)
                done = made.run("-t")
                self.assertEqual(done.returncode, 1)
                self.assertIn(place, done.stderr)

    def test_each_worker_has_a_state_of_its_own(self):
        made = self.make(settings={"workers": {"processes": 3}})
        connections = [made.connect() for _ in range(60)]  # open at once, so that they are shared out
        pids = {connection.request("20.DOIP/Debug.State", SERVICE).output["pid"] for connection in connections}
        for connection in connections:
            connection.close()
        self.assertLessEqual(pids, set(made.workers()))
        self.assertGreater(len(pids), 1, "one worker has all connections")


class Sdk(SharedCase):
    """Protocol section 7, line by line."""

    handlers = ("sdk",)

    def sdk(self, name, segments=(), **more):
        return self.request("20.DOIP/Sdk." + name, SERVICE, segments, **more)

    def test_the_seven_methods(self):
        for operation, target, name, segments in (
                (doip.HELLO, SERVICE, "hello", []), (doip.CREATE, SERVICE, "create", [{"type": "T"}]),
                (doip.RETRIEVE, "x", "retrieve", []), (doip.UPDATE, "x", "update", [{"type": "T"}]), (doip.DELETE, "x", "delete", []),
                (doip.SEARCH, SERVICE, "search", []), (doip.LIST, "x", "list", []), (doip.LIST, SERVICE, "list", [])):
            with self.subTest(name):
                attributes = {"query": "x"} if name == "search" else {}
                self.assertEqual(self.ok(self.request(operation, target, segments, attributes=attributes)).output, name)

    def test_get_chunks(self):
        self.assertEqual(self.ok(self.sdk("GetChunks", [{"a": 1}, b"x" * 5000, b"", "s"])).output, [{"a": 1}, 5000, 0, "s"])
        self.assertEqual(self.ok(self.sdk("GetChunks", input=5)).output, [5])
        self.assertEqual(self.ok(self.sdk("GetChunks")).output, [])

    def test_write_json_segment(self):
        response = self.ok(self.sdk("WriteJson"))
        self.assertEqual((response.output, response.attributes, response.compact), ({"json": [1, 2]}, {"answer": 42}, True))

    def test_write_string_segment(self):
        self.assertEqual(self.ok(self.sdk("WriteString")).output, {"string": [1, 2.5, "\u00e9"]})

    def test_write_file_segment(self):
        path = self.daemon.path("some file")
        for size in (0, 1, 3 << 20):
            data = os.urandom(size)
            with open(path, "wb") as file:
                file.write(data)
            response = self.ok(self.sdk("WriteFile", attributes={"path": path}))
            self.assertTrue(response.output == data)
        self.status(self.sdk("WriteFile", attributes={"path": "/nonexistent"}), doip.ERROR)

    def test_write_empty_segment(self):
        self.assertEqual(self.ok(self.sdk("WriteEmpty")).segments, [])

    def test_several_segments(self):
        self.assertEqual(self.ok(self.sdk("Segments")).segments, ["one", b"two\n#\n", b"three", b"", "five"])

    def test_send_unknown_operation_response(self):
        self.assertEqual(self.status(self.sdk("Unknown"), doip.DECLINED).reason, "This operation is not supported.")

    def test_send_invalid_request_response(self):
        self.assertEqual(self.status(self.sdk("Invalid"), doip.INVALID).reason, "the reason is 42")

    def test_an_exception(self):
        self.assertEqual(self.status(self.sdk("Raise"), doip.ERROR).reason, "Internal Server Error")

    def test_an_unhandled_operation(self):
        self.assertEqual(self.status(self.sdk("Other"), doip.DECLINED).reason, "This operation is not supported.")

    def test_send_request_with_the_doip_command(self):
        with open(self.daemon.path("input"), "w") as file:
            file.write('{"from": "a file"}')
        done = subprocess.run([CLIENT, "-s", f"{doip.HOST}:{self.port}", "-k", "-j", "call", SERVICE, "20.DOIP/Sdk.GetChunks", "--input",
                               '{"a": 1}', "--input", "@" + self.daemon.path("input")], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("a file", done.stdout)


class Chain(Case):
    """The order is that of the configuration, then that of file names; sections say for what a handler is asked."""

    WHO = "20.DOIP/Chain.Who"

    def section(self, **more):
        return dict({"enabled": True}, **more)

    def who(self, made, operation=WHO, target="x", **attributes):
        response = made.request(operation, target, attributes=attributes)
        return response.output if response.ok else response.status

    def test_order_and_declining(self):
        for order in (("first", "second"), ("second", "first")):
            with self.subTest(order=order):
                made = self.make(handlers=order)
                for operation, target in ((self.WHO, "x"), (doip.RETRIEVE, "x"), (doip.SEARCH, SERVICE)):
                    self.assertEqual(self.who(made, operation, target, query="x"), order[0])
                    self.assertEqual(self.who(made, operation, target, query="x", skip=order[0]), order[1])
                self.assertEqual(self.who(made, skip="both"), doip.DECLINED)
                self.assertEqual(self.who(made, doip.RETRIEVE, skip="both"), doip.DECLINED)

    def test_handlers_without_a_section_come_last_in_name_order(self):
        made = self.make(start=False, handlers=("second", "first"))
        made.settings["handler"] = {"second": {"enabled": True}}
        made.write()
        self.addCleanup(made.stop)
        made.start()
        self.assertEqual((self.who(made), self.who(made, skip="second")), ("second", "first"))
        made.settings.pop("handler")
        made.write()
        made.reload()
        self.assertEqual(self.who(made), "first")

    def test_targets_and_operations(self):
        made = self.make(handlers=("first", "second"), settings={"handler": {
            "first": self.section(targets=["a/*", "exact"]), "second": self.section(operations=["20.DOIP/Chain.*", doip.SEARCH])}})
        for target, operation, want in (("a/b", self.WHO, "first"), ("a/b/c", self.WHO, "first"), ("exact", self.WHO, "first"),
                                        ("b/a", self.WHO, "second"), ("exactly", self.WHO, "second"), ("A/b", self.WHO, "second"),
                                        ("a/b", doip.RETRIEVE, "first"), ("b/a", doip.RETRIEVE, doip.DECLINED),
                                        (SERVICE, doip.SEARCH, "second")):
            with self.subTest(target=target, operation=operation):
                self.assertEqual(self.who(made, operation, target, query="x"), want)
        listed = self.ok(made.request(doip.LIST, "a/b")).output
        self.assertIn("20.DOIP/Chain.first", listed)

    def test_only_where_nobody_answers_the_daemon_does(self):
        made = self.make(handlers=("first", "hello"))
        self.assertIn("greeting", made.request(doip.HELLO).output)
        made = self.make(handlers=("first",))
        self.assertEqual(made.request(doip.HELLO).output["type"], "0.TYPE/DOIPServiceInfo")
        self.assertEqual(sorted(made.request(doip.LIST, SERVICE).output),
                         sorted([doip.HELLO, doip.LIST, doip.SEARCH, "20.DOIP/Chain.Who", "20.DOIP/Chain.first"]))
