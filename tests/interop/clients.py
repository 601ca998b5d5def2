"""doipy and doip_sdk against doipd, and our `doip` against a doip_sdk server. Run by `run` in its virtual environment; prints TAP.

doip_sdk opens one connection per request and never looks at the certificate. doipy is built on it, and sends credentials with
Create, Update and Delete. The doipd here has a user, and lets all others read, as is the default.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "system"))
sys.dont_write_bytecode = True

import doip_sdk  # noqa: E402
from daemon import BUILD, SERVICE, Daemon, free_port, hashed, until  # noqa: E402
from doipy.actions import doip as doipy  # noqa: E402

HOST = "127.0.0.1"
OK, INVALID, UNAUTHENTICATED, UNKNOWN = (f"0.DOIP/Status.{number}" for number in ("001", "101", "102", "104"))
MIB = 1 << 20
SIZES = (0, 1, MIB, 200 * MIB)
WHO = {"username": "alice", "password": "secret"}
READ_ONLY = ["Hello", "ListOperations", "Retrieve", "Search"]
cases = []


def case(function):
    cases.append(function)
    return function


def equal(got, due):
    assert got == due, f"got {got!r}, not {due!r}"


class World:
    """A doipd with its store, and a directory to work in."""

    def __init__(self):
        user = {"id": "35.TEST/alice", "name": "alice", "password_hash": hashed("secret")}
        self.daemon = Daemon(handlers=("store",), settings={"users": [user], "access": {"anonymous": READ_ONLY}})
        self.daemon.start()
        self.port = self.daemon.port
        self.dir = tempfile.mkdtemp(dir=self.daemon.dir)
        os.chdir(self.dir)

    def file(self, name, size):
        """A file of that size with bytes that look like framing now and then."""
        piece = (b"\n#\n@\n12\n" + os.urandom(4087) + b"\0") * 256
        path = Path(self.dir, name)
        with path.open("wb") as out:
            left = size
            while left > 0:
                left -= out.write(piece[:min(left, len(piece))])
        return path

    def sdk(self, *payload, **options):
        return doip_sdk.send_request(HOST, self.port, list(payload), timeout=60, **options)

    def first(self, *payload):
        return json.loads(self.sdk(*payload).content[0])

    def create(self, identifier, path, **attributes):
        element = {"id": "data", "type": "application/octet-stream", "attributes": {"filename": path.name}}
        return self.first({"targetId": SERVICE, "operationId": "0.DOIP/Op.Create", "authentication": WHO},
                          {"id": identifier, "type": "Document", "attributes": {"content": attributes}, "elements": [element]},
                          {"id": "data"}, path)


def digest(chunks):
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk)
    return total.hexdigest()


def file_digest(path):
    with open(path, "rb") as file:
        return digest(iter(lambda: file.read(MIB), b""))


# ---------------------------------------------------------------- doip_sdk against doipd

@case
def sdk_hello(world):
    """as in the SDK's quick start: no targetId at all"""
    answer = world.first({"operationId": "0.DOIP/Op.Hello"})
    equal((answer["status"], answer["output"]["id"]), (OK, SERVICE))


@case
def sdk_files_of_many_sizes(world):
    for size in SIZES:
        path = world.file("in.bin", size)
        equal(world.create(f"35.TEST/{size}", path)["status"], OK)
        ask = {"targetId": f"35.TEST/{size}", "operationId": "0.DOIP/Op.Retrieve", "attributes": {"element": "data"}}
        head, *rest = world.sdk(ask).content if size <= MIB else stream(world, ask)
        equal(json.loads(head)["attributes"], {"filename": "in.bin", "type": "application/octet-stream", "length": size})
        # The SDK's reader stops at an empty segment's empty list of chunks: for no bytes it gives nothing, or nothing's list.
        equal(digest(rest), file_digest(path))


def stream(world, ask):
    with world.sdk(ask, stream=True) as response:
        chunks = [bytes(chunk) for chunk in response.content]
    equal((chunks[1], chunks[-1]), (b"@", b"#"))
    return [chunks[0], *chunks[2:-1]]


@case
def sdk_errors(world):
    """the text is where the SDK looks for it"""
    for request, status in (({"targetId": "35.TEST/none", "operationId": "0.DOIP/Op.Retrieve"}, UNKNOWN),
                            ({"targetId": SERVICE, "operationId": "0.DOIP/Op.Search"}, INVALID),
                            ({"targetId": SERVICE, "operationId": "0.DOIP/Op.Hello", "authentication": {"token": "x"}}, UNAUTHENTICATED)):
        answer = world.first(request)
        equal(answer["status"], status)
        assert answer["output"]["reason"], answer


# ---------------------------------------------------------------- doipy against doipd

@case
def doipy_hello_and_operations(world):
    equal(doipy.hello(SERVICE, HOST, world.port)[0]["output"]["type"], "0.TYPE/DOIPServiceInfo")
    assert "0.DOIP/Op.Create" in doipy.list_operations(SERVICE, HOST, world.port)[0]["output"]


@case
def doipy_retrieve_and_search(world):
    path = world.file("paper.txt", 3 * MIB + 1)
    world.create("35.TEST/paper", path, name="a rare word: zyzzyva")
    equal(doipy.retrieve("35.TEST/paper", HOST, world.port)[0]["output"]["attributes"]["content"], {"name": "a rare word: zyzzyva"})
    due = file_digest(path)
    path.unlink()
    equal(doipy.retrieve("35.TEST/paper", HOST, world.port, file="data")[0]["status"], OK)
    equal(file_digest("paper.txt"), due)
    for query in ("zyzzyva", "type:Document zyzzyva", "id:35.TEST/paper"):
        head, found = doipy.search(SERVICE, HOST, world.port, query)
        equal((head["status"], found["size"], found["results"][0]["id"]), (OK, 1, "35.TEST/paper"))
    assert "0.DOIP/Op.Update" in doipy.list_operations("35.TEST/paper", HOST, world.port)[0]["output"]
    equal(doipy.retrieve("35.TEST/none", HOST, world.port)[0]["status"], UNKNOWN)


@case
def doipy_with_credentials(world):
    """Create, Update and Delete always carry them: here they count"""
    path = world.file("x", 10)
    made = doipy.create(SERVICE, HOST, world.port, "Document", do_name="n", bitsq=path, **WHO)
    equal(made[0]["status"], OK)
    identifier = made[0]["output"]["id"]
    equal(made[0]["output"]["attributes"]["metadata"]["createdBy"], "35.TEST/alice")
    by_id = {"client_id": "35.TEST/alice", "password": "secret"}
    equal(doipy.add_metadata(identifier, HOST, world.port, metadata={"colour": "blue"}, **by_id)[0]["status"], OK)
    equal(doipy.update_bitsq(identifier, HOST, world.port, world.file("y", 20), **WHO)[0]["status"], OK)
    found = doipy.retrieve(identifier, HOST, world.port, **WHO)[0]["output"]
    equal((found["attributes"]["content"]["colour"], found["elements"][0]["length"]), ("blue", 20))
    equal(doipy.delete(identifier, HOST, world.port, **WHO)[0]["status"], OK)
    equal(doipy.retrieve(identifier, HOST, world.port)[0]["status"], UNKNOWN)


@case
def doipy_metadata(world):
    """Of an object without a file: added, changed, taken away, all replaced"""
    identifier = doipy.create(SERVICE, HOST, world.port, "Document", do_name="n", metadata={"year": 2025}, **WHO)[0]["output"]["id"]

    def is_now(answer, **due):
        equal(answer[0]["status"], OK)
        equal(doipy.retrieve(identifier, HOST, world.port)[0]["output"]["attributes"]["content"], due)
    is_now(doipy.add_metadata(identifier, HOST, world.port, metadata={"colour": "blue"}, **WHO), id="", name="n", year=2025, colour="blue")
    is_now(doipy.update_metadata(identifier, HOST, world.port, metadata={"year": 2026}, **WHO), id="", name="n", year=2026, colour="blue")
    is_now(doipy.delete_metadata(identifier, HOST, world.port, metadata=["colour", "id"], **WHO), name="n", year=2026)
    is_now(doipy.update_all_metadata(identifier, HOST, world.port, metadata={"only": "this"}, **WHO), only="this")


@case
def doipy_bit_sequence(world):
    """Taken away (Cordra's elementsToDelete), and another one added"""
    identifier = doipy.create(SERVICE, HOST, world.port, "Document", bitsq=world.file("old.txt", 10), **WHO)[0]["output"]["id"]
    equal(doipy.delete_bitsq(identifier, HOST, world.port, **WHO)[0]["status"], OK)
    equal(doipy.retrieve(identifier, HOST, world.port)[0]["output"].get("elements", []), [])
    path = world.file("new.txt", 20)
    equal(doipy.add_bitsq(identifier, HOST, world.port, path, **WHO)[0]["status"], OK)
    element = doipy.retrieve(identifier, HOST, world.port)[0]["output"]["elements"][0]
    equal((element["length"], element["attributes"]["filename"]), (20, "new.txt"))
    due = file_digest(path)
    path.unlink()
    equal(doipy.retrieve(identifier, HOST, world.port, file=element["id"])[0]["status"], OK)
    equal(file_digest("new.txt"), due)


@case
def doipy_with_wrong_credentials(world):
    for who in ({"username": "alice", "password": "Secret"}, {"token": "x"}, {"username": "bob", "password": "secret"}):
        answer = doipy.create(SERVICE, HOST, world.port, "Document", do_name="n", **who)
        equal((answer[0]["status"], answer[0]["output"]["reason"]), (UNAUTHENTICATED, "The credentials are not valid."))


# ---------------------------------------------------------------- doip against a doip_sdk server

SERVER = """
from doip_sdk import DOIPHandler, DOIPServer, ResponseStatus, ServerResponse, write_empty_segment, write_json_segment

class Handler(DOIPHandler):
    def hello(self, first_segment, _):
        response = ServerResponse(status=ResponseStatus.SUCCESS, requestId=first_segment.get("requestId"),
                                  output={"id": "35.SDK/service", "type": "0.TYPE/DOIPServiceInfo"})
        write_json_segment(socket=self.request, message=response.model_dump(exclude_none=True))
        write_empty_segment(socket=self.request)

with DOIPServer("127.0.0.1", %d, Handler) as server:
    server.start()
"""


@case
def our_client_against_an_sdk_server(world):
    port = free_port()
    server = subprocess.Popen([sys.executable, "-c", SERVER % port], cwd=world.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def doip(*arguments):
            return subprocess.run([os.path.join(BUILD, "doip"), "-k", "-s", f"{HOST}:{port}", "-j", *arguments],
                                  capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL)

        done = until(lambda: (lambda d: d if d.returncode != 3 else None)(doip("hello")), "an answer of the SDK's server", 20, 0.2)
        equal((done.returncode, json.loads(done.stdout)["id"]), (0, "35.SDK/service"))
        # One request per connection is all this server takes; the second operation finds it closed.
        refused = doip("call", "35.SDK/service", "20.SDK/Op.None")
        equal(refused.returncode, 1)
        assert "This operation is not supported." in refused.stderr, refused.stderr
    finally:
        server.kill()
        server.wait()


# What tests/conformance must find in order with a doip_sdk server; doc/interoperability.md says what it does not, and why.
SOUND = ("hello.id", "hello.type", "hello.protocol", "segment.json.*", "segment.bytes.one-chunk", "segment.bytes.no-chunk",
         "segment.bytes.byte-at-a-time", "request.requestId.*", "request.forms-alike", "create.minimal", "create.in-use*",
         "object.element-data", "object.content", "object.large-element", "retrieve.all", "delete.others-stay", "extended.*",
         "error.text.unsupported", "fault.text.not-an-object")


@case
def conformance_suite_against_an_sdk_server(world):
    port = free_port()
    server = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "sdk_service.py"), str(port)], cwd=world.dir,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def suite(*patterns):
        return subprocess.run([sys.executable, "-B", os.path.join(HERE, "..", "conformance", "run"), f"{HOST}:{port}", "-k", "--timeout", "3",
                               "--service", "35.SDK/service", *patterns], capture_output=True, text=True, timeout=60)

    try:
        until(lambda: suite("hello.id").returncode == 0, "an answer of the SDK's server", 20, 0.2)
        sound = suite(*SOUND)
        equal((sound.returncode, sound.stderr), (0, ""))
        twice = suite("response.one")
        assert twice.returncode == 1 and "Internal Server Error" in twice.stdout, twice.stdout  # its second answer
    finally:
        server.kill()
        server.wait()


# ---------------------------------------------------------------- by hand

@case
def openssl_s_client(world):
    """requests typed by hand, as Cordra's manual shows, in the compact form and over several lines"""
    typed = '{"targetId": "%s",\n "operationId": "0.DOIP/Op.Search",\n "attributes": {"query": "*:*", "pageSize": "0"}}\n#\n#\n' % SERVICE
    done = subprocess.Popen(["openssl", "s_client", "-quiet", "-no_ign_eof", "-connect", f"{HOST}:{world.port}"], stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    done.stdin.write(typed.encode())
    done.stdin.flush()
    time.sleep(1)
    done.stdin.close()
    answer = done.stdout.read().decode()
    done.wait(20)
    assert '"status":"0.DOIP/Status.001"' in answer and '"size":' in answer, answer


def main():
    print(f"1..{len(cases)}", flush=True)
    world = World()
    failed = 0
    for number, function in enumerate(cases, 1):
        try:
            function(world)
            print(f"ok {number} - {function.__name__}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {function.__name__}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), flush=True)
    world.daemon.stop()
    os.chdir("/")
    world.daemon.remove()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
