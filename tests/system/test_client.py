"""The command `doip`, run as a user does, against a real daemon."""

import json
import os
import pty
import signal
import socket
import subprocess
import termios
import time

import doip
from base import SharedCase, needs_terminals
from client import CONTROL, Home
from daemon import CLIENT, PREFIX, SERVICE, die_with_parent


class ClientCase(SharedCase):
    def setUp(self):
        super().setUp()
        self.home = Home(self)

    def cli(self, *arguments, status=0, **named):
        result = self.home.doip(self.port, *arguments, **named)
        self.assertEqual(result.status, status, result)
        if status == 0:
            return result
        self.assertTrue(result.err.startswith(b"doip: ") or b"doip: " in result.err, result)
        return result


class Commands(ClientCase):
    def test_hello(self):
        info = self.cli("-j", "hello").json
        self.assertEqual((info["id"], info["type"]), (SERVICE, "0.TYPE/DOIPServiceInfo"))
        self.assertIn(SERVICE, self.cli("hello").text)

    def test_localhost_needs_no_file(self):
        """A fresh root directory has no /etc/hosts, and a name server need not know the name."""
        hidden = "for file in /etc/hosts /etc/resolv.conf /etc/nsswitch.conf; do test ! -e $file || mount --bind /dev/null $file || exit 77; done"
        done = subprocess.run(["unshare", "--mount", "sh", "-c", hidden + '; ! getent hosts localhost; exec "$0" "$@"', CLIENT, "-s",
                               f"localhost:{self.port}", "hello"], capture_output=True, text=True, timeout=30, preexec_fn=die_with_parent,
                              env=dict(os.environ, HOME=self.home.dir, XDG_STATE_HOME=self.home.dir))
        if done.returncode == 77 or "unshare" in done.stderr:
            self.skipTest(f"only root may hide files: {done.stderr}")
        self.assertEqual(done.returncode, 0, done)
        self.assertIn(SERVICE, done.stdout)

    def test_list(self):
        listed = self.cli("-j", "list").json
        self.assertIn(doip.CREATE, listed)
        self.assertEqual(sorted(self.cli("list").text.split("\n")[:-1]), sorted(listed))
        made = self.create()
        self.assertIn(doip.RETRIEVE, self.cli("-j", "list", made["id"]).json)
        self.assertIn(b"Status.104", self.cli("list", "35.TEST/none", status=1).err)

    def test_an_interrupted_password_leaves_the_echo_on(self):
        needs_terminals(self)
        pid, master = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # who runs the tests in the background ignores it
            os.execv(CLIENT, [CLIENT, "-s", f"{doip.HOST}:{self.port}", "-u", "alice", "hello"])
        self.addCleanup(os.close, master)
        asked = b""
        while not asked.endswith(b"Password of alice: "):
            asked += os.read(master, 1)
        deadline = time.monotonic() + 10
        while termios.tcgetattr(master)[3] & termios.ECHO and time.monotonic() < deadline:
            time.sleep(0.01)
        os.write(master, b"secr\x03")
        os.write(master, b"\n")
        self.assertEqual(os.WTERMSIG(os.waitpid(pid, 0)[1]), signal.SIGINT)
        self.assertTrue(termios.tcgetattr(master)[3] & termios.ECHO)

    def test_create_retrieve_update_delete(self):
        data = {"small": b"some text\n", "large": os.urandom(3 << 20), "empty": b""}
        files = {name: self.home.path(name + ".bin", value) for name, value in data.items()}
        arguments = [part for name, path in files.items() for part in ("--element", f"{name}={path};type=text/{name}")]
        made = self.cli("-j", "create", "--type", "Document", "--attributes", '{"content": {"title": "\u00e9"}}', *arguments).json
        self.assertTrue(made["id"].startswith(PREFIX + "/"))
        self.assertEqual((made["type"], made["attributes"]["content"]), ("Document", {"title": "\u00e9"}))
        self.assertEqual({e["id"]: (e["type"], e["length"]) for e in made["elements"]},
                         {name: ("text/" + name, len(value)) for name, value in data.items()})
        self.assertEqual(self.cli("-j", "retrieve", made["id"]).json, made)
        for name, value in data.items():
            self.assertTrue(self.cli("retrieve", made["id"], "--element", name).out == value, name)
            self.cli("retrieve", made["id"], "--element", name, "-o", self.home.path("out"))
            with open(self.home.path("out"), "rb") as file:
                self.assertTrue(file.read() == value)
        self.assertEqual(self.cli("retrieve", made["id"], "--element", "small", "--range", "5-8").out, b"text")
        self.assertEqual(self.cli("retrieve", made["id"], "--element", "small", "--range", "5-").out, b"text\n")
        self.everything(made, data)
        now = self.cli("-j", "update", made["id"], "--type", "Other", "--element", "small=" + self.home.path("new", b"new")).json
        self.assertEqual(now["type"], "Other")
        self.assertEqual(self.cli("retrieve", made["id"], "--element", "small").out, b"new")
        self.assertTrue(self.cli("retrieve", made["id"], "--element", "large").out == data["large"])
        self.cli("delete", made["id"])
        self.assertIn(b"Status.104", self.cli("retrieve", made["id"], status=1).err)
        self.cli("delete", made["id"], status=1)

    def everything(self, made, data):
        folder = self.home.path("all")
        self.cli("retrieve", made["id"], "--all", "-o", folder)
        found = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
        self.assertEqual(json.loads(found.pop("object.json")), made)
        self.assertEqual(sorted(found), sorted(data))
        for name, value in data.items():
            self.assertTrue(found[name] == value, name)

    def test_create_with_an_id_and_from_files(self):
        attributes = self.home.path("a.json", b'{"content":\n {"n": 1}}')
        made = self.cli("-j", "create", "--id", "cli/1", "--type", "T", "--attributes", "@" + attributes).json
        self.assertEqual((made["id"], made["attributes"]["content"]), ("cli/1", {"n": 1}))
        self.assertIn(b"Status.105", self.cli("create", "--id", "cli/1", "--type", "T", status=1).err)
        made = self.cli("-j", "create", "--type", "T", "--element", "in=-", stdin=b"from a pipe").json
        self.assertEqual(self.cli("retrieve", made["id"], "--element", "in").out, b"from a pipe")

    def test_search(self):
        for n in range(5):
            self.cli("create", "--id", f"found/{n}", "--type", "Found")
        self.assertEqual(self.cli("search", "type:Found", "--ids", "--sort", "id").text, "".join(f"found/{n}\n" for n in range(5)))
        page = self.cli("-j", "search", "type:Found", "--ids", "--sort", "id DESC", "--page", "1", "--page-size", "2").json
        self.assertEqual(page, {"size": 5, "results": ["found/2", "found/1"]})
        self.assertEqual(self.cli("-j", "search", "type:Found", "--page-size", "0").json, {"size": 5, "results": []})
        self.assertEqual(len(self.cli("-j", "search", "type:Found").json["results"]), 5)

    def test_call(self):
        self.assertEqual(self.cli("-j", "call", SERVICE, "20.DOIP/Debug.Echo", "--input", '{"a": [1, 2]}').json, {"a": [1, 2]})
        self.assertEqual(self.cli("-j", "call", SERVICE, "20.DOIP/Debug.Echo", "--input", "@" + self.home.path("i", b"[3]")).json, [3])
        two = self.cli("-j", "call", SERVICE, "20.DOIP/Debug.Echo", "--input", "1", "--input", "2").text.split()
        self.assertEqual(two, ["1", "2"])
        self.assertEqual(len(self.cli("call", SERVICE, "20.DOIP/Debug.Big").out), 1024)
        self.assertIn(b"This operation is not supported.", self.cli("call", SERVICE, "x", status=1).err)

    def test_who_is_asking(self):
        info = self.cli("-j", "-c", "20.TEST/alice", "call", SERVICE, "20.DOIP/Debug.Info").json
        self.assertEqual((info["claimed"], info["client"]), ("20.TEST/alice", None))
        self.assertIn(b"Status.102", self.cli("--token", "secret", "hello", status=1).err)
        password = self.home.path("password", b"secret\n")
        self.assertIn(b"Status.102", self.cli("-u", "alice", "--password-file", password, "hello", status=1).err)

    def test_a_client_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                        "/UID=20.TEST\\/bob", "-keyout", self.home.path("k.pem"), "-out", self.home.path("c.pem")],
                       check=True, capture_output=True)
        info = self.cli("-j", "--cert", self.home.path("c.pem"), "--key", self.home.path("k.pem"), "call", SERVICE,
                        "20.DOIP/Debug.Info").json
        self.assertEqual((info["certificate"], info["claimed"]), (True, "20.TEST/bob"))

    def test_a_key_of_another_certificate(self):
        for name in ("one", "two"):
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x",
                            "-keyout", self.home.path(name + ".key"), "-out", self.home.path(name + ".pem")], check=True, capture_output=True)
        pem, key = self.home.path("one.pem"), self.home.path("two.key")
        said = self.cli("--cert", pem, "--key", key, "hello", status=3).err.decode()
        self.assertIn(f"cannot use the key in {key} with the certificate in {pem}", said)

    def test_wrong_usage(self):
        for arguments in ((), ("nothing",), ("create",), ("retrieve",), ("retrieve", "a", "b"), ("retrieve", "x", "--all"), ("update", "x"),
                          ("create", "--type", "T", "--element", "nofile"), ("create", "--type", "T", "--element", "e=/nonexistent"),
                          ("create", "--type", "T", "--attributes", "{"), ("create", "--type", "T", "--attributes", "[]"),
                          ("search",), ("search", "x", "--page", "y"), ("hello", "--type", "T"), ("--nothing", "hello"),
                          ("retrieve", "x", "--element", "e", "--range", "9-1"), ("--pin", "xyz", "hello")):
            with self.subTest(arguments):
                result = self.home.doip(self.port, *arguments)
                self.assertEqual(result.status, 2, result)
                self.assertTrue(result.err, "no word about what is wrong")
                self.assertEqual(result.out, b"")

    def test_no_connection(self):
        with socket.socket() as silent:
            silent.bind((doip.HOST, 0))
            result = self.home.doip(silent.getsockname()[1], "hello")
            self.assertEqual(result.status, 3, result)
            self.assertIn(b"refused", result.err)
        self.assertEqual(self.home.doip(1, "hello", host="no.such.host.invalid").status, 3)

    def test_a_broken_answer(self):
        for action, folder in (("Half", self.home.path("half")),):
            result = self.cli("call", SERVICE, "20.DOIP/Debug." + action, "-o", folder, status=3)
            self.assertFalse(os.path.exists(folder), result)

    def test_a_refused_retrieve_leaves_no_file(self):
        made = self.create({}, {"e": b"x"})
        for arguments in (("retrieve", made["id"], "--element", "none"), ("retrieve", "35.TEST/none", "--element", "e")):
            self.cli(*arguments, "-o", self.home.path("out"), status=1)
        self.cli("retrieve", "35.TEST/none", "--all", "-o", self.home.path("out"), status=1)
        self.assertFalse(os.path.exists(self.home.path("out")))
        self.assertEqual(os.listdir(self.home.dir), ["state"])

    def test_help_and_version(self):
        self.assertIn("retrieve", self.cli("--help").text)
        self.assertRegex(self.cli("--version").text, r"doip.* \d+\.\d+")

    def test_control_characters_never_reach_the_output(self):
        evil = "e\u001b[31mvil\u0007\u009b\u0085\r\n\u007f"
        made = self.create({"id": evil, "type": "Evil\u001b]0;x\u0007", "attributes": {evil: [evil, {"a\u001b": evil}]}})
        for arguments in (("retrieve", made["id"]), ("-j", "retrieve", made["id"]), ("search", "type:*"), ("search", "vil", "--ids"),
                          ("-j", "search", "vil"), ("call", made["id"], "20.DOIP/Debug.Info")):
            with self.subTest(arguments):
                result = self.home.doip(self.port, *arguments)
                self.assertIsNone(CONTROL.search(result.out + result.err), result)
        for json_output in (self.cli("-j", "retrieve", made["id"]),):
            self.assertEqual(json_output.json, made, "escaping must not change the value")
        failed = self.cli("retrieve", evil + "none", status=1)
        self.assertIsNone(CONTROL.search(failed.err), failed)


class Terminal(ClientCase):
    def on_terminal(self, *arguments):
        """What the command writes when standard error is a terminal."""
        needs_terminals(self)
        master, slave = pty.openpty()
        environment = dict(os.environ, HOME=self.home.dir, XDG_STATE_HOME=self.home.path("state"), TERM="xterm", LC_ALL="C.UTF-8")
        process = subprocess.Popen([CLIENT, "-s", f"{doip.HOST}:{self.port}", "-k", *arguments], stdin=slave, stdout=slave, stderr=slave,
                                   env=environment, preexec_fn=die_with_parent)
        os.close(slave)
        seen = b""
        while True:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
        os.close(master)
        return process.wait(30), seen

    def test_a_progress_bar_on_a_terminal_and_none_in_a_file(self):
        data = os.urandom(40 << 20)
        made = self.create({}, {"e": data})
        status, seen = self.on_terminal("retrieve", made["id"], "--element", "e", "-o", self.home.path("out"))
        self.assertEqual(status, 0, seen[-500:])
        with open(self.home.path("out"), "rb") as file:
            self.assertTrue(file.read() == data)
        result = self.cli("-k", "retrieve", made["id"], "--element", "e", "-o", self.home.path("out2"))
        self.assertEqual((result.out, result.err), (b"", b""))

    def test_evil_text_does_not_move_the_terminal(self):
        made = self.create({"type": "T", "attributes": {"a": "\u001b[2J\u0007evil"}})
        status, seen = self.on_terminal("retrieve", made["id"])
        self.assertEqual(status, 0)
        self.assertNotIn(b"\x07", seen)
        self.assertNotIn(b"\x1b[2J", seen)
