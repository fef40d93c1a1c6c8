"""A session with imaplib.

Usage: imap_client.py HOST PORT LOGIN PASSWORD fetch
       imap_client.py HOST PORT LOGIN PASSWORD append FILE

Prints JSON: the capabilities, the folders, and subject and SHA-256 of every message in INBOX.
With append, FILE is appended first, as it is. A failed login prints {"error": TEXT} and exits 1.
"""

import email
import hashlib
import imaplib
import json
import sys

host, port, login, password, action = sys.argv[1:6]
client = imaplib.IMAP4(host, int(port), timeout=30)
try:
    client.login(login, password)
except imaplib.IMAP4.error as error:
    print(json.dumps({"error": str(error)}))
    sys.exit(1)

folders = [line.decode() for line in client.list()[1]]
if action == "append":
    with open(sys.argv[6], "rb") as file:
        assert client.append("INBOX", None, None, file.read())[0] == "OK"

count = int(client.select("INBOX")[1][0])
messages = []
for number in range(1, count + 1):
    data = client.fetch(str(number), "(BODY.PEEK[])")[1][0][1]
    message = email.message_from_bytes(data)
    body = data.partition(b"\r\n\r\n")[2]
    messages.append({
        "subject": message["Subject"],
        "whole": hashlib.sha256(data).hexdigest(),
        "body": hashlib.sha256(body).hexdigest(),
    })
client.logout()
print(json.dumps({"folders": folders, "messages": messages}))
