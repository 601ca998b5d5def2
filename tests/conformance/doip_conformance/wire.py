"""Connections to the service: TCP, TLS, bytes out and in, and how the other side ended. Knows nothing of messages.

TLS runs over memory buffers (ssl.MemoryBIO), so that a case can close one direction and still read the other.
"""

import socket
import ssl
import time

from . import certificate

PIECE = 65536


class NoConnection(Exception):
    """The service can't be reached, or is not the one that is trusted."""


class Ended(Exception):
    """The service ended the stream where more was due."""


class Silent(Exception):
    """Nothing came in time."""


class Endpoint:
    """Where the service is, how it is trusted, and how long to wait for it."""

    def __init__(self, host, port, timeout=10.0, ca=None, pin=None, insecure=False, cert=None, key=None):
        self.host, self.port, self.timeout = host, port, timeout
        self.ca, self.pin, self.insecure, self.cert, self.key = ca, pin, insecure, cert, key

    def context(self, versions=None, ciphers=None):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # or an end without close_notify would look like one with
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE if self.insecure or self.pin else ssl.CERT_REQUIRED
        if self.ca:
            made.load_verify_locations(self.ca)
        elif made.verify_mode == ssl.CERT_REQUIRED:
            made.load_default_certs()
            made.check_hostname = True
        if ciphers:
            made.set_ciphers(ciphers)
        if versions:
            made.minimum_version, made.maximum_version = versions
        if self.cert:
            made.load_cert_chain(self.cert, self.key)
        return made

    def dial(self):
        """A TCP connection without TLS."""
        try:
            raw = socket.create_connection((self.host, self.port), self.timeout)
        except OSError as error:
            raise NoConnection(f"can't connect to {self.host}:{self.port}: {error}") from error
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return raw


class Connection:
    """A TLS connection. What goes over it is kept in the transcript."""

    def __init__(self, endpoint, transcript, **options):
        self.endpoint, self.log = endpoint, transcript.connection()
        self.ended = None  # None, "close_notify", or how else
        self.buffer = bytearray()
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.raw = endpoint.dial()
        try:
            self.tls = endpoint.context(**options).wrap_bio(self.incoming, self.outgoing, server_hostname=endpoint.host)
            self._drive(self.tls.do_handshake)
            self._check_pin()
        except (OSError, ValueError, Silent) as error:
            self.raw.close()
            raise NoConnection(f"no TLS with {endpoint.host}:{endpoint.port}: {error}") from error
        except NoConnection:
            self.raw.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.raw.close()

    def _check_pin(self):
        if self.endpoint.pin and certificate.pin(self.certificate()) != self.endpoint.pin:
            raise NoConnection(f"the service has the key {certificate.pin(self.certificate())}, not {self.endpoint.pin}")

    def certificate(self):
        return self.tls.getpeercert(binary_form=True)

    def _flush(self):
        data = self.outgoing.read()
        if data:
            self.raw.sendall(data)

    def _drive(self, call, seconds=None):
        """Runs a call of the TLS object to its end, feeding it from the socket; Silent after so many seconds."""
        deadline = time.monotonic() + (self.endpoint.timeout if seconds is None else seconds)
        while True:
            try:
                value = call()
                self._flush()
                return value
            except ssl.SSLWantReadError:
                self._flush()
                self._receive(deadline)

    def _receive(self, deadline):
        self.raw.settimeout(max(deadline - time.monotonic(), 0.001))
        try:
            data = self.raw.recv(PIECE)
        except socket.timeout:
            raise Silent("nothing came in time") from None
        finally:
            self.raw.settimeout(self.endpoint.timeout)
        if data:
            self.incoming.write(data)
        else:
            self.incoming.write_eof()

    def send(self, data):
        """Sends bytes as one TLS write. That the service does not take them any more is no error here: it may have answered."""
        self.log.sent(data)
        try:
            self._drive(lambda: self.tls.write(data))
        except OSError as error:
            self.log.note(f"sending failed: {error}")

    def fill(self, seconds=None):
        """Reads what comes next into the buffer; False at the end of the stream."""
        if self.ended is None:
            try:
                data = self._drive(lambda: self.tls.read(PIECE), seconds)
                self.ended = None if data else "close_notify"
                self.buffer += data
                self.log.got(data)
            except ssl.SSLZeroReturnError:
                self.ended = "close_notify"
            except ssl.SSLEOFError:
                self.ended = "an end without close_notify"
            except OSError as error:
                self.ended = f"an error: {error}"
            if self.ended:
                self.log.note(f"the service ended with {self.ended}")
        return self.ended is None

    def line(self, what, limit=1 << 26):
        """The next line, without its newline."""
        at = 0
        while True:
            end = self.buffer.find(b"\n", at)
            if end >= 0:
                return self.take(end + 1, what)[:-1]
            at = len(self.buffer)
            if at > limit:
                raise Ended(f"{what} goes on for more than {limit} bytes")
            self._more(what)

    def take(self, size, what):
        """So many bytes."""
        while len(self.buffer) < size:
            self._more(what)
        data = bytes(self.buffer[:size])
        del self.buffer[:size]
        return data

    def peek(self, what):
        """The next byte, left where it is."""
        if not self.buffer:
            self._more(what)
        return bytes(self.buffer[:1])

    def _more(self, what):
        if not self.fill():
            raise Ended(f"{self.ended} where {what} was due")

    def close_notify(self):
        """Says close_notify and ends the sending direction; the other one can still be read."""
        self.log.note("close_notify sent")
        try:
            self.tls.unwrap()
        except ssl.SSLError:
            pass  # it would wait for the other side's, which may still have data to send
        try:
            self._flush()
            self.raw.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.log.note(f"sending failed: {error}")

    def end_writing(self):
        """Ends the sending direction below TLS, without close_notify."""
        self.log.note("end of sending, without close_notify")
        try:
            self.raw.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.log.note(f"sending failed: {error}")

    def quiet(self, seconds):
        """True when nothing comes, and no end, for so many seconds."""
        try:
            while not self.buffer and self.fill(seconds):
                pass
        except Silent:
            return True
        return False

    def at_end(self, seconds=None):
        """Reads to the end of the stream: how it ended. What came before stays in the buffer. Silent when it does not end."""
        deadline = time.monotonic() + (self.endpoint.timeout if seconds is None else seconds)
        while self.fill(deadline - time.monotonic()):
            pass
        return self.ended
