"""An auth_http service for the end-to-end tests.

Usage: auth_service.py HOST RECORDS SETTINGS

SETTINGS is JSON: {"accounts": {login: password}, "servers": {protocol: [host, port]}} (0 for no port), and perhaps
"headers": {name: value}, added to each success, "tokens": {token: login} for OAUTHBEARER and XOAUTH2, and
"tls": [certificate, key], files for https. EXTERNAL needs a verified certificate and an account of that name.
Every request is appended to RECORDS as one JSON line: the number of the TCP connection it came
on, the request line and the headers in their order. Prints "listening PORT" once it does.

The path of the request chooses how the service behaves:
  /auth       keep-alive; a wrong password is refused for good
  /wait       the same, and a wrong password may be tried again after a second (Auth-Wait)
  /close      announces Connection: close with each answer, and closes
  /hangup     announces nothing, and closes after each answer all the same
  /http10     answers as HTTP/1.0, and closes
  /slow       never answers
  /garbage    answers with bytes that are no HTTP
  /early      closes without an answer
  /half       closes in the middle of an answer
  /broken     answers 503, and nothing about the login
  /nowhere    says OK, but not where to go
  /introspect?token=TOKEN&…   says as JSON whether a token is good, and whose it is (RFC 7662)
"""

import base64
import hashlib
import hmac
import http.server
import itertools
import json
import ssl
import sys
import threading
from urllib.parse import unquote_to_bytes

HOST, RECORDS, SETTINGS = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
connections = itertools.count(1)
record_lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        self.connection_number = next(connections)

    def do_GET(self):
        self.record()
        if self.path.startswith("/introspect?token="):
            return self.introspect(self.path.removeprefix("/introspect?token=").partition("&")[0])
        behaviour = getattr(self, "do_" + self.path.strip("/"), None)
        if behaviour is None:
            self.answer([("Auth-Status", "no such path")])
        else:
            behaviour()

    def record(self):
        entry = {
            "connection": self.connection_number,
            "line": self.requestline,
            "headers": [[name, value] for name, value in self.headers.items()],
        }
        with record_lock, open(RECORDS, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def introspect(self, token):
        login = (SETTINGS.get("tokens") or {}).get(unquote_to_bytes(token).decode())
        content = json.dumps({"active": "true", "username": login} if login else {"active": "false"}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def is_right(self, login, shown):
        """Whether what the client has shown proves that it is `login`."""
        method = self.headers["Auth-Method"]
        password = SETTINGS["accounts"].get(login)
        salt = (self.headers["Auth-Salt"] or "").encode()
        if method in ("oauthbearer", "xoauth2"):
            owner = (SETTINGS.get("tokens") or {}).get(shown)
            return owner is not None and login in (owner, "")
        if password is None:
            return False
        if method == "cram-md5":
            return hmac.new(password.encode(), salt, "md5").hexdigest() == shown
        if method == "apop":
            return hashlib.md5(salt + password.encode()).hexdigest() == shown
        if method == "external":
            return self.headers["Auth-SSL-Verify"] == "SUCCESS"
        return password == shown

    def decide(self, wait=None):
        login = unquote_to_bytes(self.headers["Auth-User"]).decode("utf-8", "replace")
        shown = unquote_to_bytes(self.headers["Auth-Pass"]).decode("utf-8", "replace")
        if not self.is_right(login, shown):
            refusal = [("Auth-Status", "Invalid login or password")]
            if self.headers["Auth-Method"] in ("oauthbearer", "xoauth2"):
                reason = {"status": "invalid_token", "schemes": "bearer", "scope": "mail"}
                refusal.append(("Auth-Error-SASL", base64.b64encode(json.dumps(reason).encode()).decode()))
            return refusal + ([("Auth-Wait", wait)] if wait else [])
        host, port = SETTINGS["servers"][self.headers["Auth-Protocol"]]
        extra = list((SETTINGS.get("headers") or {}).items())
        if not login:
            extra.append(("Auth-User", SETTINGS["tokens"][shown]))
        where = [("Auth-Server", host)] + ([("Auth-Port", str(port))] if port else [])
        return [("Auth-Status", "OK")] + where + extra

    def answer(self, headers):
        self.send_response(200)
        for name, value in headers + [("Content-Length", "0")]:
            self.send_header(name, value)
        self.end_headers()

    def do_auth(self):
        self.answer(self.decide())

    def do_wait(self):
        self.answer(self.decide(wait="1"))

    def do_close(self):
        self.answer(self.decide() + [("Connection", "close")])

    def do_hangup(self):
        self.answer(self.decide())
        self.close_connection = True

    def do_http10(self):
        lines = ["HTTP/1.0 200 OK"] + [f"{name}: {value}" for name, value in self.decide()]
        self.write("\r\n".join(lines).encode() + b"\r\n\r\n")

    def do_slow(self):
        self.connection.settimeout(60)
        self.rfile.read(1)
        self.close_connection = True

    def do_garbage(self):
        self.write(b"\x00\xff\xfe:::: no protocol at all\r\n\r\n")

    def do_early(self):
        self.write(b"")

    def do_half(self):
        self.write(b"HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nAuth-Ser")

    def do_broken(self):
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_nowhere(self):
        self.answer([("Auth-Status", "OK")])

    def write(self, data):
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *arguments):
        """The records say everything; standard error is for faults."""


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A peer that hangs up is part of the tests."""


server = Server((HOST, 0), Handler)
if SETTINGS.get("tls"):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*SETTINGS["tls"])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("listening", server.server_address[1], flush=True)
server.serve_forever()
