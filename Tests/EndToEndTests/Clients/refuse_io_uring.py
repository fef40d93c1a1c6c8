"""Starts a program under a seccomp filter that refuses io_uring, as Docker's default profile does.

Usage: refuse_io_uring.py [CALL] PROGRAM [ARGUMENT …]

io_uring_setup, io_uring_enter and io_uring_register fail with EPERM, or only CALL, which is one of these; everything
else is allowed.
The numbers of the three calls are the same on every architecture.
"""

import ctypes
import errno
import os
import struct
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EPERM
NUMBERS = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}

command = sys.argv[1:]
refused = [NUMBERS[command.pop(0)]] if command[0] in NUMBERS else list(NUMBERS.values())


def instruction(code, jump_true, jump_false, value):
    return struct.pack("=HBBI", code, jump_true, jump_false, value)


program = instruction(LOAD_WORD, 0, 0, 0)  # the number of the system call
for index, call in enumerate(refused):
    program += instruction(JUMP_EQUAL, len(refused) - index, 0, call)
program += instruction(RETURN, 0, 0, ALLOW) + instruction(RETURN, 0, 0, REFUSE)


class FilterProgram(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
filter_program = FilterProgram(len(program) // 8, program)

for arguments in (
    (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
    (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(filter_program), 0, 0),
):
    if libc.prctl(*arguments) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")

for call in refused:
    # Of these arguments the kernel itself would say something else.
    if libc.syscall(call, -1, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.EPERM:
        sys.exit(f"the filter does not refuse system call {call}")

os.execvp(command[0], command)
