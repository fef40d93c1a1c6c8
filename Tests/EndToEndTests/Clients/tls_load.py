"""Logs in over IMAPS again and again while other sessions are held, until a file exists.

Usage: tls_load.py HOST PORT LOGIN_LINE HELD STOP_FILE

Opens HELD sessions, prints "holding", then logs in from four threads without a pause. When STOP_FILE
exists it says NOOP on each held session and prints one JSON object: "logins" and "failures" (texts), and
"held", the number of held sessions that answered.
"""

import json
import os
import socket
import ssl
import sys
import threading
import time

HOST, PORT, LOGIN, HELD, STOP = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), sys.argv[5]
DEADLINE = time.monotonic() + 120
made = ssl.create_default_context()
made.check_hostname = False
made.verify_mode = ssl.CERT_NONE
logins, failures = [], []


def log_in():
    plain = socket.create_connection((HOST, PORT), timeout=30)
    stream = made.wrap_socket(plain, server_hostname="gateway.example.test").makefile("rwb")
    ask(stream, None, b"* OK")
    ask(stream, LOGIN.encode(), b"a1 OK")
    return stream


def ask(stream, line, expected):
    if line:
        stream.write(line + b"\r\n")
        stream.flush()
    answer = stream.readline()
    while answer.startswith(b"* ") and not expected.startswith(b"* "):
        answer = stream.readline()
    if not answer.startswith(expected):
        raise OSError(f"heard {answer!r}")


def work():
    while not os.path.exists(STOP) and time.monotonic() < DEADLINE:
        try:
            with log_in() as stream:
                ask(stream, b"a2 NOOP", b"a2 OK")
            logins.append(1)
        except (OSError, ssl.SSLError) as error:
            failures.append(str(error))


held = [log_in() for _ in range(HELD)]
print("holding", flush=True)
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
alive = 0
for stream in held:
    try:
        ask(stream, b"a3 NOOP", b"a3 OK")
        alive += 1
    except (OSError, ssl.SSLError) as error:
        failures.append(f"held: {error}")
print(json.dumps({"logins": len(logins), "failures": failures, "held": alive}))
