"""What is compared: one function per group of rows, each adding the figures of one round.

In every round both sides are measured one right after the other, in an order that alternates, and only their ratio counts: what the machine
does beside it hits both.
"""

import concurrent.futures
import json
import os
import socket
import ssl
import subprocess
import time

from comparison.peers import BUILD, SERVICE, Doipd, Sdk, Store, doip, program

BENCH = os.path.join(BUILD, "doip-bench")
ALL = []


def group(function):
    ALL.append(function)
    return function


class Generator:
    """A running doip-bench."""

    def __init__(self, peer, *arguments, kind="P-256", seconds=1.5, warm=0.3, threads=2):
        self.peer, self.patience = peer, 60 + 2 * seconds
        self.process = subprocess.Popen([BENCH, "-j", "-s", f"127.0.0.1:{peer.ports[kind]}", "-d", str(seconds), "-w", str(warm),
                                         "-t", str(threads), *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def report(self):
        out, complaint = self.process.communicate(timeout=self.patience)
        if self.process.returncode not in (0, 3):
            raise SystemExit(f"compare: doip-bench: {complaint.strip()}")
        report = json.loads(out)
        if report["failures"] or report["brokenConnections"] > report["answers"] / 100:
            raise SystemExit(f"compare: {self.peer.name}: {report['firstProblem']}")
        return report


class Run:
    """The figures of one run of doip-bench against a peer."""

    def __init__(self, peer, *arguments, kind="P-256", seconds=1.5, warm=0.3, threads=2):
        before = peer.cpu()
        self.report = Generator(peer, *arguments, kind=kind, seconds=seconds, warm=warm, threads=threads).report()
        self.rate = self.report["rate"]
        total = self.report["answers"] * (seconds + warm) / seconds
        self.cpu = (peer.cpu() - before) / total * 1e6 if total else 0
        self.resumed = self.report["resumedHandshakes"] / max(1, self.report["handshakes"])
        self.p99 = self.report["latencyMicroseconds"]["p99"]
        self.down = self.report["bytesIn"] / seconds / 1e6
        self.up = self.report["bytesOut"] / seconds / 1e6


def alternate(number, ours, theirs):
    """Runs both; gives (ours, theirs)."""
    if number % 2:
        second = theirs()
        return ours(), second
    return ours(), theirs()


HELLO = ("-o", "Hello")
WEB = ("-H", "/hello")
LARGE = ("-o", "Retrieve", "-T", "35.TEST/file")
WEB_LARGE = ("-H", "/file")


@group
def kept_alive(stage, number, table):
    """Hello on connections that stay open."""
    for count, goal in ((1, None), (16, 1.0), (64, 1.0), (256, 1.0)):
        more = dict(threads=min(2, count), warm=0.3 + count / 256)  # their handshakes are not to be counted
        ours, theirs = alternate(number, lambda: Run(stage.doipd, *HELLO, "-c", count, **more), lambda: Run(stage.nginx, *WEB, "-c", count, **more))
        table.add(f"kept-alive Hello, {count} connections: rate", goal, ours.rate, theirs.rate, "/s")
        if count == 64:
            table.add("server CPU time per kept-alive request, 64 connections", -1.0, ours.cpu, theirs.cpu, "µs")
            table.add("p99 latency, 64 connections", -1.1, ours.p99, theirs.p99, "µs")


@group
def handshakes(stage, number, table):
    """A new connection for each request."""
    for kind in ("RSA-2048", "P-256"):
        daemon = stage.doipd if kind == "P-256" else stage.doipd_rsa
        ours, theirs = alternate(number, lambda: Run(daemon, *HELLO, "-C", "-c", 16, kind=kind),
                                 lambda: Run(stage.nginx, *WEB, "-C", "-c", 16, kind=kind))
        table.add(f"full TLS 1.3 handshake per request, {kind}: rate", 0.97, ours.rate, theirs.rate, "/s")
        table.add(f"full TLS 1.3 handshake per request, {kind}: server CPU", -1.03, ours.cpu, theirs.cpu, "µs")
    ours, theirs = alternate(number, lambda: Run(stage.doipd, *HELLO, "-C", "-r", "-c", 16),
                             lambda: Run(stage.nginx, *WEB, "-C", "-r", "-c", 16))
    table.add("resumed handshake per request: rate", 0.97, ours.rate, theirs.rate, "/s")
    table.add("resumed handshake per request: how many really were, of 1", None, ours.resumed, theirs.resumed, "")


@group
def transfers(stage, number, table):
    """Large elements; the upload is compared with nginx's download."""
    with open(stage.place.path("upload"), "w") as mix:
        mix.write(f'1 {{"operationId":"0.DOIP/Op.Create","targetId":"{SERVICE}"}} {stage.place.size}\n')
    for streams in (1, 4):
        more = dict(seconds=2.5, warm=0, threads=min(2, streams))
        ours, theirs = alternate(number, lambda: Run(stage.doipd, *LARGE, "-c", streams, **more),
                                 lambda: Run(stage.nginx, *WEB_LARGE, "-c", streams, **more))
        table.add(f"{stage.place.size >> 20} MiB element download, {streams} stream{'s' * (streams > 1)}", 1.0, ours.down, theirs.down, "MB/s")
        if streams == 1:
            upload = Run(stage.doipd, "-f", stage.place.path("upload"), "-c", 1, **more)
            table.add(f"{stage.place.size >> 20} MiB upload, handler discards; to nginx's download", 0.9, upload.up, theirs.down, "MB/s")


def hashing(path, size, going_on=lambda: False):
    """MB/s of `openssl dgst -sha256` over the file, once, and again for as long as something else goes on."""
    start, done = time.monotonic(), 0
    while done == 0 or going_on():
        subprocess.run([program("openssl"), "dgst", "-sha256", path], check=True, stdout=subprocess.DEVNULL)
        done += size
    return done / (time.monotonic() - start) / 1e6


class Uploads:
    """One after the other, on one connection."""

    def __init__(self, stage, peer):
        self.size = stage.place.size // 16
        self.generator = Generator(peer, "-f", stage.place.path("create"), "-c", 1, seconds=3, warm=0, threads=1)

    def going_on(self):
        return self.generator.process.poll() is None

    def rate(self):
        """MB/s of those that were answered: from the first byte on, until the service has said that it has all."""
        middle = self.generator.report()["latencyMicroseconds"]["p50"]
        if middle == 0:
            raise SystemExit("compare: no upload was answered within 3 s: the machine is too busy")
        return self.size / middle


@group
def store(stage, number, table):
    """Elements of the store. An upload is stored anew each time: hashed, written, synced. Its peer is the slower of two that run side by side, as
    they do within the store: hashing a file, and an upload into a handler that discards. What each of the two reaches alone is told, too."""
    head = json.dumps({"operationId": "0.DOIP/Op.Create", "targetId": SERVICE})
    body = json.dumps({"type": "Data", "elements": [{"id": "data"}]}) + ' {"id":"data"}'
    with open(stage.place.path("create"), "w") as mix:
        mix.write(f"1 {head} {body} {stage.place.size // 16}\n")
    peer = Store(stage.place)
    try:
        retrieve = ("-o", "Retrieve", "-T", Store.OBJECT, "-a", json.dumps({"element": Store.ELEMENT}))
        more = dict(seconds=2.5, warm=0, threads=1)
        ours, theirs = alternate(number, lambda: Run(peer, *retrieve, "-c", 1, **more), lambda: Run(stage.nginx, *WEB_LARGE, "-c", 1, **more))
        table.add("store: element download, 1 stream", 0.9, ours.down, theirs.down, "MB/s")
        sink = Uploads(stage, stage.doipd)
        hashed = hashing(stage.place.file(), stage.place.size, sink.going_on)
        beside = min(sink.rate(), hashed)
        upload = Uploads(stage, peer).rate()
        alone = min(Uploads(stage, stage.doipd).rate(), hashing(stage.place.file(), stage.place.size))
        table.add("store: element upload, to hashing and a sink side by side", 0.6, upload, beside, "MB/s", "openssl, sink")
        table.add("the same, to hashing or a sink, one after the other", None, upload, alone, "MB/s", "openssl, sink")
    finally:
        peer.stop()


class Idle:
    """So many open TLS connections, each of which has had one answer."""

    def __init__(self, peer, count, request):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def open_one(_):
            connection = context.wrap_socket(socket.create_connection((doip.HOST, peer.ports["P-256"])))
            connection.sendall(request)
            connection.recv(65536)
            return connection

        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            self.open = list(threads.map(open_one, range(count)))

    def close(self):
        for connection in self.open:
            connection.close()


HELLO_BYTES = doip.message("0.DOIP/Op.Hello", SERVICE)
WEB_BYTES = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


def idle_memory(peer, request, count=1000):
    before = peer.memory()
    idle = Idle(peer, count, request)
    figure = (peer.memory() - before) / count
    idle.close()
    return figure


@group
def memory(stage, number, table):
    """On servers of its own, as what was used once is not given back."""
    daemon, nginx = Doipd(stage.place), stage.new_nginx()
    try:
        ours, theirs = alternate(number, lambda: idle_memory(daemon, HELLO_BYTES), lambda: idle_memory(nginx, WEB_BYTES))
    finally:
        daemon.stop()
        nginx.stop()
    table.add("memory per idle TLS connection", -1.0, ours, theirs, "KiB")


@group
def crowd(stage, number, table):
    """What others cost the busy ones: doipd with them to doipd without. On two servers of the same age, as one that has just shaken 5,000 hands, or
    seen them go, is not in the state that it is in later."""
    crowded, lonely = Doipd(stage.place), Doipd(stage.place)
    try:
        idle = Idle(crowded, 5000, HELLO_BYTES)
        with_them, without = alternate(number, lambda: Run(crowded, *HELLO, "-c", 64), lambda: Run(lonely, *HELLO, "-c", 64))
        idle.close()
    finally:
        crowded.stop()
        lonely.stop()
    table.add("Hello rate beside 5,000 idle connections, to the rate without", 0.95, with_them.rate, without.rate, "/s", "doipd")


@group
def pipelining(stage, number, table):
    deep, plain = alternate(number, lambda: Run(stage.doipd, *HELLO, "-c", 16, "-p", 16), lambda: Run(stage.doipd, *HELLO, "-c", 16))
    table.add("Hello rate with pipelining depth 16, to the rate without", 2.0, deep.rate, plain.rate, "/s", "doipd")


def p99(peer, small):
    """Of small requests at a moderate rate."""
    return Run(peer, *small, "-c", 16, "-R", 2000, seconds=2, warm=0.8, threads=1).p99


def p99_beside(peer, small, sender, large):
    """The same beside what `sender` has to do at the same time."""
    load = Generator(sender, *large, seconds=3.4, warm=0, threads=1)
    time.sleep(0.4)
    figure = p99(peer, small)
    load.report()
    return figure


@group
def fairness(stage, number, table):
    """Small requests beside others. Where nginx sends the large transfers, what doipd's small requests wait for is the machine, and the generator
    that reads eight streams on it."""
    doipd, nginx, web_eight = stage.doipd, stage.nginx, (*WEB_LARGE, "-c", 8)
    quiet = p99(doipd, HELLO)
    table.add("p99 of Hello beside 30 handlers that sleep 50 ms (32 threads), to quiet", -2.0,
              p99_beside(doipd, HELLO, doipd, ("-o", "20.DOIP/Bench.Sleep", "-T", SERVICE, "-c", 30)), quiet, "µs", "doipd")
    ours, by_nginx = alternate(number, lambda: p99_beside(doipd, HELLO, doipd, (*LARGE, "-c", 8)), lambda: p99_beside(doipd, HELLO, nginx, web_eight))
    table.add("p99 of Hello beside eight large transfers, to quiet", -5.0, ours, quiet, "µs", "doipd")
    table.add("the same where nginx sends them: doipd's p99 beside its transfers, to quiet", None, by_nginx, quiet, "µs", "doipd")
    table.add("the same of nginx: p99 beside eight large transfers, to quiet", None, p99_beside(nginx, WEB, nginx, web_eight), p99(nginx, WEB), "µs")


@group
def sdk(stage, number, table):
    if stage.sdk is None:
        return
    ours, theirs = alternate(number, lambda: Run(stage.doipd, *HELLO, "-C", "-c", 8), lambda: Run(stage.sdk, *HELLO, "-C", "-c", 8))
    table.add("one connection per request, to a doip_sdk server: rate", 2.5, ours.rate, theirs.rate, "/s", "doip_sdk")
    # The generator's own handshakes, on the same cores, cost more than doipd's: they hide most of what differs.
    table.add("one connection per request, to a doip_sdk server: server CPU", None, ours.cpu, theirs.cpu, "µs", "doip_sdk")
    kept = Run(stage.doipd, *HELLO, "-c", 64)
    table.add("kept-alive rate, to the most a doip_sdk server answers", 50, kept.rate, theirs.rate, "/s", "doip_sdk")
    assert isinstance(stage.sdk, Sdk)
