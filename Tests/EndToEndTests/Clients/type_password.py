"""Runs a program on a terminal of its own and answers its prompts.

usage: type_password.py ANSWER... -- PROGRAM ARGUMENT...

Each answer is typed after the next prompt (a text that ends with ": "). What the terminal showed is
printed, and the exit code is the program's.
"""

import os
import pty
import sys

words = sys.argv[1:]
answers, command = words[: words.index("--")], words[words.index("--") + 1 :]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
shown = b""
unanswered = b""
while True:
    try:
        received = os.read(terminal, 4096)
    except OSError:
        break
    if not received:
        break
    shown += received
    unanswered += received
    if unanswered.endswith(b": ") and answers:
        os.write(terminal, answers.pop(0).encode() + b"\n")
        unanswered = b""
_, status = os.waitpid(child, 0)
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(status))
