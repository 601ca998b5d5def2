"""A service that answers anything with the same success, over any TLS and over none, as soon as a byte has come.

For tests of the conformance suite: `canned.py PORT CERTIFICATE KEY HOW`. HOW is `deaf`: it never ends a connection by itself, and does
not hear that the client does; or `ragged`: it ends each after its answer, without close_notify. Clients' certificates are refused.
"""

import socket
import ssl
import sys
import threading
import time
import warnings

import doip

ANSWER = b'{"status":"0.DOIP/Status.001","output":{}}\n#\n#\n'


def serve(raw, context, how):
    try:
        plain = raw.recv(1, socket.MSG_PEEK) == b"{"
        connection = raw if plain else context.wrap_socket(raw, server_side=True)
        if connection.recv(1):
            connection.sendall(ANSWER)
        if how == "deaf":
            time.sleep(60)
        connection.close()
    except OSError:
        raw.close()


def main(port, certificate, key, how):
    warnings.simplefilter("ignore", DeprecationWarning)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(certificate, key)
    with socket.create_server((doip.HOST, port)) as listener:
        print("ready", flush=True)
        while True:
            raw, _ = listener.accept()
            threading.Thread(target=serve, args=(raw, context, how), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:5])
