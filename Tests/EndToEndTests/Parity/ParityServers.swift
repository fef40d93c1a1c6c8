/// The servers of the Parity tables, by name: their protocol, and what their configuration says.
enum ParityServers {
    static let all: [(name: String, mail: Mail, directives: [String])] = [
        ("imap", .imap, []),
        ("imap-all", .imap, ["imap_auth plain login cram-md5 external;", "imap_capabilities IMAP4rev1 \"X Y\" IDLE;"]),
        ("imap-login", .imap, ["imap_auth login;"]),
        ("imap-errors", .imap, ["max_errors 2;", "imap_client_buffer 256;"]),
        ("imap-noerrors", .imap, ["max_errors 0;"]),
        ("imap-pass", .imap, ["proxy_pass_error_message on;", "proxy_buffer 512;"]),
        ("imap-proxy", .imap, ["proxy_protocol on;", "auth_http_header X-Key \"a  b%\";", "auth_http_header X-2 2;"]),
        ("pop3", .pop3, []),
        ("pop3-all", .pop3, ["pop3_auth plain apop cram-md5 external;", "pop3_capabilities TOP \"X Y\" UIDL USER;"]),
        ("pop3-apop", .pop3, ["pop3_auth apop;"]),
        ("pop3-errors", .pop3, ["max_errors 2;"]),
        ("pop3-noerrors", .pop3, ["max_errors 0;"]),
        ("pop3-pass", .pop3, ["proxy_pass_error_message on;"]),
        ("smtp", .smtp, ["smtp_capabilities \"SIZE 1000\" 8BITMIME;"]),
        ("smtp-all", .smtp, ["smtp_auth plain login cram-md5 external;"]),
        ("smtp-none", .smtp, ["smtp_auth none;"]),
        ("smtp-mixed", .smtp, ["smtp_auth plain none;", "xclient off;"]),
        ("smtp-noxclient", .smtp, ["xclient off;"]),
        ("smtp-login", .smtp, ["proxy_smtp_auth on;"]),
        ("smtp-login-noxclient", .smtp, ["proxy_smtp_auth on;", "xclient off;", "proxy_pass_error_message on;"]),
        ("smtp-proxy", .smtp, ["proxy_protocol on;"]),
        ("smtp-errors", .smtp, ["max_errors 2;", "smtp_client_buffer 256;"]),
        ("smtp-noerrors", .smtp, ["max_errors 0;"]),
        ("smtp-delay", .smtp, ["smtp_greeting_delay 200ms;"]),
    ]
}
