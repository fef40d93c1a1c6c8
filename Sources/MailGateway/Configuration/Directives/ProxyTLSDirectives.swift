import AsyncIO
import MailSessions

/// TLS with back-ends: nginx's mail module has none; names and meaning are those of its stream module.
enum ProxyTLSDirectives {
    static let security = Setting(
        "proxy_ssl", in: [.mail, .server], .choice(BackEndSecurity.allCases.map { ($0.rawValue, $0) }), default: "off",
        "Whether connections to back-ends begin with TLS, or turn to it before the login (`starttls`; STLS with POP3). "
            + "Where TLS is demanded and not to be had, nothing of the login is sent. The auth_http service may say "
            + "otherwise for a session (`Auth-SSL-Backend: off`, `on` or `starttls`). Not in nginx's mail.")

    static let verifies = Setting(
        "proxy_ssl_verify", in: [.mail, .server], .flag, default: "on",
        "Whether a back-end must prove by its certificate that it is who it should be; `off` by default in nginx's "
            + "stream module.")

    static let verificationDepth = Setting(
        "proxy_ssl_verify_depth", in: [.mail, .server], .number(0...100), default: "1",
        "How many certificates may stand between a back-end's and its authority's.")

    static let trustedAuthorities = Setting(
        "proxy_ssl_trusted_certificate", in: [.mail, .server], .text("file"), shown: "the system's authorities",
        "Authorities that vouch for back-ends. Without it those of the system count, from "
            + TLSAssembly.systemAuthorities.joined(separator: " or ") + ".")

    static let revocations = Setting(
        "proxy_ssl_crl", in: [.mail, .server], .text("file"), shown: "none",
        "Revoked certificates of back-ends.")

    static let name = Setting(
        "proxy_ssl_name", in: [.mail, .server], .text("name"), shown: "the back-end's address",
        "Whom a back-end's certificate must be for: a host name or an address in numbers. The auth_http service may say "
            + "otherwise for a session (`Auth-SSL-Backend-Name`).")

    static let sendsName = Setting(
        "proxy_ssl_server_name", in: [.mail, .server], .flag, default: "off",
        "Whether back-ends are told that name at the beginning of TLS (SNI).")

    static let certificate = Setting(
        "proxy_ssl_certificate", in: [.mail, .server], .text("file"), shown: "none",
        "A certificate that we show to back-ends, followed by its chain.")

    static let certificateKey = Setting(
        "proxy_ssl_certificate_key", in: [.mail, .server], .text("file"), shown: "none", "Its key.")

    static let passwordFile = Setting(
        "proxy_ssl_password_file", in: [.mail, .server], .text("file"), shown: "none",
        "Passphrases of that key, one a line; they are tried in order.")

    static let versions = Setting(
        "proxy_ssl_protocols", in: [.mail, .server], .tlsVersions, default: "TLSv1.2 TLSv1.3", repetition: .adds,
        "The versions of TLS with back-ends.")

    static let ciphers = Setting(
        "proxy_ssl_ciphers", in: [.mail, .server], .text("ciphers"), default: "DEFAULT",
        "Ciphers for TLS up to 1.2 with back-ends, in OpenSSL's form.")

    static let handover = Setting(
        "proxy_ssl_handover", in: [.mail, .server], .flag, default: "on",
        "What `ssl_handover` is for clients, for back-ends, once the login is over.")

    static let reusesSessions = Setting(
        "proxy_ssl_session_reuse", in: [.mail, .server], .flag, default: "on",
        "Whether the last session with a back-end is gone on with, which makes the handshake short.")

    static let commands = Setting(
        "proxy_ssl_conf_command", in: [.mail, .server], .tlsCommands, shown: "none", repetition: .adds,
        "A command for OpenSSL, as `ssl_conf_command`.")

    /// All rows.
    static let rows: [Directive] = [
        security.directive, verifies.directive, verificationDepth.directive, trustedAuthorities.directive,
        revocations.directive, name.directive, sendsName.directive, certificate.directive, certificateKey.directive,
        passwordFile.directive, versions.directive, ciphers.directive, reusesSessions.directive, commands.directive,
        handover.directive,
    ]
}
