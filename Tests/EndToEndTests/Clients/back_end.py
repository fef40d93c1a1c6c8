"""A mail server that misbehaves on purpose, or behaves and remembers every byte.

Usage: back_end.py HOST PROTOCOL MODE RECORDS [PORT]

MODE:
  ok        logs everybody in, answers each further line once, and appends what it received after
            the login to RECORDS
  garbage   greets with bytes of no mail protocol
  close     closes at once
  halfway   greets, and closes at the first command
  silent    never says anything
  refuse    greets, and refuses the login
  together  as ok, but answers USER when PASS has come, too, and announces that it can (POP3), and takes XCLIENT
            without EHLO in front (SMTP), which ok does not
  touchy    as ok, but closes at CAPA (POP3) and at an XCLIENT without EHLO in front (SMTP)
  plain     greets, does not begin with TLS, and records every byte
  preauth   the same, and in IMAP says that the login is done
  inject    agrees to TLS with more bytes behind the agreement, and records every byte
Prints "listening PORT" once it does, and "from ADDRESS" for each connection.
"""

import re
import socketserver
import sys

HOST, PROTOCOL, MODE, RECORDS = sys.argv[1:5]
PORT = int(sys.argv[5]) if len(sys.argv) > 5 else 0
GREETING = {"imap": b"* OK ready\r\n", "pop3": b"+OK ready\r\n", "smtp": b"220 back ESMTP\r\n"}


class Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        print("from", self.client_address[0], flush=True)
        if MODE == "close":
            return
        if MODE == "garbage":
            self.wfile.write(b"\x16\x03\x01\xff\xfe what is this\r\n")
            self.drain()
        elif MODE == "silent":
            self.drain()
        else:
            if MODE in ("plain", "preauth", "inject"):
                return self.trap()
            self.wfile.write(GREETING[PROTOCOL])
            if MODE == "halfway":
                self.rfile.readline()
            else:
                getattr(self, PROTOCOL)()

    def trap(self):
        """Whoever wants TLS gets none; whatever it says is recorded."""
        greeting = GREETING[PROTOCOL]
        self.wfile.write(greeting.replace(b"OK", b"PREAUTH") if MODE == "preauth" else greeting)
        refusal = {"imap": b"%s BAD no\r\n", "pop3": b"-ERR no\r\n", "smtp": b"502 no\r\n"}[PROTOCOL]
        consent = {
            "imap": b"%s OK go\r\n%s OK injected\r\n", "pop3": b"+OK go\r\n+OK injected\r\n",
            "smtp": b"220 go\r\n250 injected\r\n",
        }[PROTOCOL]
        while line := self.rfile.readline():
            self.record(line)
            tag = line.split(b" ")[0]
            if line.startswith(b"EHLO"):
                self.wfile.write(b"250 back\r\n")
            elif MODE == "inject" and (b"STARTTLS" in line or b"STLS" in line):
                self.wfile.write(consent.replace(b"%s", tag))
            else:
                self.wfile.write(refusal.replace(b"%s", tag))

    def drain(self):
        self.connection.settimeout(60)
        while self.rfile.read1(4096):
            pass

    def record(self, data):
        with open(RECORDS, "ab") as file:
            file.write(data)

    def serve(self, answer):
        """After the login: each line is recorded and answered exactly once."""
        while line := self.rfile.readline():
            self.record(line)
            self.wfile.write(answer(line))

    def imap(self):
        line = self.rfile.readline()
        tag = line.split(b" ")[0]
        while literal := re.search(rb"\{(\d+)\}\r\n$", line):
            self.wfile.write(b"+ go\r\n")
            self.rfile.read(int(literal.group(1)))
            line = self.rfile.readline()
        if MODE == "refuse":
            self.wfile.write(tag + b" NO not here\r\n")
            return
        self.wfile.write(tag + b" OK Logged in\r\n")
        self.serve(lambda line: line.split(b" ")[0] + b" OK done\r\n")

    def pop3(self):
        if self.rfile.readline() == b"CAPA\r\n":
            print("asked", flush=True)
            if MODE == "touchy":
                return
            self.wfile.write(b"+OK\r\nPIPELINING\r\n.\r\n" if MODE == "together" else b"-ERR what?\r\n")
            self.rfile.readline()
        if MODE != "together":
            self.wfile.write(b"+OK\r\n")
        self.rfile.readline()
        if MODE == "together":
            self.wfile.write(b"+OK\r\n")
        if MODE == "refuse":
            self.wfile.write(b"-ERR not here\r\n")
            return
        self.wfile.write(b"+OK Logged in\r\n")
        self.serve(lambda line: b"+OK " + line.strip() + b"\r\n")

    def smtp(self):
        """Expects EHLO, XCLIENT and the client's own EHLO; the login is over after these."""
        line = self.rfile.readline()
        if MODE == "refuse":
            self.wfile.write(b"550 5.7.1 not here\r\n")
            return
        if line.startswith(b"XCLIENT"):
            print("at once", flush=True)
            if MODE == "touchy":
                return
            if MODE != "together":
                self.wfile.write(b"503 5.5.1 EHLO first\r\n")
                line = self.rfile.readline()
        if line.startswith(b"EHLO"):
            self.wfile.write(b"250-back\r\n250 XCLIENT\r\n")
            self.rfile.readline()
        self.wfile.write(b"220 back\r\n")
        self.rfile.readline()
        self.wfile.write(b"250 back\r\n")
        self.serve(lambda line: b"250 2.0.0 " + line.strip() + b"\r\n")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A peer that hangs up is part of the tests."""


server = Server((HOST, PORT), Handler)
print("listening", server.server_address[1], flush=True)
server.serve_forever()
