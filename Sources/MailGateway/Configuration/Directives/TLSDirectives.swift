/// nginx's TLS directives: known, so that nobody gets plain text who asked for TLS.
enum TLSDirectives {
    /// All rows; values that ask for no TLS are accepted.
    static let rows: [Directive] = [
        .unsupported("starttls", .choice([("off", false), ("on", true), ("only", true)]), "TLS on request.") { !$0 },
        .unsupported("ssl", .flag, "TLS on all ports of a server, as nginx before 1.25.1 had it.") { !$0 },
        .unsupported("ssl_certificate", .text("file"), "A certificate and its chain."),
        .unsupported("ssl_certificate_key", .text("file"), "The key of a certificate."),
        .unsupported("ssl_password_file", .text("file"), "Passphrases of keys."),
        .unsupported("ssl_certificate_compression", .flag, "Compressed certificates.") { !$0 },
        .unsupported("ssl_dhparam", .text("file"), "Parameters for DHE."),
        .unsupported("ssl_ecdh_curve", .text("curves"), "Curves for ECDHE."),
        .unsupported("ssl_protocols", .mask(versions), "Versions of TLS."),
        .unsupported("ssl_ciphers", .text("ciphers"), "Ciphers."),
        .unsupported("ssl_prefer_server_ciphers", .flag, "Whose order of ciphers counts.") { !$0 },
        .unsupported("ssl_session_cache", .words("cache", .oneOrTwo), "Sessions that can be resumed.") {
            $0 == ["off"] || $0 == ["none"]
        },
        .unsupported("ssl_session_tickets", .flag, "Resumption by tickets.") { !$0 },
        .unsupported("ssl_session_ticket_key", .text("file"), "Keys of tickets."),
        .unsupported("ssl_session_timeout", .time, "How long a session can be resumed."),
        .unsupported(
            "ssl_verify_client",
            .choice([("off", false), ("on", true), ("optional", true), ("optional_no_ca", true)]),
            "Certificates of clients."
        ) { !$0 },
        .unsupported("ssl_verify_depth", .number(0...100), "The longest chain of a client's certificate."),
        .unsupported("ssl_client_certificate", .text("file"), "Authorities for clients' certificates, named to them."),
        .unsupported("ssl_trusted_certificate", .text("file"), "Authorities for clients' certificates."),
        .unsupported("ssl_crl", .text("file"), "Revoked certificates."),
        .unsupported("ssl_conf_command", .words("name* *value", .two), "Commands for OpenSSL."),
    ]

    private struct Versions: OptionSet, Sendable {
        let rawValue: Int
    }

    private static let versions: [(word: String, value: Versions)] =
        ["sslv2", "sslv3", "tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3"].enumerated().map {
            ($0.element, Versions(rawValue: 1 << $0.offset))
        }
}
