"""A session with smtplib.

Usage: smtp_client.py HOST PORT LOGIN PASSWORD SENDER RECIPIENT FILE

Logs in and sends FILE. A failure prints {"error": TEXT} and exits 1.
"""

import json
import smtplib
import sys

host, port, login, password, sender, recipient, path = sys.argv[1:8]
with open(path, "rb") as file:
    message = file.read()
try:
    with smtplib.SMTP(host, int(port), local_hostname="client.example.test", timeout=30) as client:
        client.login(login, password)
        client.sendmail(sender, [recipient], message)
except smtplib.SMTPException as error:
    print(json.dumps({"error": str(error)}))
    sys.exit(1)
print(json.dumps({"folders": [], "messages": []}))
