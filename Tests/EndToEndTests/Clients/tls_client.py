"""A client with TLS: Python's ssl, by itself or behind STARTTLS.

Usage: tls_client.py HOST PORT PROTOCOL implicit|starttls JSON

JSON may hold: "ca" (a file; without it nothing is verified), "name" (for SNI and verification), "cert" and
"key" (files), "prefix" (said in clear before all else), "inject" (said in clear right behind the agreement to TLS, in the same segment), "say" (lines
to be said inside, one after the other's answer), "resume" (connect twice and go on with the session), "alpn"
(a list), "hold" (print "holding" and stay silent until this file exists, then say NOOP). Prints one JSON object: "clear" and "secure" (lines heard before and inside TLS), "version",
"cipher", "alpn", "resumed", "lifetime" (of the ticket, in seconds), and "error" where the handshake failed.
"""
import json
import os
import socket
import ssl
import sys
import time

START = {"imap": b"s1 STARTTLS\r\n", "pop3": b"STLS\r\n", "smtp": b"STARTTLS\r\n"}


def context(options):
    made = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=options.get("ca"))
    if "ca" not in options:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    if "cert" in options:
        made.load_cert_chain(options["cert"], options["key"])
    if "alpn" in options:
        made.set_alpn_protocols(options["alpn"])
    if "version" in options:
        made.minimum_version = made.maximum_version = getattr(ssl.TLSVersion, options["version"])
    return made


def line(stream):
    return stream.readline().decode("utf-8", "replace").rstrip("\r\n")


def talk(host, port, protocol, mode, options, made, session=None):
    report = {"clear": [], "secure": []}
    plain = socket.create_connection((host, port), timeout=15)
    if "prefix" in options:
        # MSG_MORE: it leaves in one segment with the beginning of the handshake.
        plain.send(options["prefix"].encode(), 0x8000)
    if mode == "starttls":
        stream = plain.makefile("rb", buffering=0)
        report["clear"].append(line(stream))
        plain.sendall(START[protocol] + options.get("inject", "").encode())
        report["clear"].append(line(stream))
    try:
        secure = made.wrap_socket(plain, server_hostname=options.get("name", host), session=session)
    except (ssl.SSLError, OSError) as error:
        report["error"] = str(error)
        return report, None
    report.update(version=secure.version(), cipher=secure.cipher()[0], alpn=secure.selected_alpn_protocol())
    stream = secure.makefile("rb")
    try:
        if mode == "implicit":
            report["secure"].append(line(stream))
        for words in options.get("say", []):
            secure.sendall(words.encode() + b"\r\n")
            report["secure"].append(line(stream))
        if "hold" in options:
            print("holding", flush=True)
            deadline = time.monotonic() + 120
            while not os.path.exists(options["hold"]) and time.monotonic() < deadline:
                time.sleep(0.05)
            secure.sendall(b"held NOOP\r\n")
            report["secure"].append(line(stream))
        if options.get("toEnd"):
            report["secure"] += [part.decode() for part in stream.read().split(b"\r\n") if part]
    except OSError as error:
        report["error"] = str(error)
    report["resumed"] = secure.session_reused
    kept = secure.session
    if kept:
        report["lifetime"] = kept.ticket_lifetime_hint
    secure.close()
    return report, kept


def main():
    host, port, protocol, mode = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
    options = json.loads(sys.argv[5])
    made = context(options)
    report, session = talk(host, port, protocol, mode, options, made)
    if options.get("resume"):
        report, _ = talk(host, port, protocol, mode, options, made, session)
    print(json.dumps(report))


main()
