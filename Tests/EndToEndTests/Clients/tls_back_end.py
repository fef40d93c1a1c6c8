"""An IMAP server with TLS from the first byte that tells what it saw of whoever connects.

Usage: tls_back_end.py HOST JSON

JSON holds "cert" and "key" (files; without them there is no TLS), "ca" (whose certificates are asked for), "proxy" (a
PROXY header of version 2 comes first), and "records", the file that gets one JSON object a line for each login: "name"
(SNI), "version", "cipher", "resumed", "subject" (the peer's common name), and "values", the PROXY header's TLVs: from
the type to the value, both in hexadecimal. Prints "listening PORT" once it does.
"""

import json
import re
import socketserver
import ssl
import sys

HOST, OPTIONS = sys.argv[1], json.loads(sys.argv[2])


def context():
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(OPTIONS["cert"], OPTIONS["key"])
    if "ca" in OPTIONS:
        made.load_verify_locations(OPTIONS["ca"])
        made.verify_mode = ssl.CERT_OPTIONAL
    # The name is the connection's, which the callback is given.
    made.sni_callback = lambda connection, name, _: setattr(connection, "asked_name", name)
    return made


CONTEXT = context() if "cert" in OPTIONS else None


def receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise OSError("the end")
        data += piece
    return data


def values(data):
    found = {}
    while data:
        kind, length = data[0], data[1] << 8 | data[2]
        found[f"{kind:02x}"] = data[3:3 + length].hex()
        data = data[3 + length:]
    return found


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        seen = {}
        connection = self.request
        if OPTIONS.get("proxy"):
            head = receive(connection, 16)
            rest = receive(connection, head[14] << 8 | head[15])
            seen["values"] = values(rest[12 if head[13] == 0x11 else 36:])
        if CONTEXT:
            connection = CONTEXT.wrap_socket(connection, server_side=True)
            certificate = connection.getpeercert() or {}
            names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
            seen.update(
                name=getattr(connection, "asked_name", None), version=connection.version(),
                cipher=connection.cipher()[0], resumed=connection.session_reused, subject=(names or [None])[0])
        stream = connection.makefile("rwb")
        stream.write(b"* OK [CAPABILITY IMAP4rev1 LITERAL+] ready\r\n")
        stream.flush()
        line = stream.readline()
        while sizes := re.search(rb"\{(\d+)\+\}\r\n$", line):
            line = stream.read(int(sizes[1])) + stream.readline()
        with open(OPTIONS["records"], "a") as records:
            records.write(json.dumps(seen) + "\n")
        stream.write(b"a1 OK in\r\n")
        stream.flush()
        while stream.readline():
            pass


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        # Whoever fails the handshake is what a test wants to see elsewhere.
        pass


with Server((HOST, 0), Handler) as server:
    print(f"listening {server.server_address[1]}", flush=True)
    server.serve_forever()
