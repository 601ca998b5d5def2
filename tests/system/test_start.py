"""Starting the daemon: command line, configuration, and every way it can be refused."""

import json
import os
import pwd
import re
import signal
import socket
import subprocess

import doip
from base import Case
from daemon import DOIPD, SERVICE, alive, children, die_with_parent, until


def run_doipd(*arguments, **more):
    return subprocess.run([DOIPD, *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          preexec_fn=die_with_parent, **more)


class CommandLine(Case):
    def test_version(self):
        done = run_doipd("-V")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"^doipd \d+\.\d+")

    def test_wrong_usage(self):
        for arguments in (("-x",), ("-c",), ("-n", "-c", "/dev/null"), ("stray",), ("-o",), ("-o", "nonsense", "-n", "-T")):
            with self.subTest(arguments):
                done = run_doipd(*arguments)
                self.assertNotEqual(done.returncode, 0)
                self.assertTrue(done.stderr.strip(), "no word about what is wrong")

    def test_print_the_effective_configuration(self):
        made = self.make(start=False, options=["workers.threads=8", "service.name=overridden"])
        done = made.run("-T")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = {line.split("=")[0].strip(): line for line in done.stdout.splitlines() if "=" in line}
        self.assertRegex(done.stdout, r"(?m)^.*threads = 8\b.*-o")
        self.assertRegex(done.stdout, r'(?m)^.*name = "overridden".*-o')
        self.assertRegex(done.stdout, rf'(?m)^.*id = "{SERVICE}".*{re.escape(made.conf)}:\d+')
        self.assertRegex(done.stdout, r'(?m)^.*idle = 300\b.*default')
        self.assertIn("state_directory", lines)
        again = self.make(start=False)
        again.write(done.stdout)
        self.assertEqual(again.run("-T").returncode, 0, "what -T prints can't be read back")
        self.assertFalse(os.path.exists(made.state), "-T changed something")

    def test_no_configuration_at_all(self):
        done = run_doipd("-n", "-T")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("127.0.0.1:9000", done.stdout)
        empty = self.make(start=False)
        empty.write("")
        done = empty.run("-T")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_serve_without_a_file(self):
        made = self.make(start=False, handlers=("debug",))
        made.command = lambda *more: [DOIPD, "-n", "-o", f'listen=( "{doip.HOST}:{made.port}" )', "-o", "user=root", "-o",
                                      f"state_directory={made.state}", "-o", f"handlers_directory={made.handlers}", *more]
        made.start()
        info = made.request(doip.HELLO).output
        self.assertTrue(info["id"].startswith("0.DOIP/"), info)
        self.assertIn(info["id"], made.log(), "an assumed service id deserves a warning")
        made.stop()

    def test_nobody_stands_in_for_a_missing_default_user(self):
        names = {entry.pw_name for entry in pwd.getpwall()}
        if os.geteuid() != 0 or "doipd" in names or "nobody" not in names:
            self.skipTest("needs root, nobody, and no user doipd")
        made = self.make(start=False, handlers=("debug",))
        del made.settings["user"]
        made.write()
        made.start()
        self.assertIn("there is no user doipd", made.log())
        nobody = pwd.getpwnam("nobody").pw_uid
        self.assertEqual({os.stat(f"/proc/{pid}").st_uid for pid in made.workers()}, {nobody})
        made.stop()
        made.change({"user": "doipd"})
        self.start_error(made, "there is no user")

    def test_check_accepts_and_changes_nothing(self):
        made = self.make(start=False)
        before = sorted(os.listdir(made.dir))
        done = made.run("-t")
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        self.assertEqual(sorted(os.listdir(made.dir)), before)

    def test_check_works_beside_a_running_daemon(self):
        made = self.make()
        workers = made.workers()
        for _ in range(2):
            self.assertEqual(made.run("-t").returncode, 0)
        self.assertEqual(made.workers(), workers)
        self.ok(made.request(doip.HELLO))

    def test_check_calls_no_open(self):
        made = self.make(start=False, settings={"handler": {"debug": {"options": {"fail_open": "opened!"}}}})
        done = made.run("-t")
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)

    def test_check_finds_what_a_start_would(self):
        """(what is wrong, settings, words)"""
        for name, settings, words in (
                ("a handler without a file", {"handler": {"absent": {"targets": ["*"]}}}, ["absent"]),
                ("an unknown option", {"handler": {"debug": {"options": {"colour": "red"}}}}, ["colour", "debug"]),
                ("a missing certificate", {"tls": {"certificate": "/nonexistent/c.pem", "key": "/nonexistent/k.pem"}},
                 ["/nonexistent/c.pem"]),
                ("an unknown user", {"user": "nobody-of-that-name"}, ["nobody-of-that-name"]),
                ("a missing handlers directory", {"handlers_directory": "/nonexistent/handlers"}, ["/nonexistent/handlers"])):
            if "user" in settings and os.geteuid() != 0:
                continue  # only root changes its user
            with self.subTest(name):
                made = self.make(start=False, settings=settings)
                done = made.run("-t")
                self.assertEqual(done.returncode, 1, done.stderr + done.stdout)
                for word in words:
                    self.assertIn(word, done.stderr)
                self.start_error(made, *words)

    def test_overrides(self):
        made = self.make(options=["service.id=35.OVER/RIDE", "workers.processes=3"])
        self.assertEqual(made.request(doip.HELLO).output["id"], "35.OVER/RIDE")
        self.assertEqual(len(made.workers()), 3)


class Background(Case):
    """Without -f: the command returns when the service is ready, or with the reason why not."""

    def background(self, **named):
        made = self.make(start=False, **named)
        made.pid_file = made.path("doipd.pid")
        made.change({"pid_file": made.pid_file})
        self.addCleanup(self.end, made)
        return made

    def pid_of(self, made):
        try:
            with open(made.pid_file) as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):
            return None

    def end(self, made):
        """Ends what this test's configuration file names, whatever became of its pid file."""
        for name in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{name}/cmdline") as file:
                    if made.conf in file.read().split("\0"):
                        os.kill(int(name), signal.SIGKILL)
            except (FileNotFoundError, ProcessLookupError):
                pass

    def test_it_returns_when_ready(self):
        made = self.background()
        done = made.run()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.ok(made.request(doip.HELLO))
        pid = self.pid_of(made)
        self.assertTrue(alive(pid))
        self.assertNotEqual(os.getsid(pid), os.getsid(0), "still in the starter's session")
        workers = children(pid)
        self.assertEqual(len(workers), 2)
        os.kill(pid, signal.SIGTERM)
        until(lambda: not alive(pid), "the daemon to end", 30)
        until(lambda: not [w for w in workers if alive(w)], "the workers to end")
        self.assertFalse(os.path.exists(made.pid_file), "the pid file stays behind")

    def test_a_reason_when_it_can_not_start(self):
        for settings, word in (({"handler": {"debug": {"options": {"fail_open": "no luck today"}}}}, "no luck today"),
                               ({"handler": {"debug": {"options": {"crash_open": True}}}}, "debug"),
                               ({"handler": {"debug": {"options": {"number": "x"}}}}, "number"),
                               ({"unknown_key": 1}, "unknown_key")):
            with self.subTest(word):
                made = self.background(settings=settings)
                done = made.run()
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(word, done.stderr)
                until(lambda made=made: not (self.pid_of(made) and alive(self.pid_of(made))), "the daemon to be gone")

    def test_a_port_that_is_taken(self):
        made = self.background()
        with socket.socket() as holder:
            holder.bind((doip.HOST, made.port))
            holder.listen()
            done = made.run()
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(made.port), done.stderr)
        self.assertIn("Address already in use", done.stderr)


class BadStart(Case):
    """A start that can't be: exit status 1, and a message that names the thing."""

    def test_a_port_taken(self):
        made = self.make(start=False)
        with socket.socket() as holder:
            holder.bind((doip.HOST, made.port))
            holder.listen()
            self.start_error(made, str(made.port), "Address already in use")

    def test_certificates_that_can_not_be_used(self):
        made = self.make(start=False)
        garbage = made.path("garbage.pem")
        with open(garbage, "w") as file:
            file.write("not a certificate\n")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a",
                        "-keyout", made.path("a.key"), "-out", made.path("a.pem")], check=True, capture_output=True)
        subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", made.path("b.key")], check=True, capture_output=True)
        for name, certificate, key, word in (("missing", "/nonexistent/c", "/nonexistent/k", "/nonexistent/c"),
                                             ("garbage", garbage, made.path("a.key"), "garbage.pem"),
                                             ("garbage as key", made.path("a.pem"), garbage, "garbage.pem"),
                                             ("another's key", made.path("a.pem"), made.path("b.key"), "b.key"),
                                             ("no key", made.path("a.pem"), "", "tls.key")):
            with self.subTest(name):
                made.change({"tls": {"certificate": certificate, "key": key}})
                self.start_error(made, word)

    def test_handlers_that_can_not_be_loaded(self):
        """(the handler, words of the message): four kinds of mismatch give four messages."""
        messages = {}
        for name, words in (("nodescriptor", ["DOIP_HANDLER"]), ("badmagic", []), ("badabi", ["42"]), ("badsize", []),
                            ("badname", ["othername"]), ("openfails", ["the moon is in the wrong phase for " + SERVICE]),
                            ("unresolved", ["function_that_nobody_has"])):
            with self.subTest(name):
                made = self.make(start=False, handlers=("store", name))
                log = self.start_error(made, name, *words)
                messages[name] = re.sub(name, "NAME", "\n".join(l for l in log.splitlines() if name in l))
        kinds = [re.sub(r"\d+", "N", messages[name]) for name in ("nodescriptor", "badmagic", "badabi", "badsize", "badname")]
        self.assertEqual(len(set(kinds)), 5, messages)

    def test_files_that_are_no_shared_objects(self):
        for name, content in (("empty", b""), ("text", b"not ELF\n"), ("cut", None)):
            with self.subTest(name):
                made = self.make(start=False)
                if content is None:
                    with open(os.path.join(made.handlers, "store.so"), "rb") as file:
                        content = file.read()[:5000]
                with open(os.path.join(made.handlers, name + ".so"), "wb") as file:
                    file.write(content)
                self.start_error(made, name + ".so")

    def test_open_that_goes_wrong(self):
        for option, value, words in (("fail_open", "out of paper", ["debug", "out of paper"]), ("fail_silently", True, ["debug"]),
                                     ("crash_open", True, ["debug"]), ("exit_open", True, ["debug"])):
            with self.subTest(option):
                made = self.make(start=False, settings={"handler": {"debug": {"options": {option: value}}}})
                self.start_error(made, *words)

    def test_a_handler_that_others_may_write(self):
        if os.geteuid() != 0:
            self.skipTest("only checked for root")
        made = self.make(start=False, settings={"user": "nobody"})
        path = os.path.join(made.handlers, "debug.so")
        for mode in (0o666, 0o662, 0o664):
            os.chmod(path, mode)
            self.start_error(made, "debug.so")
        os.chmod(path, 0o644)
        os.chmod(made.handlers, 0o777)
        self.start_error(made, made.handlers)
        os.chmod(made.handlers, 0o755)
        os.chown(path, pwd.getpwnam("nobody").pw_uid, 0)
        self.start_error(made, "debug.so")
        os.chown(path, 0, 0)
        self.addCleanup(made.stop)
        made.start()

    def test_a_state_directory_that_can_not_be(self):
        made = self.make(start=False)
        with open(made.path("file"), "w"):
            pass
        made.change({"state_directory": made.path("file")})
        self.start_error(made, made.path("file"))


class Configuration(Case):
    """Errors name file, line and key, also after comments and in included files."""

    COMMENTS = "# a comment\n// another\n/* one\n over\n lines */\n\n"
    # (what is wrong, the line itself, words)
    ERRORS = (("unknown key", "colour = 1", ["colour"]),
              ("unknown key in a group", "tls = { colour = 1 }", ["colour"]),
              ("wrong type", 'workers = { threads = "many" }', ["workers.threads"]),
              ("wrong kind", "workers = 5", ["workers"]),
              ("out of bounds", "workers = { threads = 1 }", ["workers.threads"]),
              ("far out of bounds", "workers = { threads = 99999999999L }", ["workers.threads"]),
              ("not one of the choices", 'log = { level = "loud" }', ["log.level"]),
              ("a bad size", 'limits = { unread = "lots" }', ["limits.unread"]),
              ("a bad address", 'listen = ( "nowhere" )', ["listen"]),
              ("a duplicate", "pid_file = \"/a\"; pid_file = \"/b\"", ["pid_file"]),
              ("bad syntax", "user = = 1", []),
              ("an endless string", 'pid_file = "/a', []),
              ("an unknown key of a handler", "handler = { debug = { colour = 1 } }", ["colour"]),
              ("an unknown option", 'handler = { debug = { options = { colour = "x" } } }', ["colour"]),
              ("an option of a wrong type", 'handler = { debug = { options = { number = "x" } } }', ["number"]),
              ("targets of a wrong type", "handler = { debug = { targets = 5 } }", ["targets"]))

    def minimal(self, made):
        return "".join(f"{key} = {value}\n" for key, value in (
            ("user", '"root"'), ("state_directory", f'"{made.state}"'), ("handlers_directory", f'"{made.handlers}"')))

    def check(self, made, place, words):
        done = made.run("-t")
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(place + ":", done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_errors_after_comments_name_file_line_and_key(self):
        made = self.make(start=False)
        before = self.minimal(made) + self.COMMENTS
        for name, line, words in self.ERRORS:
            with self.subTest(name):
                made.write(before + line + "\n")
                self.check(made, f"{made.conf}:{before.count(chr(10)) + 1}", words)

    def test_errors_in_an_included_file(self):
        made = self.make(start=False)
        included = made.path("more.cfg")
        made.write(self.minimal(made) + f'# before\n@include "{included}"\n# after\n')
        for name, line, words in self.ERRORS:
            with self.subTest(name):
                made.write(self.COMMENTS + line + "\n", name=included)
                self.check(made, f"{included}:{self.COMMENTS.count(chr(10)) + 1}", words)

    def test_errors_after_an_included_file(self):
        made = self.make(start=False)
        included = made.path("more.cfg")
        made.write("# 1\n# 2\n# 3\n" + 'pid_file = ""\n', name=included)
        made.write(self.minimal(made) + f'@include "{included}"\n# a comment\ncolour = 1\n')
        self.check(made, f"{made.conf}:6", ["colour"])

    def test_errors_in_conf_d(self):
        made = self.make(start=False)
        os.mkdir(made.path("conf.d"))
        made.write("# fine\n\ncolour = 1\n", name=made.path("conf.d/10-a.conf"))
        self.check(made, made.path("conf.d/10-a.conf") + ":3", ["colour"])

    def test_conf_d_overrides_key_by_key_in_name_order(self):
        made = self.make(start=False)
        os.mkdir(made.path("conf.d"))
        made.write('service = { name = "two" }\nworkers = { processes = 3 }\n', name=made.path("conf.d/20.conf"))
        made.write('service = { name = "one" description = "kept" }\n', name=made.path("conf.d/10.conf"))
        made.write("nonsense", name=made.path("conf.d/30.conf.bak"))
        self.addCleanup(made.stop)
        made.start()
        info = made.request(doip.HELLO).output
        self.assertEqual((info["id"], info["attributes"]["serviceName"], info["attributes"]["serviceDescription"]),
                         (SERVICE, "two", "kept"))
        self.assertEqual(len(made.workers()), 3)

    def test_a_missing_file_and_a_missing_include(self):
        done = run_doipd("-t", "-c", "/nonexistent/doipd.conf")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/doipd.conf", done.stderr)
        made = self.make(start=False)
        made.write('# one\n@include "/nonexistent/more.cfg"\n')
        done = made.run("-t")
        self.assertEqual(done.returncode, 1)
        self.assertIn("/nonexistent/more.cfg", done.stderr)

    def test_an_error_in_an_override(self):
        made = self.make(start=False, options=["workers.threads=none"])
        done = made.run("-t")
        self.assertEqual(done.returncode, 1)
        self.assertIn("-o", done.stderr)
        self.assertIn("workers.threads", done.stderr)

    def test_a_disabled_handler_is_not_loaded(self):
        made = self.make(handlers=("store", "debug", "badmagic"),
                         settings={"handler": {"badmagic": {"enabled": False}, "debug": {"enabled": False}, "nofile": {"enabled": False}}})
        self.status(made.debug("Pid"), doip.DECLINED)
        self.ok(made.request(doip.HELLO))

    def test_a_handler_without_a_section_is_loaded(self):
        made = self.make(handlers=("debug",))
        made.install("store")
        made.change({"state_directory": made.state})
        made.reload()
        self.ok(made.debug("Pid"))

    def test_log_as_json(self):
        made = self.make(settings={"log": {"format": "json", "level": "debug"}})
        self.ok(made.request(doip.HELLO, id="x"))
        made.wait_log("Op.Hello")
        made.stop()
        for line in made.log().splitlines():
            self.assertIsInstance(json.loads(line), dict)

    def test_log_without_access_lines(self):
        made = self.make(settings={"log": {"access": False}})
        self.ok(made.request(doip.HELLO))
        made.stop()
        self.assertNotIn("Op.Hello", made.log())

    def test_access_lines(self):
        made = self.make()
        self.status(made.request(doip.RETRIEVE, "35.TEST/none"), doip.UNKNOWN)
        made.wait_log(r"127\.0\.0\.1:\d+.*0\.DOIP/Op\.Retrieve.*35\.TEST/none.*0\.DOIP/Status\.104")
