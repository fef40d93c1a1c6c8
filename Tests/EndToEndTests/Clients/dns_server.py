"""A name server for the end-to-end tests that also does what name servers should not.

Usage: dns_server.py HOST RECORDS SCRIPT

SCRIPT is JSON: {"name kind": {...}} with the kinds A, AAAA and PTR and these keys:
  "data"      the addresses or names to answer with
  "then"      the data from the second question on, if it is another
  "ttl"       their lifetime, 60 by default
  "rcode"     the response code, 0 by default
  "silent"    no answer at all
  "garbage"   bytes that are no answer
  "wrong_id"  the answer has another id than the question
  "loop"      the name of the answer points to itself
What the script does not know is NXDOMAIN. Every question is appended to RECORDS as a line.
Prints "listening PORT" once it does.
"""

import ipaddress
import json
import socket
import struct
import sys

HOST, RECORDS, SCRIPT = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
KINDS = {1: "A", 12: "PTR", 28: "AAAA"}


def wire(name):
    labels = [label.encode("latin-1") for label in name.split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def question(message):
    labels, offset = [], 12
    while message[offset]:
        labels.append(message[offset + 1:offset + 1 + message[offset]].decode("latin-1"))
        offset += 1 + message[offset]
    kind = struct.unpack("!H", message[offset + 1:offset + 3])[0]
    return ".".join(labels), kind, message[12:offset + 5]


def data(kind, value):
    return wire(value) if kind == 12 else ipaddress.ip_address(value).packed


def answer(message):
    name, kind, asked = question(message)
    with open(RECORDS, "a", encoding="utf-8") as file:
        file.write(f"{name} {KINDS.get(kind, kind)}\n")
    rule = SCRIPT.get(f"{name} {KINDS.get(kind, kind)}", {"rcode": 3})
    if rule.get("silent"):
        return None
    if rule.get("garbage"):
        return b"\xff" * 40
    identity = message[:2] if not rule.get("wrong_id") else bytes([message[0] ^ 1, message[1]])
    values = rule.get("data", [])
    if rule.get("then"):
        rule["data"] = rule.pop("then")
    reply = identity + struct.pack("!BBHHHH", 0x81, 0x80 | rule.get("rcode", 0), 1, len(values), 0, 0) + asked
    for value in values:
        content = data(kind, value)
        owner = struct.pack("!H", 0xC000 | len(reply)) if rule.get("loop") else b"\xc0\x0c"
        reply += owner + struct.pack("!HHIH", kind, 1, rule.get("ttl", 60), len(content)) + content
    return reply


server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind((HOST, 0))
print("listening", server.getsockname()[1], flush=True)
while True:
    message, peer = server.recvfrom(4096)
    reply = answer(message)
    if reply is not None:
        server.sendto(reply, peer)
