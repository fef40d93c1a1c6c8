import MailSessions

/// The directives of `mail {}` and `server {}` that belong to no protocol.
enum MailDirectives {
    static let listen = Setting(
        "listen", in: .server, .listen, shown: "none; at least one is required", repetition: .adds,
        "Where the server takes clients: a port on all IPv4 addresses, an address and a port, a range of ports, a host "
            + "name (looked up once, all its addresses count) or a unix socket. "
            + "With `proxy_protocol` every connection must begin with a PROXY header, version 1 or 2, before TLS; who "
            + "sends none within `timeout` is closed without a word. `backlog` (\(ListenSettings.backlogDefault)), `rcvbuf`, `sndbuf`, "
            + "`ipv6only` (on) and `so_keepalive` are those of the socket. `bind` gives the address a socket of its own "
            + "although another `listen` has a wildcard with the same port; the other socket options imply it. "
            + "`reuseport` gives each worker a socket of its own, `multipath` lets clients use Multipath TCP where the "
            + "kernel has it. `ssl` begins each connection with TLS. An address and port belongs to "
            + "one server only, unless TLS tells which one a client wants (`server_name`); its options are then those of "
            + "the first.")

    static let mailProtocol = Setting(
        "protocol", in: .server, protocolName, shown: "by port", repetition: .replaces,
        "The protocol of the server. Without it the first `listen` with a well-known port decides: 143 and 993 are "
            + "IMAP, 110 and 995 POP3, 25, 465 and 587 SMTP.")

    static let serverName = Setting(
        "server_name", in: [.mail, .server], .text("name"), shown: "the host name",
        "The name in greetings, in replies to HELO and EHLO, in salts, and in HELO towards SMTP back-ends. Servers "
            + "with TLS may share an address: clients that ask for a name at the beginning of TLS (SNI) get the server "
            + "of that name, else of the longest wildcard such as `*.example.org`, else the first one, and from there "
            + "on are that server's in everything.")

    static let timeout = Setting(
        "timeout", in: [.mail, .server], .time, default: "60s",
        "How long a client has from the greeting to its login. It is one budget, not a time of silence.")

    static let maxErrors = Setting(
        "max_errors", in: [.mail, .server], .number(0...1_000_000), default: "5",
        "How many commands that are no commands at all end the session.")

    static let maxConnections = Setting(
        "max_connections", in: [.mail, .server], .number(1...(1 << 24)), shown: "none",
        "How many clients a server has at once in each worker. One more is told to come back later. Not in nginx.")

    static let bareLineFeed = Setting(
        "bare_line_feed", in: [.mail, .server], bareLineFeedPolicy, shown: "refuse for SMTP, accept for IMAP and POP3",
        "What a line means before the login that ends with LF without CR. `refuse` answers it as an error: servers that "
            + "disagree about such lines can be made to see different mail (SMTP smuggling). Not in nginx, which accepts."
    )

    /// All rows.
    static let rows: [Directive] =
        [
            Directive(
                name: "mail", contexts: .main, arguments: .none, syntax: "",
                manual: "Holds the servers and the values that they share.", action: .block(.mail)),
            Directive(
                name: "server", contexts: .mail, arguments: .none, syntax: "", repetition: .adds,
                manual: "One server: a protocol, where it listens, who decides about logins, and where they go.",
                action: .block(.server)),
            Directive(
                name: "upstream", contexts: .mail, arguments: .one, syntax: "*name*", repetition: .adds,
                manual: "A group of back-ends that stand for one another, for `proxy_pass` and for authenticators to "
                    + "name. Without a method it is smooth weighted round robin. Each worker counts connections and "
                    + "failures by itself, and a reload keeps what is known of members that did not change. When all "
                    + "members have failed lately they are tried all the same, which nginx does not.",
                action: .block(.upstream)),
            listen.directive, mailProtocol.directive, serverName.directive, timeout.directive, maxErrors.directive,
            maxConnections.directive, bareLineFeed.directive,
        ]

    private static let bareLineFeedPolicy = ValueSyntax<BareLineFeedPolicy>.choice([
        ("accept", .accept), ("refuse", .refuse),
    ])

    private static let protocolName = ValueSyntax<MailProtocol>(
        .one, MailProtocol.allCases.map(\.rawValue).joined(separator: " | ")
    ) { (statement, _, _) throws(ConfigurationError) in
        guard let name = MailProtocol(rawValue: statement.arguments[0]) else {
            throw statement.error(
                "unknown protocol \(quoted(statement.arguments[0]))",
                accepted: oneOf(MailProtocol.allCases.map(\.rawValue)))
        }
        return name
    }
}
