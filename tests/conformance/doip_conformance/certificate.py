"""What the suite reads out of a certificate (DER): the subject's names and the public key. No validation."""

import hashlib

UID = bytes.fromhex("0992268993f22c640101")  # 0.9.2342.19200300.100.1.1
CN = bytes.fromhex("550403")                 # 2.5.4.3


def parts(der):
    """The (tag, content, whole) of each value in a DER string."""
    at = 0
    while at < len(der):
        tag, size, begin = der[at], der[at + 1], at + 2
        if size & 0x80:
            more = size & 0x7F
            size, begin = int.from_bytes(der[begin:begin + more], "big"), begin + more
        yield tag, der[begin:begin + size], der[at:begin + size]
        at = begin + size


def fields(der):
    """The TBSCertificate's fields from the serial number on."""
    outer = next(parts(der))[1]
    inner = list(parts(next(parts(outer))[1]))
    return inner[1:] if inner[0][0] == 0xA0 else inner


def public_key(der):
    """The SubjectPublicKeyInfo."""
    return fields(der)[5][2]


def pin(der):
    """The SHA-256 of the SubjectPublicKeyInfo, in hex."""
    return hashlib.sha256(public_key(der)).hexdigest()


def subject(der):
    """The subject's UID and CN, None each where it has none."""
    found = {}
    for _, names, _ in parts(fields(der)[4][1]):
        for _, pair, _ in parts(names):
            (_, oid, _), (_, value, _) = parts(pair)
            found.setdefault(oid, value.decode("utf-8", "replace"))
    return found.get(UID), found.get(CN)
