"""openssl s_client, which logs in over TLS 1.3 and takes new keys time and again, as it does at a line "K" or "k".

Usage: key_updates.py HOST PORT CA-FILE LOGIN-LINE

Prints how many commands were answered; ends with 1 where one was not.
"""
import subprocess
import sys

host, port, authorities, login = sys.argv[1:]
client = subprocess.Popen(
    ["/usr/bin/openssl", "s_client", "-connect", f"{host}:{port}", "-CAfile", authorities, "-verify_return_error",
     "-crlf"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def say(line):
    client.stdin.write(line.encode() + b"\n")
    client.stdin.flush()


def wait(words):
    """Reads lines up to one that begins with `words`."""
    for line in client.stdout:
        if line.startswith(words.encode()):
            return
    sys.exit(f"no {words!r}")


wait("* OK")
# "K" asks us for new keys as well, "k" announces those of the client.
for keys in "kK":
    say(keys)
    wait("KEYUPDATE")
say(login)
wait("a1 OK")
for count in range(1, 21):
    for _ in range(count % 3):
        say("K" if count % 2 else "k")
        wait("KEYUPDATE")
    say(f"n{count} NOOP")
    wait(f"n{count} OK")
say("bye LOGOUT")
wait("bye OK")
client.stdin.close()
client.wait(timeout=15)
print(count)
