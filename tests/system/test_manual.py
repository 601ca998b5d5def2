"""What README.md and the manual tell a newcomer to type, typed: a first session, an installation, a first handler."""

import os
import re
import shutil
import signal
import subprocess

import doip
import manual
from base import Case
from client import Home
from daemon import BUILD, CLIENT, SERVICE, TREE, die_with_parent, free_port, hashed

LAYOUT = ("sbin/doipd", "sbin/doipctl", "bin/doip", "lib/libdoip.so", "lib/libdoip.so.0", "lib/pkgconfig/doip.pc", "include/doip/handler.h",
          "lib/doipd/handlers/store.so", "lib/systemd/system/doipd.service", "lib/systemd/system/doipd.socket", "lib/sysusers.d/doipd.conf", "lib/tmpfiles.d/doipd.conf", "etc/doipd/doipd.conf",
          "share/man/man1/doip.1", "share/man/man3/doip-handler.3", "share/man/man5/doipd.conf.5", "share/man/man7/doipd-store.7",
          "share/man/man8/doipd.8", "share/man/man8/doipctl.8")


def shell(command, **more):
    done = subprocess.run(command, shell=True, text=True, timeout=80, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)
    return done.returncode, done.stdout


def build_has(word):
    with open(os.path.join(BUILD, "flags")) as file:
        return word in file.read()


class Newcomer(Case):
    def typed(self, block, port, client, cwd):
        """Types a session of the manual, with `client` for its doip, and compares what comes."""
        home = Home(self)
        password = home.path("password", b"the password of demo\n")
        program = home.path("doip", f'#!/bin/sh\nexec "{client}" -s "localhost:{port}" "$@"\n'.encode())
        os.chmod(program, 0o755)
        environment = dict(os.environ, HOME=home.dir, XDG_STATE_HOME=home.path("state"), LC_ALL="C.UTF-8",
                           PATH=home.dir + ":" + os.environ["PATH"])
        if "first connection" not in block:
            shell("doip hello", cwd=cwd, env=environment)
        for command, output in manual.session(block):
            real = command.replace("build/doip", "doip").replace("/tmp/", home.dir + "/").replace("build/run/password", password)
            _, printed = shell(real, cwd=cwd, env=environment)
            self.assertRegex(printed, r"\A" + manual.pattern(output, port), f"what `{command}` of the manual prints")


class Session(Newcomer):
    def test_the_session_of_the_readme(self):
        made = self.make(handlers=("store",), settings={"access": {"anonymous": ["Hello", "ListOperations", "Retrieve", "Search"]},
                                                        "users": [{"id": "20.500.DEMO/user", "name": "demo",
                                                                   "password_hash": hashed("the password of demo")}],
                                                        "service": {"id": "20.500.DEMO/service"},
                                                        "handler": {"store": {"options": {"prefix": ""}}}})
        blocks = [block for block in manual.readme("console") if "build/doip search" in block]
        self.assertEqual(len(blocks), 1)
        self.typed(blocks[0], made.port, CLIENT, TREE)

    def test_the_commands_it_names_are_those_of_bootstrap(self):
        _, usage = shell("./bootstrap help", cwd=TREE)
        for command in set(re.findall(r"\./bootstrap (\w+)", manual.text("README.md"))):
            self.assertIn(f"./bootstrap {command} ", usage)


class Bootstrap(Newcomer):
    """`./bootstrap run` in a tree of its own, with what was built already; there is a space in its name."""

    seconds = 200
    weight = 4

    def setUp(self):
        if build_has("-fsanitize"):
            self.skipTest("bootstrap runs no sanitizer build")
        self.home = Home(self)
        self.tree = self.home.path("a clone")
        os.mkdir(self.tree)
        for name in os.listdir(TREE):
            if name not in ("build", ".git"):
                os.symlink(os.path.join(TREE, name), os.path.join(self.tree, name))
        os.unlink(os.path.join(self.tree, "bootstrap"))
        shutil.copy2(os.path.join(TREE, "bootstrap"), self.tree)
        build = os.path.join(self.tree, "build")
        shutil.copytree(BUILD, build, symlinks=True, ignore=shutil.ignore_patterns("tests", "run"))
        for name in ("configure", "config.status", "config.h", "config.mk"):
            shutil.copy2(os.path.join(TREE, "build", name), build)
        self.environment = dict(os.environ, HOME=self.home.dir, XDG_STATE_HOME=self.home.path("state"), LC_ALL="C.UTF-8")
        self.port = free_port()

    def bootstrap(self, *arguments):
        done = subprocess.run(["./bootstrap", *arguments], cwd=self.tree, env=self.environment, timeout=120,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return done.returncode, done.stdout

    def serve(self):
        """Starts it from another directory; the command it says to try."""
        self.process = subprocess.Popen([os.path.join(self.tree, "bootstrap"), "run", f"--port={self.port}"], cwd="/",
                                        env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, start_new_session=True, preexec_fn=die_with_parent)
        self.addCleanup(self.end)
        said, found = "", None
        while "notice: serving" not in said:
            line = self.process.stdout.readline()
            self.assertTrue(line, f"bootstrap ended: {said}")
            said += line
            found = found or re.match(r"    (.*/build/doip .*)\n", line)
        self.assertTrue(found, said)
        return found[1]

    def end(self):
        """Ctrl-C: the whole foreground group gets it."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
        if not self.process.stdout.closed:
            self.process.stdout.read()
            self.process.stdout.close()
        return self.process.wait(30)

    def test_run_again_finds_what_was_stored(self):
        status, said = shell(self.serve(), cwd="/", env=self.environment)
        self.assertEqual(status, 0, said)
        made = re.search(r"(?m)^id: (20\.500\.DEMO/\S+)$", said)[1]
        status, second = self.bootstrap("run", f"--port={free_port()}")
        self.assertEqual(status, 1, second)
        self.assertIn(f"process {self.process.pid} serves from build/run/ already", second)
        self.assertEqual(self.end(), 0)
        self.serve()
        status, said = shell(f"build/doip -s localhost:{self.port} retrieve {made} --element readme | cmp - README.md", cwd=self.tree,
                             env=self.environment)
        self.assertEqual((status, said), (0, ""))
        self.assertEqual(self.end(), 0)

    def test_wrong_usage(self):
        for arguments in (("frob",), ("run", "--port"), ("run", "--port", "0"), ("run", "--port=70000"), ("run", "9000"), ("check", "x")):
            with self.subTest(arguments):
                status, said = self.bootstrap(*arguments)
                self.assertEqual(status, 2, said)
                self.assertIn("usage: ./bootstrap", said)


class Installed(Newcomer):
    """`make install`, then the first handlers of README.md and doip-handler(3), built and put there as these say."""

    seconds = 300
    weight = 5

    def setUp(self):
        if build_has("-fsanitize"):
            self.skipTest("a sanitizer build is not installed")

    def install(self, made):
        """Installs what was built, from a copy: whatever make finds to do there disturbs no other test."""
        build, self.prefix, self.work = made.path("build"), made.path("usr"), made.path("work")
        os.mkdir(self.work)
        shutil.copytree(BUILD, build, symlinks=True, ignore=shutil.ignore_patterns("tests", "run"))
        self.make_command = ["make", "-s", "-C", TREE, f"B={build}", "DESTDIR=", f"PREFIX={self.prefix}"]
        self.make_target("install")
        self.handlers = os.path.join(self.prefix, "lib/doipd/handlers")
        self.environment = dict(os.environ, PKG_CONFIG_PATH=os.path.join(self.prefix, "lib/pkgconfig"))

    def make_target(self, target):
        done = subprocess.run(self.make_command + [target], capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def daemon_of_the_installation(self):
        made = self.make(start=False, handlers=())
        self.install(made)
        made.change({"handlers_directory": self.handlers})
        made.command = lambda *more: [os.path.join(self.prefix, "sbin/doipd"), "-c", made.conf, *more]
        self.addCleanup(made.stop)
        made.start()
        return made

    def build_and_put(self, source, commands):
        """Does what an author does up to the reload."""
        with open(os.path.join(self.work, "greet.c"), "w") as file:
            file.write(source)
        lines = commands.splitlines()
        self.assertRegex(lines[0], r"^cc .* -o greet\.so greet\.c ")
        self.assertRegex(lines[1], r"^install ")
        lines[0] = lines[0].replace("cc ", "cc -Wall -Wextra -Wshadow -Werror ", 1)
        for line in lines[:2]:
            status, said = shell(line.replace("/usr/lib/doipd/handlers", self.handlers), cwd=self.work, env=self.environment)
            self.assertEqual((status, said), (0, ""), line)

    def test_install_first_handlers_uninstall(self):
        made = self.daemon_of_the_installation()
        for path in LAYOUT:
            self.assertTrue(os.path.exists(os.path.join(self.prefix, path)), f"{path} was not installed")
        self.assertEqual(os.listdir(self.handlers), ["store.so"])
        said = subprocess.run([os.path.join(self.prefix, "sbin/doipctl"), "-h"], capture_output=True, text=True, timeout=20).stdout
        self.assertIn(os.path.join(self.prefix, "etc/doipd/doipd.conf"), said)
        self.assertFalse(os.path.exists(os.path.join(self.prefix, "var/lib/doipd")), "the daemon makes it, for its user")
        self.status(made.request("20.EXAMPLE/Greet", SERVICE), doip.DECLINED)
        self.of_the_readme(made)
        self.of_the_page(made)
        self.every_block_compiles()
        made.stop()
        os.unlink(os.path.join(self.handlers, "greet.so"))
        self.make_target("uninstall")
        left = [os.path.join(folder, n) for folder, _, names in os.walk(self.prefix) for n in names]
        self.assertEqual(left, [os.path.join(self.prefix, "etc/doipd/doipd.conf")])

    def of_the_readme(self, made):
        source, = manual.readme("c")
        self.assertLessEqual(len(source.splitlines()), 22, "the README promises a short one")
        self.build_and_put(source, manual.readme("sh")[0])
        self.assertEqual(made.run("-t").returncode, 0)
        made.reload()
        asked, = [block for block in manual.readme("console") if "Greet" in block]
        self.typed(asked.replace("20.500.123/service", SERVICE), made.port, os.path.join(self.prefix, "bin/doip"), self.work)
        self.assertIn("20.EXAMPLE/Greet", made.request(doip.LIST, SERVICE).output)
        self.status(made.request("20.EXAMPLE/Greet", SERVICE, ["a string"]), doip.INVALID, "name")
        self.status(made.request("20.EXAMPLE/Other", SERVICE), doip.DECLINED)

    def of_the_page(self, made):
        blocks = manual.page("man/doip-handler.3")
        source, = [block for block in blocks if "DOIP_HANDLER(" in block]
        commands, = [block for block in blocks if "install -m" in block]
        self.build_and_put(source, commands)
        made.reload()
        self.assertEqual(self.ok(made.request("20.EXAMPLE/Greet", SERVICE)).output, {"hello": "world"})
        self.assertEqual(self.ok(made.request("20.EXAMPLE/Greet", SERVICE, attributes={"name": "you"})).output, {"hello": "you"})
        self.status(made.request("20.EXAMPLE/Other", SERVICE), doip.DECLINED)

    def every_block_compiles(self):
        """The other pieces of C in doip-handler(3), with what they take for granted before them."""
        given = ("#include <doip/handler.h>\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n"
                 "doip_result publish(FILE *file, const char *name);\n")
        blocks = [block for block in manual.page("man/doip-handler.3") if re.search(r"^(static|DOIP_EXPORT) ", block, re.M)]
        self.assertGreaterEqual(len(blocks), 4)
        for number, block in enumerate(blocks):
            with open(os.path.join(self.work, f"block{number}.c"), "w") as file:
                file.write(given + block)
            status, said = shell(f"cc -Wall -Wextra -Werror -Wno-unused -c -fPIC block{number}.c $(pkg-config --cflags doip)",
                                 cwd=self.work, env=self.environment)
            self.assertEqual((status, said), (0, ""), block)
