import AsyncIO
import MailSessions

/// TLS with clients: nginx's directives.
enum TLSDirectives {
    static let startTLS = Setting(
        "starttls", in: [.mail, .server], .choice(StartTLSPolicy.allCases.map { ($0.rawValue, $0) }), default: "off",
        "Whether clients may turn to TLS (STARTTLS, in POP3 STLS), or must: with `only` nobody logs in before.")

    static let certificate = Setting(
        "ssl_certificate", in: [.mail, .server], .files("file* | data:*certificate"), shown: "none; required for TLS",
        repetition: .adds,
        "A certificate, followed by its chain, in PEM: a file relative to the main file's directory, or `data:` and the "
            + "text itself. Several of different kinds (RSA, ECDSA) serve clients of different abilities.")

    static let certificateKey = Setting(
        "ssl_certificate_key", in: [.mail, .server], keys, shown: "none; required for TLS", repetition: .adds,
        "The key of a certificate, in PEM, as a file or `data:`: the first for the first certificate, and so on. Keys "
            + "in engines and stores are refused.")

    static let passwordFile = Setting(
        "ssl_password_file", in: [.mail, .server], .text("file"), shown: "none",
        "Passphrases of encrypted keys, one a line; they are tried in order. Nobody is asked at the terminal.")

    static let dhParameters = Setting(
        "ssl_dhparam", in: [.mail, .server], .text("file"), shown: "none, so that no DHE is offered",
        "Parameters for ciphers with DHE.")

    static let curves = Setting(
        "ssl_ecdh_curve", in: [.mail, .server], .text("curves"), default: "auto",
        "The groups for key agreement, the most wanted first, with colons between; `auto` is "
            + "X25519, P-256, X448, P-521 and P-384.")

    static let versions = Setting(
        "ssl_protocols", in: [.mail, .server], .tlsVersions, default: "TLSv1.2 TLSv1.3", repetition: .adds,
        "The versions of TLS. OpenSSL allows 1.0 and 1.1 only with ciphers at `@SECLEVEL=0`; SSLv2 and SSLv3 are known "
            + "and never spoken.")

    static let ciphers = Setting(
        "ssl_ciphers", in: [.mail, .server], .text("ciphers"), default: "HIGH:!aNULL:!MD5",
        "Ciphers for TLS up to 1.2, in OpenSSL's form. Those of 1.3 are set by `ssl_conf_command Ciphersuites`; by "
            + "default AES-128-GCM comes first.")

    static let prefersOwnCiphers = Setting(
        "ssl_prefer_server_ciphers", in: [.mail, .server], .flag, default: "on",
        "Whether our order of ciphers counts rather than the client's; a client that puts ChaCha20 first gets it. In "
            + "nginx `off` is the default.")

    static let sessionCache = Setting(
        "ssl_session_cache", in: [.mail, .server], .sessionCache, default: "none",
        "Sessions that can be gone on with, kept here: `builtin` keeps so many (20480) in each worker; `shared` keeps as "
            + "many as fit in its size (4096 per megabyte) in memory that all workers read, and may be used by several "
            + "servers. `none` keeps nothing, `off` says so to clients. Sessions in tickets need none of it.")

    static let usesTickets = Setting(
        "ssl_session_tickets", in: [.mail, .server], .flag, default: "on",
        "Whether sessions travel in tickets that clients keep. Clients get one.")

    static let ticketKeys = Setting(
        "ssl_session_ticket_key", in: [.mail, .server], .files("file"), shown: "keys that change every hour",
        repetition: .adds,
        "A key of 48 or 80 bytes for tickets; the first encrypts, all decrypt. Without one all workers make the same "
            + "keys from a secret of the master's, new ones every hour, and read tickets of the last 24 hours.")

    static let sessionTimeout = Setting(
        "ssl_session_timeout", in: [.mail, .server], .seconds, default: "5m",
        "How long a session can be gone on with.")

    static let compressesCertificates = Setting(
        "ssl_certificate_compression", in: [.mail, .server], .flag, default: "off",
        "Whether certificates are sent compressed to clients that take them so (RFC 8879). An OpenSSL that cannot, "
            + "which is any before 3.2, makes it a warning without effect, as in nginx.")

    static let verification = Setting(
        "ssl_verify_client", in: [.mail, .server],
        .choice([
            ("off", .off), ("on", .required), ("optional", .optional), ("optional_no_ca", .optionalWithoutAuthority),
        ]) as ValueSyntax<TLSClientVerification>, default: "off",
        "Whether clients must show a certificate, or may. A client whose certificate does not convince is told so inside "
            + "TLS, in its protocol. With `optional_no_ca` an unknown authority is no reason.")

    static let verificationDepth = Setting(
        "ssl_verify_depth", in: [.mail, .server], .number(0...100), default: "1",
        "How many certificates may stand between a client's and its authority's.")

    static let clientAuthorities = Setting(
        "ssl_client_certificate", in: [.mail, .server], .text("file"), shown: "none",
        "Authorities that vouch for clients' certificates; clients are told their names.")

    static let trustedAuthorities = Setting(
        "ssl_trusted_certificate", in: [.mail, .server], .text("file"), shown: "none",
        "More such authorities, whose names clients are not told.")

    static let revocations = Setting(
        "ssl_crl", in: [.mail, .server], .text("file"), shown: "none",
        "Revoked certificates. There must be a list for each authority of a chain.")

    static let commands = Setting(
        "ssl_conf_command", in: [.mail, .server], .tlsCommands, shown: "none", repetition: .adds,
        "A command for OpenSSL (SSL_CONF_cmd(3)), for instance `Ciphersuites TLS_AES_256_GCM_SHA384`. Commands that name "
            + "files are refused.")

    static let handover = Setting(
        "ssl_handover", in: [.mail, .server], .flag, default: "on",
        "Whether connections with TLS 1.3 go on without OpenSSL's object once their handshake is done, which saves a "
            + "silent session 13 kilobytes. The ciphers are OpenSSL's all the same. No directive of nginx.")

    /// All rows.
    static let rows: [Directive] = [
        startTLS.directive, certificate.directive, certificateKey.directive, passwordFile.directive,
        dhParameters.directive, curves.directive, versions.directive, ciphers.directive, prefersOwnCiphers.directive,
        sessionCache.directive, usesTickets.directive, ticketKeys.directive, sessionTimeout.directive,
        verification.directive, verificationDepth.directive, clientAuthorities.directive, trustedAuthorities.directive,
        revocations.directive, commands.directive, compressesCertificates.directive, handover.directive,
        oldSwitch,
    ]

    /// nginx knew it up to 1.25.0.
    private static let oldSwitch = Directive(
        name: "ssl", contexts: [.mail, .server], arguments: .one, syntax: "on | off", repetition: .replaces,
        manual: "TLS on all ports of a server, before nginx 1.25.1. Refused unless it is `off`: say `ssl` behind each "
            + "`listen` that shall begin with TLS.",
        action: .assign { (statement, _, context) throws(ConfigurationError) in
            guard try ValueSyntax<Bool>.flag.parse(statement, nil, &context) else { return }
            throw statement.error(
                "\"ssl\" is no directive any more", accepted: "Add ssl to each listen that shall begin with TLS.")
        })

    private static let keys = ValueSyntax<[String]>(.one, "*file* | data:*key*") {
        (statement, previous, _) throws(ConfigurationError) in
        let argument = statement.arguments[0]
        for scheme in ["engine:", "store:"] where argument.hasPrefix(scheme) {
            throw statement.error(
                "cannot load certificate key \(quoted(argument)): \"\(scheme)\" is not supported",
                accepted: "It must be a file or data:.")
        }
        return (previous ?? []) + [argument]
    }
}
