"""What README.md and the manual tell a newcomer to type, typed: a first session, an installation, a first handler."""

import os
import re
import shutil
import subprocess

import doip
import manual
from base import Case
from client import Home
from daemon import BUILD, CLIENT, SERVICE, TREE

LAYOUT = ("sbin/doipd", "bin/doip", "lib/libdoip.so", "lib/libdoip.so.0", "lib/pkgconfig/doip.pc", "include/doip/handler.h",
          "lib/doipd/handlers/store.so", "lib/systemd/system/doipd.service", "lib/sysusers.d/doipd.conf", "etc/doipd/doipd.conf",
          "share/man/man1/doip.1", "share/man/man3/doip-handler.3", "share/man/man5/doipd.conf.5", "share/man/man7/doipd-store.7",
          "share/man/man8/doipd.8")


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
        program = home.path("doip", f'#!/bin/sh\nexec "{client}" -s "localhost:{port}" "$@"\n'.encode())
        os.chmod(program, 0o755)
        environment = dict(os.environ, HOME=home.dir, XDG_STATE_HOME=home.path("state"), LC_ALL="C.UTF-8",
                           PATH=home.dir + ":" + os.environ["PATH"])
        for command, output in manual.session(block):
            real = command.replace("build/doip", "doip").replace("/tmp/", home.dir + "/")
            _, printed = shell(real, cwd=cwd, env=environment)
            self.assertRegex(printed, r"\A" + manual.pattern(output, port), f"what `{command}` of the manual prints")


class Session(Newcomer):
    def test_the_session_of_the_readme(self):
        made = self.make(handlers=("store",), settings={"service": {"id": "20.500.DEMO/service"},
                                                        "handler": {"store": {"options": {"prefix": ""}}}})
        blocks = [block for block in manual.readme("console") if "build/doip create" in block]
        self.assertEqual(len(blocks), 1)
        self.typed(blocks[0], made.port, CLIENT, TREE)

    def test_the_commands_it_names_are_those_of_bootstrap(self):
        _, usage = shell("./bootstrap help", cwd=TREE)
        for command in set(re.findall(r"\./bootstrap (\w+)", manual.text("README.md"))):
            self.assertIn(f"./bootstrap {command} ", usage)


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
