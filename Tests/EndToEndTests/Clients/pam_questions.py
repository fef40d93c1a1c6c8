"""Plays master and worker for a PAM helper: says what it may ask, asks, and prints the answers.

usage: pam_questions.py DIRECTORY PROGRAM ARGUMENT...

The helper may ask the service "mail" of DIRECTORY. Prints a line per question, "name kind code", or
"name none" where the helper hung up without an answer, and at last "exit N", the helper's exit code after
nobody is left who could ask.
"""

import array
import socket
import subprocess
import sys

directory, command = sys.argv[1].encode(), sys.argv[2:]


def fields(*values):
    return b"".join(len(value).to_bytes(2, "big") + value for value in values)


def question(service=b"mail", place=directory, user=b"ann", address=b"192.0.2.1", password=b"secret"):
    return fields(service, place, user, address, password)


asking, answering = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
control.send(fields(b"", b"mail", directory))
helper = subprocess.Popen(
    command + [str(answering.fileno()), str(other.fileno())], pass_fds=(answering.fileno(), other.fileno())
)
answering.close()
other.close()


def ask(name, message, ends=1):
    own, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    rights = array.array("i", [theirs.fileno()] * ends)
    asking.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if ends else [])
    theirs.close()
    own.settimeout(20)
    answer = own.recv(16)
    print(name, *(answer or [b"none".decode()]))


ask("right", question())
ask("other-service", question(service=b"other"))
ask("other-directory", question(place=b"/etc/pam.d"))
ask("system-directory", question(place=b""))
ask("path-as-service", question(service=b"../mail"))
ask("path-as-user", question(user=b"../ann"))
ask("two-users", question(user=b"ann\0bob"))
ask("two-lines", question(user=b"ann\nbob"))
ask("no-password", question(password=b""))
ask("cut", question()[:-1])
ask("trailing", question() + b"x")
ask("nothing", b"\0")
ask("endless", b"x" * 60000)
ask("no-way-back", question(), ends=0)
ask("two-ways-back", question(), ends=2)
control.send(fields(b""))
ask("no-service-any-more", question())
control.close()
ask("without-a-master", question())
asking.close()
print("exit", helper.wait(20))
