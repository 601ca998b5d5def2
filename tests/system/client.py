"""The command `doip` for tests: run as a user with a home of their own."""

import json
import os
import re
import shutil
import subprocess
import tempfile

import doip
from daemon import CLIENT, die_with_parent

# Control characters but tab and newline, C1 in UTF-8 among them.
CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]")


class Result:
    def __init__(self, done):
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def text(self):
        return self.out.decode()

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"<exit status {self.status}\nstdout: {self.out[:1500]!r}\nstderr: {self.err[:1500].decode(errors='replace')}>"


class Home:
    """A user's directory of their own, so that pins do not meet."""

    def __init__(self, case):
        self.dir = tempfile.mkdtemp(prefix="doip-home-")
        case.addCleanup(shutil.rmtree, self.dir, True)
        self.pins = os.path.join(self.dir, "state/doip/known_services")

    def path(self, name, data=None):
        path = os.path.join(self.dir, name)
        if data is not None:
            with open(path, "wb") as file:
                file.write(data)
        return path

    def doip(self, port, *arguments, stdin=None, host=doip.HOST, timeout=60):
        environment = dict(os.environ, HOME=self.dir, XDG_STATE_HOME=os.path.join(self.dir, "state"), LC_ALL="C.UTF-8")
        more = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        return Result(subprocess.run([CLIENT, "-s", f"{host}:{port}", *arguments], capture_output=True, env=environment,
                                     cwd=self.dir, timeout=timeout, preexec_fn=die_with_parent, **more))
