"""A session with poplib.

Usage: pop3_client.py HOST PORT LOGIN PASSWORD

Prints JSON: subject and SHA-256 of the body of every message.
A failed login prints {"error": TEXT} and exits 1.
"""

import email
import hashlib
import json
import poplib
import sys

host, port, login, password = sys.argv[1:5]
client = poplib.POP3(host, int(port), timeout=30)
try:
    client.user(login)
    client.pass_(password)
except poplib.error_proto as error:
    print(json.dumps({"error": str(error)}))
    sys.exit(1)

messages = []
for number in range(1, client.stat()[0] + 1):
    data = b"\r\n".join(client.retr(number)[1]) + b"\r\n"
    message = email.message_from_bytes(data)
    body = data.partition(b"\r\n\r\n")[2]
    messages.append({
        "subject": message["Subject"],
        "whole": hashlib.sha256(data).hexdigest(),
        "body": hashlib.sha256(body).hexdigest(),
    })
client.quit()
print(json.dumps({"folders": [], "messages": messages}))
