"""Starts that are refused for what a service finds on its host, and requests that are for what it has: each with what to do about it."""

import os
import shutil
import socket
import subprocess

import doip
from base import Case
from daemon import DOIPD, SERVICE, hashed
from test_control import control_path


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


class Start(Case):
    def refused(self, settings, *words):
        self.start_error(self.make(start=False, handlers=("debug",), settings=settings), *words)

    def test_a_pid_file_that_is_taken(self):
        pid_file = self.make(start=False).path("pid")
        made = self.make(start=False, handlers=("debug",), settings={"pid_file": pid_file})
        made.start()
        self.refused({"pid_file": pid_file}, pid_file, "belongs to a doipd that runs: stop it, or set another")
        self.ok(made.request(doip.HELLO))
        made.stop()
        self.assertFalse(os.path.exists(pid_file))

    def test_a_pid_file_that_can_not_be(self):
        self.refused({"pid_file": "/nonexistent/doipd.pid"}, "can't write /nonexistent/doipd.pid: No such file")

    def test_an_address_of_another_host(self):
        self.refused({"listen": ["192.0.2.1:9000"]}, "can't listen on 192.0.2.1:9000", "this host does not have that address: correct `listen`")

    def test_a_ca_that_can_not_be_used(self):
        self.refused({"tls": {"client_ca": "/nonexistent/ca.pem"}}, "tls.client_ca: can't read /nonexistent/ca.pem: No such file")
        self.refused({"tls": {"client_ca": "/dev/null"}}, "tls.client_ca: /dev/null holds no usable certificate in PEM")

    def test_no_directory_of_handlers(self):
        made = self.make(start=False, handlers=())
        made.change({"handlers_directory": made.path("nowhere")})
        made.start()
        self.assertIn(f"handlers_directory {made.path('nowhere')} does not exist", made.log())
        self.ok(made.request(doip.HELLO))
        made.stop()


class Kept(Case):
    """The self-made certificate, when something happened to its file."""

    def setUp(self):
        super().setUp()
        self.made = self.make(start=False, handlers=("debug",))
        self.made.start()
        self.made.stop()
        self.file = os.path.join(self.made.state, "tls/service.pem")

    def test_others_may_read_it(self):
        os.chmod(self.file, 0o644)
        self.start_error(self.made, self.file, "must be a file of the user that starts doipd, with mode 0600")

    def test_it_is_none(self):
        write(self.file, "nothing", 0o600)
        self.start_error(self.made, self.file, "remove it to have a new one made")

    def test_it_is_no_file(self):
        os.remove(self.file)
        os.mkdir(self.file)
        self.start_error(self.made, self.file)

    def test_a_link_is_not_followed(self):
        other = self.made.path("other.pem")
        shutil.move(self.file, other)
        os.symlink(other, self.file)
        self.start_error(self.made, self.file)

    def test_it_is_of_another_service(self):
        self.made.change({"service": {"id": "35.TEST/another"}})
        self.made.start()
        self.assertIn(f"the kept certificate names {SERVICE}, the service is 35.TEST/another: remove {self.file}", self.made.log())
        self.made.stop()


class CommandLine(Case):
    def test_help(self):
        done = subprocess.run([DOIPD, "-h"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("usage: doipd [-c FILE | -n]", done.stdout)

    def test_a_broken_configuration(self):
        made = self.make(start=False)
        made.write("user = = 1\n")
        for option in ("-t", "-T", "--check-certificate"):
            done = made.run(option)
            self.assertEqual((done.returncode, done.stdout), (1, ""), option)
            self.assertIn(f"{made.conf}:1: user: syntax error", done.stderr, option)


class Requests(Case):
    def test_who_is_known_but_may_not(self):
        users = [{"id": "20.T/alice", "password_hash": hashed("pw")}]
        made = self.make(settings={"users": users, "access": {"authenticated": ["Hello"]}})
        alice = {"username": "20.T/alice", "password": "pw"}
        self.ok(made.request(doip.HELLO, authentication=alice))
        self.status(made.request(doip.LIST, SERVICE, authentication=alice), doip.FORBIDDEN, "20.T/alice may not call 0.DOIP/Op.ListOperations here.")
        made.stop()

    def test_operations_of_an_object_that_nobody_serves(self):
        made = self.make(handlers=())
        self.status(made.request(doip.LIST, "35.TEST/x"), doip.UNKNOWN, "No object 35.TEST/x is known here.")
        made.stop()

    def test_the_control_socket_names_its_refusals(self):
        made = self.make(handlers=("debug",))
        for line, words in (("status now", "status takes no argument"), ("dance", 'there is no command "dance"')):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(20)
                peer.connect(control_path(made))
                peer.sendall(line.encode() + b"\n")
                with peer.makefile() as answer:
                    self.assertIn(words, answer.read())
        made.stop()

