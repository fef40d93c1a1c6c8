"""Logs in over IMAPS at a steady rate while other sessions are held, until a file exists.

Usage: tls_load.py HOST PORT LOGIN_LINE HELD RATE STOP_FILE

Opens HELD sessions, prints "holding", then begins RATE logins per second; where the other side does not keep up, as
many as it can with 64 at once. When STOP_FILE exists it says NOOP on each held session and prints one JSON object:
"logins" and "failures" (texts), "held", the number of held sessions that answered, and "certificates", the SHA-256
digests of the certificates that logins saw, each once, in the order of their first appearance.
"""

import concurrent.futures
import hashlib
import json
import os
import socket
import ssl
import sys
import threading
import time

HOST, PORT, LOGIN = sys.argv[1], int(sys.argv[2]), sys.argv[3]
HELD, RATE, STOP = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
AT_ONCE = 64
DEADLINE = time.monotonic() + 120
made = ssl.create_default_context()
made.check_hostname = False
made.verify_mode = ssl.CERT_NONE
logins, failures, certificates = [], [], []
room = threading.Semaphore(AT_ONCE)
lock = threading.Lock()


def log_in():
    plain = socket.create_connection((HOST, PORT), timeout=30)
    secure = made.wrap_socket(plain, server_hostname="gateway.example.test")
    digest = hashlib.sha256(secure.getpeercert(binary_form=True)).hexdigest()
    with lock:
        if digest not in certificates:
            certificates.append(digest)
    stream = secure.makefile("rwb")
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


def once():
    try:
        with log_in() as stream:
            ask(stream, b"a2 NOOP", b"a2 OK")
        logins.append(1)
    except (OSError, ssl.SSLError) as error:
        failures.append(str(error))
    finally:
        room.release()


held = [log_in() for _ in range(HELD)]
print("holding", flush=True)
with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
    due = time.monotonic()
    while not os.path.exists(STOP) and time.monotonic() < DEADLINE:
        time.sleep(max(0, due - time.monotonic()))
        # Whoever is late begins anew, rather than with a burst.
        due = max(due, time.monotonic() - 0.1) + 1 / RATE
        room.acquire()
        pool.submit(once)
alive = 0
for stream in held:
    try:
        ask(stream, b"a3 NOOP", b"a3 OK")
        alive += 1
    except (OSError, ssl.SSLError) as error:
        failures.append(f"held: {error}")
print(json.dumps({"logins": len(logins), "failures": failures, "held": alive, "certificates": certificates}))
