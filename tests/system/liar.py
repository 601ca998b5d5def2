"""A service that is wrong on purpose: stands before a real doipd, and changes its answers, for tests of the conformance suite.

It runs in a process of its own (`liar.py PORT BACKEND_PORT CERTIFICATE KEY LIE`), so that it is no part of a test's. The lies are
in LIES: each takes an answer's head and its output segments, and gives what goes out instead.
"""

import asyncio
import json
import ssl
import sys

import doip

def parts(head, segments):
    return doip.json_segment(head) + b"".join(
        doip.bytes_segment(s) if isinstance(s, bytes) else doip.json_segment(s) for s in segments) + doip.EMPTY


def lie(function):
    LIES[function.__name__] = function
    return function


LIES = {}


@lie
def honest(head, segments):
    return parts(head, segments)


@lie
def inverted(head, segments):
    """success for what fails, failure for what succeeds, and the output of neither"""
    ok = head["status"] == doip.OK
    return parts({"requestId": head.get("requestId", "none"), "status": doip.ERROR if ok else doip.OK, "attributes": {}}, [])


@lie
def forgets_request_ids(head, segments):
    return parts({name: value for name, value in head.items() if name != "requestId"}, segments)


@lie
def invents_request_ids(head, segments):
    return parts(dict({"requestId": "invented"}, **head), segments)


@lie
def full_form(head, segments):
    if "output" not in head:
        return parts(head, segments)
    return parts({name: value for name, value in head.items() if name != "output"}, [head["output"]])


@lie
def odd_heads(head, segments):
    return parts(dict(head, status="0.DOIP/Status.999", comment="odd"), segments)


@lie
def pretty(head, segments):
    return json.dumps(head, indent=2).encode() + b"\n#\n" + parts({}, segments)[len(b"{}\n#\n"):]


@lie
def duplicate_keys(head, segments):
    return parts(head, segments).replace(b'"status"', b'"status":"x","status"', 1)


@lie
def answers_twice(head, segments):
    return parts(head, segments) * 2


@lie
def texts_differ(head, segments):
    if head["status"] != doip.OK:
        head = dict(head, attributes={"message": "one"}, output={"reason": "two", "message": "two, too"})
    return parts(head, segments)


@lie
def loses_last_byte(head, segments):
    return parts(head, [s[:-1] if isinstance(s, bytes) else s for s in segments])


@lie
def wrong_chunk_size(head, segments):
    return parts(head, segments).replace(b"@\n", b"@\n0", 1)


def change(value):
    """JSON with every number one more, and every content gone."""
    if isinstance(value, dict):
        return {name: {} if name == "content" else change(v) for name, v in value.items()}
    if isinstance(value, list):
        return [change(v) for v in value][::-1]
    return value + 1 if type(value) in (int, float) else value


@lie
def changes_objects(head, segments):
    if "output" in head and head["status"] == doip.OK:
        head = dict(head, output=change(head["output"]))
    return parts(head, [s if isinstance(s, bytes) else change(s) for s in segments])


@lie
def unknown_is_error(head, segments):
    return parts(dict(head, status=doip.ERROR if head["status"] == doip.UNKNOWN else head["status"]), segments)


@lie
def lists_more(head, segments):
    """every list twice, and more in every object"""
    output = head.get("output")
    if isinstance(output, list):
        output = output + output + [doip.UPDATE, doip.HELLO, "20.TEST/Op.None"]
    elif isinstance(output, dict):
        output = dict(output, d="private", size=5, port="9000", publicKey={"kty": "EC", "x": "AA", "y": "AA", "d": "AA"})
    return parts(dict(head, output=output) if "output" in head else head, segments)


async def answer(reader):
    """The next answer of the backend: (head, segments)."""
    head = json.loads(await reader.readline())
    await reader.readline()
    segments = []
    while True:
        line = await reader.readline()
        if line == b"#\n":
            return head, segments
        if line == b"@\n":
            data = b""
            while (size := await reader.readline()) != b"#\n":
                data += await reader.readexactly(int(size))
                await reader.readexactly(1)
            segments.append(data)
        else:
            segments.append(json.loads(line))
            await reader.readline()


class Liar:
    """`closes`: after each answer. `lingers`: when the backend closes. `reverses`: answers that come together."""

    def __init__(self, backend, name):
        self.backend, self.name = backend, name
        self.lie = LIES.get(name, honest)

    async def serve(self, reader, writer):
        theirs, ours = await asyncio.open_connection(doip.HOST, self.backend, ssl=doip.context(), limit=1 << 26)
        up = asyncio.ensure_future(self.up(reader, ours))
        try:
            await self.down(theirs, writer)
        except (ValueError, OSError, asyncio.IncompleteReadError):
            pass
        if self.name == "lingers":
            await asyncio.sleep(30)
        up.cancel()
        ours.close()
        writer.close()

    async def up(self, reader, ours):
        try:
            while data := await reader.read(65536):
                ours.write(data)
                await ours.drain()
        except OSError:
            pass
        ours.close()

    async def down(self, theirs, writer):
        queue = asyncio.Queue()
        task = asyncio.ensure_future(self.read(theirs, queue))
        while (first := await queue.get()) is not None:
            held = [first]
            if self.name == "reverses":
                await asyncio.sleep(0.5)
                while not queue.empty():
                    held.append(queue.get_nowait())
            for one in reversed([one for one in held if one is not None]):
                writer.write(self.lie(*one))
            await writer.drain()
            if None in held or self.name == "closes":
                break
        task.cancel()

    async def read(self, theirs, queue):
        try:
            while True:
                queue.put_nowait(await answer(theirs))
        except (ValueError, OSError, asyncio.IncompleteReadError):
            queue.put_nowait(None)


async def main(port, backend, certificate, key, name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(Liar(backend, name).serve, doip.HOST, port, ssl=context, limit=1 << 26)
    print("ready", flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:6]))
