#!/usr/bin/python3
"""What people do with the packages, one step after the other, in the Debian that `run` has made: started by it, in namespaces of its
own, without a network but for the loopback. There is no systemd; doipd is started as its unit says.

usage: story.py ROOT
"""

import os
import pty
import re
import subprocess
import sys
import time
import traceback

FIRST, SECOND = "0.1.0+test1", "0.1.0+test2"
PACKAGES = ("libdoip0", "doipd", "doip", "libdoip-dev")
USERS = "etc/doipd/users.conf"
STATE = "var/lib/doipd"
READY = 30      # seconds until doipd must serve
SERVICE = "20.500.PKG/service"
OBJECT = "20.500.PKG/kept"
HOSTS = "127.0.0.1 localhost\n::1 localhost\n"  # which an installer writes, not debootstrap
BYTES = "bytes that outlive the package\n"


class Report:
    """TAP, and the counts at its end."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def step(self, function, *arguments):
        """Runs a step, which fails by an exception; whether it did not."""
        name = function.__name__.replace("_", " ")
        try:
            function(*arguments)
        except Exception:
            self.heard([f"not ok - {name}"] + [f"# {line}" for line in traceback.format_exc().splitlines()[-60:]])
            return False
        self.heard([f"ok - {name}"])
        return True

    def heard(self, lines):
        """Lines of TAP, with or without numbers, from here or elsewhere."""
        for line in lines:
            result = re.match(r"(not ok|ok)[ 0-9]* - (.*)", line)
            if result:
                self.passed += result[1] == "ok" and "# SKIP" not in line
                self.failed += result[1] != "ok"
                self.skipped += "# SKIP" in line
                line = f"{result[1]} {self.passed + self.failed + self.skipped} - {result[2]}"
            print(line, flush=True)

    def end(self):
        print(f"1..{self.passed + self.failed + self.skipped}")
        print(f"{self.passed} passed, {self.failed} failed" + (f", {self.skipped} skipped" if self.skipped else ""))
        return 1 if self.failed else 0


class System:
    """The Debian in a directory, and the doipd that runs in it."""

    def __init__(self, root):
        self.root = root
        self.daemon = None
        self.password = None
        self.users = None

    def path(self, name):
        return os.path.join(self.root, name)

    def text(self, name):
        with open(self.path(name)) as file:
            return file.read()

    def write(self, name, text):
        with open(self.path(name), "w") as file:
            file.write(text)

    def run(self, *command, status=0, **more):
        """What a command in there said, on both outputs."""
        done = subprocess.run(["chroot", self.root, *command], stdin=more.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, env=dict(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME="/root",
                              LC_ALL="C.UTF-8", DEBIAN_FRONTEND="noninteractive"), **more)
        assert done.returncode == status, f"{command} ended with status {done.returncode}, not {status}:\n{done.stdout}"
        return done.stdout

    def at_terminal(self, question, answer, *command):
        """What a command in there said to somebody who answers its question."""
        pid, end = pty.fork()
        if pid == 0:
            os.execvp("chroot", ["chroot", self.root, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "TERM=dumb",
                                 "DEBIAN_FRONTEND=teletype", *command])
        said, answered = b"", False
        try:
            while True:
                said += os.read(end, 4096)
                if not answered and question.encode() in said:
                    os.write(end, answer.encode() + b"\n")
                    answered = True
        except OSError:  # its end, of a terminal
            os.close(end)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert answered and status == 0, f"{command} ended with status {status}:\n{said.decode(errors='replace')}"
        return said.decode(errors="replace")

    def apt(self, *words):
        return self.run("apt-get", "-q", "-y", "--no-install-recommends", *words)

    def install(self, which):
        return self.apt("install", *(f"/packages/{which}/{name}_{FIRST if which == 'first' else SECOND}_{self.architecture()}.deb"
                                     for name in PACKAGES))

    def architecture(self):
        return self.run("dpkg", "--print-architecture").strip()

    def doip(self, *words, **more):
        return self.run("doip", *words, **more)

    def unit(self, key, otherwise):
        """A setting of doipd.service; of what systemd would do, its user and its command are what matters here."""
        found = re.findall(rf"^{key}=(.*)$", self.text("lib/systemd/system/doipd.service"), re.M)
        return found[-1] if found else otherwise

    def start(self):
        user = self.unit("User", "root")
        log = open(self.path("doipd.log"), "w")
        self.daemon = subprocess.Popen(["chroot", f"--userspec={user}:{self.unit('Group', user)}", self.root,
                                        *self.unit("ExecStart", "").split()], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY
        while "[serving]" not in self.text("doipd.log"):
            assert self.daemon.poll() is None and time.monotonic() < deadline, "doipd does not serve:\n" + self.text("doipd.log")
            time.sleep(0.05)

    def stop(self):
        self.daemon.terminate()
        assert self.daemon.wait(timeout=30) == 0, self.text("doipd.log")

    def as_admin(self, *words):
        return self.doip("-u", "admin", "--password-file", "/root/password", *words)

    def create(self, *words, **more):
        return self.doip(*words, "create", "--id", OBJECT, "--type", "Document", "--element", "text=/kept", **more)

    def retrieve(self):
        return self.doip("retrieve", OBJECT, "--element", "text")


def owned(system, name):
    at = os.stat(system.path(name))
    return at.st_uid, at.st_gid, at.st_mode & 0o7777


def account(system):
    uid, gid = re.search(r"^doipd:[^:]*:(\d+):(\d+):", system.text("etc/passwd"), re.M).groups()
    return int(uid), int(gid)


def listening():
    """(address, port) of every listening TCP socket, as the kernel writes them."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with open(table) as file:
            for line in file.readlines()[1:]:
                fields = line.split()
                if fields[3] == "0A":
                    address, port = fields[1].split(":")
                    yield address, int(port, 16)


def configure(system, lines):
    """As an administrator does: in the configuration file itself."""
    system.write("etc/doipd/doipd.conf", re.sub(r'^( *)id = "";', rf'\1id = "{lines}";', system.text("etc/doipd/doipd.conf"), count=1, flags=re.M))


# ---------------------------------------------------------------- the steps

def install_and_learn_the_password(system):
    said = system.install("first")
    system.password = re.search(r"^    (\S{20})$", said, re.M)[1]
    system.write("root/password", system.password + "\n")
    system.users = system.text(USERS)
    assert '$y$' in system.users and system.password not in system.users, system.users
    uid, gid = account(system)
    assert owned(system, USERS) == (0, gid, 0o640), owned(system, USERS)
    assert owned(system, STATE)[:2] == (uid, gid), owned(system, STATE)


def the_password_is_kept_nowhere(system):
    found = system.run("sh", "-c", "grep -rlF -e \"$(cat /root/password)\" /etc /var /usr/share || true").split()
    assert not [name for name in found if name != "/var/log/apt/term.log"], found


def the_installed_service_serves_this_host_only(system):
    system.run("doipd", "-t")
    system.start()
    assert sorted(listening()) == [("0" * 24 + "01000000", 9000), ("0100007F", 9000)], list(listening())
    assert "0.DOIP/" in system.doip("hello")
    assert "store" in system.run("doipctl", "handlers")
    system.stop()


def configured_it_serves_under_its_name(system):
    configure(system, SERVICE)
    system.start()
    assert SERVICE in system.doip("hello")


def who_is_nobody_may_not_create(system):
    system.write("kept", BYTES)
    assert "Status.102" in system.create(status=1)


def a_wrong_password_is_refused(system):
    system.write("root/wrong", "wrong\n")
    assert "Status.102" in system.create("-u", "admin", "--password-file", "/root/wrong", status=1)


def the_user_made_creates(system):
    assert OBJECT in system.create("-u", "admin", "--password-file", "/root/password")


def anybody_reads(system):
    assert system.retrieve() == BYTES
    assert OBJECT in system.doip("search", "type:Document", "--ids")


def a_handler_is_built_with_the_headers_and_loaded(system):
    """By this machine's compiler, against what the package has installed."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../README.md")) as file:
        source = re.search(r"^```c\n(#include <doip/handler.h>.*?)^```", file.read(), re.M | re.S)[1]
    place = system.run("sh", "-c", "echo /usr/lib/*/pkgconfig").strip()
    options = subprocess.run(["pkg-config", "--cflags", "--libs", "doip"], check=True, capture_output=True, text=True, env=dict(
        os.environ, PKG_CONFIG_LIBDIR=system.path(place[1:]), PKG_CONFIG_SYSROOT_DIR=system.root)).stdout.split()
    subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", system.path("usr/lib/doipd/handlers/greet.so"), "-", *options],
                   input=source, text=True, check=True)
    system.run("doipctl", "reload")
    assert "Ada" in system.as_admin("call", SERVICE, "20.EXAMPLE/Greet", "--input", '{"name": "Ada"}')
    os.unlink(system.path("usr/lib/doipd/handlers/greet.so"))
    system.run("doipctl", "reload")


def an_upgrade_leaves_what_runs_and_what_was_configured(system):
    said = system.install("second")
    assert "password" not in said, said
    assert system.text(USERS) == system.users
    assert SERVICE in system.text("etc/doipd/doipd.conf")
    assert system.retrieve() == BYTES
    assert SECOND in system.run("dpkg-query", "-W", "-f", "${Version}", "doipd")


def the_upgraded_service_has_the_objects_and_the_key(system):
    system.stop()
    system.start()
    assert system.retrieve() == BYTES
    system.stop()


def removing_leaves_configuration_and_data(system):
    system.apt("remove", "doipd")
    assert not os.path.exists(system.path("usr/sbin/doipd"))
    assert system.text(USERS) == system.users and SERVICE in system.text("etc/doipd/doipd.conf")
    assert os.path.exists(system.path(STATE + "/store")) and os.path.exists(system.path(STATE + "/tls/service.pem"))


def installed_again_it_goes_on(system):
    assert "password" not in system.install("second")
    system.start()
    assert system.retrieve() == BYTES
    system.as_admin("update", OBJECT, "--element", "more=/kept")
    system.stop()


def purging_leaves_the_data_where_nobody_says_otherwise(system):
    said = system.apt("purge", "doipd")
    assert f"/{STATE} stays" in said, said
    assert not os.path.exists(system.path("etc/doipd")), os.listdir(system.path("etc/doipd"))
    assert os.path.exists(system.path(STATE + "/store"))


def installed_anew_it_has_a_new_user(system):
    password = system.password
    system.write("root/password", re.search(r"^    (\S{20})$", system.install("second"), re.M)[1] + "\n")
    assert system.text("root/password").strip() != password
    configure(system, SERVICE)
    system.start()
    assert system.retrieve() == BYTES
    system.as_admin("delete", OBJECT)
    system.stop()


def purging_asks_and_with_consent_leaves_nothing(system):
    said = system.at_terminal("[yes/no]", "yes", "apt-get", "-q", "-y", "purge", *PACKAGES)
    assert "Remove all digital objects" in said, said
    assert not os.path.exists(system.path(STATE))
    left = system.run("sh", "-c", "find / -xdev -path /packages -prune -o -path /root -prune -o -name '*doip*' -print").split()
    assert left == ["/doipd.log"], left
    assert "doipd" not in system.run("debconf-show", "doipd")


STEPS = (install_and_learn_the_password, the_password_is_kept_nowhere, the_installed_service_serves_this_host_only,
         configured_it_serves_under_its_name, who_is_nobody_may_not_create, a_wrong_password_is_refused, the_user_made_creates,
         anybody_reads, a_handler_is_built_with_the_headers_and_loaded, an_upgrade_leaves_what_runs_and_what_was_configured,
         the_upgraded_service_has_the_objects_and_the_key, removing_leaves_configuration_and_data, installed_again_it_goes_on,
         purging_leaves_the_data_where_nobody_says_otherwise, installed_anew_it_has_a_new_user, purging_asks_and_with_consent_leaves_nothing)


def main():
    system = System(sys.argv[1])
    report = Report()
    subprocess.run(["mount", "--rbind", "/dev", system.path("dev")], check=True)
    system.write("etc/hosts", HOSTS)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for step in STEPS:
        if not report.step(step, system):
            break  # each builds on those before it
    if system.daemon is not None and system.daemon.poll() is None:
        system.daemon.kill()


if __name__ == "__main__":
    main()
