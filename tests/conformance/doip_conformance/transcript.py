"""What was sent and received in a case, bounded, with secrets blotted out; shown as readable text."""

KEPT = 4096   # bytes kept of each stretch in one direction
EVENTS = 60   # stretches kept of a case, the last ones


def readable(data, limit):
    """Bytes as text: printable ASCII as it is, newlines and others as escapes."""
    shown = "".join(chr(b) if 32 <= b < 127 and b != 92 else {10: "\\n", 13: "\\r", 9: "\\t", 92: "\\\\"}.get(b, f"\\x{b:02x}")
                    for b in bytes(data[:limit]))
    return shown


class Transcript:
    def __init__(self, secrets=()):
        self.secrets = [s.encode() if isinstance(s, str) else s for s in secrets if s]
        self.events = []
        self.connections = 0

    def connection(self):
        self.connections += 1
        return Log(self, self.connections)

    def add(self, number, kind, data):
        if self.events and self.events[-1][:2] == [number, kind] and kind in "><":
            last = self.events[-1]
            last[2] += data[:KEPT - len(last[2])] if len(last[2]) < KEPT else b""
            last[3] += len(data)
        else:
            self.events.append([number, kind, bytearray(data[:KEPT]), len(data)])
            del self.events[:-EVENTS]

    def blot(self, data):
        for secret in self.secrets:
            data = data.replace(secret, b"(secret)")
        return data

    def show(self, event, limit):
        number, kind, data, size = event
        if kind == "!":
            return f"{number} ! {data.decode()}"
        more = f" … ({size} bytes)" if size > limit else ""
        return f"{number} {kind} {readable(self.blot(bytes(data)), limit)}{more}"

    def shown(self, limit=300, last=EVENTS):
        """Lines: the connection's number, `>` sent, `<` got or `!` something that happened, and the bytes."""
        return [self.show(event, limit) for event in self.events[-last:]]

    def last(self, kind, limit=300):
        """The last stretch sent (`>`) or got (`<`), as text."""
        for event in reversed(self.events):
            if event[1] == kind:
                return self.show(event, limit).split(" ", 2)[2]
        return ""


class Log:
    """One connection's part of a transcript."""

    def __init__(self, transcript, number):
        self.transcript, self.number = transcript, number

    def sent(self, data):
        self.transcript.add(self.number, ">", data)

    def got(self, data):
        if data:
            self.transcript.add(self.number, "<", data)

    def note(self, text):
        self.transcript.add(self.number, "!", text.encode())
