import AsyncIO

/// The configuration of `mailgateway run` without `-c`: readable, as an example, and complete.
enum DemoConfiguration {
    /// How messages name it; absolute, so that no prefix goes before it.
    static let path = "/built-in/demo.conf"

    /// The name and the password of the one account.
    static let account = "demo"

    /// The ports of the demo's back-end on the loopback address, chosen by the kernel.
    struct BackEndPorts: Sendable, Hashable {
        var imap: UInt16
        var pop3: UInt16
        var smtp: UInt16
    }

    /// Stand-ins while the text is only checked.
    static let placeholders = BackEndPorts(imap: 1, pop3: 1, smtp: 1)

    /// What to do when a port is taken.
    static let portHint =
        "The built-in demo needs the ports 1143, 1110 and 1025 of 127.0.0.1. Stop whoever has them, or write a "
        + "configuration of your own and start: mailgateway run -c FILE"

    /// nginx's language.
    static func text(backEnd: BackEndPorts) -> String {
        """
        # IMAP, POP3 and SMTP on unprivileged ports of this machine, in front of a small mail store in memory.

        error_log stderr info;

        events {
        }

        mail {
            server_name localhost;

            # One account; a real gateway asks a service (auth_http) or reads a file.
            auth_file "data:\(account):{PLAIN}\(account)";

            server {
                listen 127.0.0.1:1143;
                protocol imap;
                proxy_pass 127.0.0.1:\(backEnd.imap);
            }

            server {
                listen 127.0.0.1:1110;
                protocol pop3;
                proxy_pass 127.0.0.1:\(backEnd.pop3);
            }

            server {
                listen 127.0.0.1:1025;
                protocol smtp;
                proxy_pass 127.0.0.1:\(backEnd.smtp);

                # Tells the back-end who has logged in.
                xclient on;
            }
        }

        """
    }

    /// What to try, as a shell takes it, in an order that makes sense.
    static let commands: [(purpose: String, command: String)] = [
        ("List the mailbox over IMAP", "curl -s imap://127.0.0.1:1143/INBOX -u demo:demo"),
        ("Fetch its message", "curl -s 'imap://127.0.0.1:1143/INBOX;MAILINDEX=1' -u demo:demo"),
        ("List the messages over POP3", "curl -s pop3://127.0.0.1:1110/ -u demo:demo"),
        ("Fetch one", "curl -s pop3://127.0.0.1:1110/1 -u demo:demo"),
        (
            "Send one over SMTP",
            "printf 'Subject: Hello\\r\\n\\r\\nThis came through mailgateway.\\r\\n' | curl -s smtp://127.0.0.1:1025 "
                + "-u demo:demo --mail-from demo@example.com --mail-rcpt demo@example.com --upload-file -"
        ),
        ("Fetch what was sent", "curl -s 'imap://127.0.0.1:1143/INBOX;MAILINDEX=2' -u demo:demo"),
    ]
}
