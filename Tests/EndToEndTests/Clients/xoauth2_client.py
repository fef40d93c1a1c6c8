"""Python's mail libraries with a token: curl prefers OAUTHBEARER wherever it is offered.

Usage: xoauth2_client.py HOST PORT PROTOCOL LOGIN TOKEN [FILE SENDER RECIPIENT]

With IMAP and POP3 prints the first message; with SMTP sends the one in FILE.
"""
import base64
import imaplib
import poplib
import smtplib
import sys

HOST, PORT, PROTOCOL, LOGIN, TOKEN = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]
RESPONSE = f"user={LOGIN}\1auth=Bearer {TOKEN}\1\1"


def imap():
    with imaplib.IMAP4(HOST, PORT, timeout=15) as client:
        # Asked a second time, the client has nothing to say but that it has heard.
        answers = iter([RESPONSE.encode(), b""])
        client.authenticate("XOAUTH2", lambda challenge: next(answers))
        client.select("INBOX")
        print(client.fetch("1", "(RFC822)")[1][0][1].decode())


def pop3():
    client = poplib.POP3(HOST, PORT, timeout=15)
    answer = client._shortcmd("AUTH XOAUTH2 " + base64.b64encode(RESPONSE.encode()).decode())
    if answer.startswith(b"+ "):
        # Why not; the client has heard, and the refusal follows.
        client._shortcmd("")
    print(b"\n".join(client.retr(1)[1]).decode())
    client.quit()


def smtp():
    file, sender, recipient = sys.argv[6:9]
    with smtplib.SMTP(HOST, PORT, timeout=15) as client, open(file, encoding="utf-8") as message:
        client.ehlo("client.example.test")
        client.auth("XOAUTH2", lambda challenge=None: RESPONSE if challenge is None else "")
        client.sendmail(sender, recipient, message.read().encode())


{"imap": imap, "pop3": pop3, "smtp": smtp}[PROTOCOL]()
