"""The servers that are compared: doipd, nginx, and a doip_sdk server, each started on a loopback port with the same certificates, and ended by pid.

Each is the leader of a session of its own, as a service is: the kernel shares the processor out among sessions (sched_autogroup), and a server in the
generator's own session would be scheduled in another way than one outside of it.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(TREE, "tests", "system"))

import doip  # noqa: E402
from daemon import BUILD, SERVICE, Daemon, children, free_port, until  # noqa: E402

KINDS = {"RSA-2048": ["-newkey", "rsa:2048"], "P-256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]}
TEXT = '{"id":"35.TEST/DOIP","text":"' + "x" * 269 + '"}'

NGINX = """
daemon off; pid {dir}/pid; error_log {dir}/error.log crit; worker_processes auto; {user}
worker_rlimit_nofile {files};
events {{ worker_connections {connections}; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 300; sendfile on; tcp_nopush on; tcp_nodelay on;
    client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3; uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5;
    ssl_protocols TLSv1.3; ssl_session_tickets on; ssl_session_cache off;
    {servers}
}}
"""
NGINX_SERVER = """
    server {{
        listen 127.0.0.1:{port} ssl backlog=4096; ssl_certificate {certificate}; ssl_certificate_key {key};
        location = /hello {{ default_type application/json; return 200 '{text}'; }}
        location = /file {{ alias {file}; }}
    }}
"""


def raise_limits():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536), hard))


def tree_of(pid):
    return [pid] + children(pid)


class Peer:
    """A running server: `ports` by kind of certificate, and the pid of its first process."""

    name = ""
    pid = 0
    ports = {}

    def cpu(self):
        """Seconds of user and system time of all its processes."""
        ticks = 0
        for pid in tree_of(self.pid):
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Proportional set size of all its processes, in KiB."""
        total = 0
        for pid in tree_of(self.pid):
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total


class Doipd(Peer):
    name = "doipd"

    def __init__(self, place, kind="P-256", settings=None):
        self.kind = kind
        certificate, key = place.certificate(kind)
        self.daemon = Daemon(handlers=("bench",), settings={
            "tls": {"certificate": certificate, "key": key, "min_version": "1.3"},
            "workers": {"processes": os.cpu_count(), "threads": 32},
            "log": {"access": False},
            "access": {"anonymous": ["*"]},
            "handler": {"bench": {"options": {"file": place.file()}}},
            **(settings or {})})
        self.daemon.start()
        self.pid = self.daemon.pid
        self.ports = {kind: self.daemon.port}

    def stop(self):
        self.daemon.kill()
        self.daemon.remove()


class Store(Peer):
    """A doipd with the store, which has one object with the large file as its element."""

    name = "doipd's store"
    OBJECT, ELEMENT = "35.TEST/large", "data"

    def __init__(self, place):
        certificate, key = place.certificate("P-256")
        self.daemon = Daemon(handlers=("store",), settings={
            "tls": {"certificate": certificate, "key": key, "min_version": "1.3"},
            "workers": {"processes": os.cpu_count(), "threads": 32},
            "log": {"access": False},
            "access": {"anonymous": ["*"]}})
        self.daemon.start()
        self.pid = self.daemon.pid
        self.ports = {"P-256": self.daemon.port}
        self.call("create", "--id", self.OBJECT, "--type", "Data", "--element", f"{self.ELEMENT}={place.file()}")
        self.call("retrieve", self.OBJECT, "--element", self.ELEMENT)  # so that it is in memory, as nginx's file is

    def call(self, *arguments):
        subprocess.run([os.path.join(BUILD, "doip"), "-k", "-s", f"127.0.0.1:{self.daemon.port}", *arguments], check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.daemon.kill()
        self.daemon.remove()


class Nginx(Peer):
    name = "nginx"

    def __init__(self, place):
        self.dir = tempfile.mkdtemp(prefix="doipd-nginx-")
        self.ports = {kind: free_port() for kind in KINDS}
        servers = ""
        for kind, port in self.ports.items():
            certificate, key = place.certificate(kind)
            servers += NGINX_SERVER.format(port=port, certificate=certificate, key=key, text=TEXT, file=place.file())
        with open(os.path.join(self.dir, "nginx.conf"), "w") as file:
            file.write(NGINX.format(dir=self.dir, servers=servers, user="user root;" if os.geteuid() == 0 else "",
                                    files=65536, connections=20000))
        self.process = subprocess.Popen([program("nginx"), "-p", self.dir, "-c", os.path.join(self.dir, "nginx.conf")],
                                        stdin=subprocess.DEVNULL, start_new_session=True)
        self.pid = self.process.pid
        until(lambda: reachable(self.ports["P-256"]), "nginx to listen", 10)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        shutil.rmtree(self.dir, ignore_errors=True)


class Sdk(Peer):
    """A server of doip_sdk that answers Hello with the same object."""

    name = "doip_sdk"

    def __init__(self, place):
        python = os.path.join(TREE, "build", "interop", "bin", "python")
        port = free_port()
        certificate, key = place.certificate("P-256")
        self.process = subprocess.Popen([python, os.path.join(HERE, "sdk_server.py"), str(port), certificate, key, TEXT],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        self.pid = self.process.pid
        self.ports = {"P-256": port}
        until(lambda: reachable(port), "the doip_sdk server to listen", 20)

    @staticmethod
    def install():
        """Whether the package is there, after an attempt to get it."""
        done = subprocess.run([os.path.join(TREE, "tests", "interop", "run"), "--install"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.stdout:
            print(f"no doip_sdk: {done.stdout.strip()}")
        return done.returncode == 0 and not done.stdout

    def stop(self):
        self.process.kill()
        self.process.wait()


def reachable(port):
    try:
        doip.socket.create_connection((doip.HOST, port), 1).close()
        return True
    except OSError:
        return False


def program(name):
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin")
    if found is None:
        raise SystemExit(f"compare: {name} is not installed (apt-get install {name if name != 'nginx' else 'nginx-light'})")
    return found


class Place:
    """A directory with the certificates and the large file."""

    def __init__(self, size):
        self.dir = tempfile.mkdtemp(prefix="doipd-compare-")
        os.chmod(self.dir, 0o755)
        for kind, options in KINDS.items():
            subprocess.run([program("openssl"), "req", "-x509", *options, "-nodes", "-days", "2", "-subj", "/CN=localhost",
                            "-keyout", self.path(kind + ".key"), "-out", self.path(kind + ".pem")],
                           check=True, stderr=subprocess.DEVNULL)
        with open(self.file(), "wb") as file:
            for _ in range(size >> 20):
                file.write(os.urandom(1 << 20))

    def path(self, name):
        return os.path.join(self.dir, name)

    def certificate(self, kind):
        return self.path(kind + ".pem"), self.path(kind + ".key")

    def file(self):
        return self.path("file")

    def remove(self):
        shutil.rmtree(self.dir, ignore_errors=True)
