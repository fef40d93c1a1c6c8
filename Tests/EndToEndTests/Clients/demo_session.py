"""Runs the gateway's demo as a newcomer would, in a network namespace of its own.

Usage: demo_session.py GATEWAY
       demo_session.py --probe

The demo listens on fixed ports; in a namespace of its own these are free. Starts `GATEWAY run`,
waits until it has printed commands for IMAP, POP3 and SMTP, runs each of them as printed, and
prints JSON: what the gateway said, the commands with status and output, and how many messages the
mailbox held before and after. With --probe only tries whether such a namespace can be made.
"""

import ctypes
import fcntl
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCSIFFLAGS, IFF_UP_AND_RUNNING = 0x8914, 0x1 | 0x40
DEADLINE = 30


def leave_network():
    libc = ctypes.CDLL(None, use_errno=True)
    flags = CLONE_NEWNET if os.geteuid() == 0 else CLONE_NEWNET | CLONE_NEWUSER
    if libc.unshare(flags) != 0:
        sys.exit(f"unshare: {os.strerror(ctypes.get_errno())}")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        fcntl.ioctl(handle, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP_AND_RUNNING))


def printed_commands(text):
    """The lines that call curl, with their continuations, without a prompt."""
    joined = re.sub(r"\\\n\s*", " ", text)
    lines = [re.sub(r"^\s*\$?\s*", "", line) for line in joined.splitlines()]
    return [line for line in lines if re.search(r"\bcurl\s", line) and "://" in line]


def is_complete(commands):
    return all(any(f"{scheme}://" in command for command in commands) for scheme in ("imap", "pop3", "smtp"))


def message_count(commands):
    """Asks the IMAP server of the printed commands, as the account they use."""
    command = next(command for command in commands if "imap://" in command)
    server = re.search(r"imap://([^/\s'\"]+)", command).group(1)
    account = re.search(r"(?:--user|-u)[ =]*('[^']*'|\"[^\"]*\"|\S+)", command).group(1).strip("'\"")
    status = subprocess.run(
        ["curl", "-sS", "--max-time", "10", "-u", account, f"imap://{server.split('@')[-1]}/",
         "-X", "STATUS INBOX (MESSAGES)"], capture_output=True, text=True, check=False)
    found = re.search(r"MESSAGES (\d+)", status.stdout)
    return int(found.group(1)) if found else -1


def main():
    leave_network()
    if sys.argv[1] == "--probe":
        return
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        gateway = subprocess.Popen([sys.argv[1], "run"], stdout=output, stderr=subprocess.STDOUT)
        try:
            print(json.dumps(session(gateway, output)))
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(10)


def session(gateway, output):
    deadline = time.monotonic() + DEADLINE
    commands, said = [], ""
    while not (is_complete(commands) and said.endswith("\n")):
        if gateway.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"the gateway printed no commands for all protocols: {said}")
        output.seek(0)
        said = output.read()
        commands = printed_commands(said)
        time.sleep(0.01)

    before = message_count(commands)
    results = []
    for command in commands:
        run = subprocess.run(
            ["bash", "-c", command], capture_output=True, text=True, timeout=20, check=False,
            stdin=subprocess.DEVNULL)
        results.append({"command": command, "status": run.returncode, "output": run.stdout + run.stderr})
    return {"said": said, "commands": results, "before": before, "after": message_count(commands)}


main()
