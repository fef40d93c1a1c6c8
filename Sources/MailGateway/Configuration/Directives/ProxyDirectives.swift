import AsyncIO
import MailSessions

/// The back-end and the way to it.
enum ProxyDirectives {
    static let proxyPass = Setting(
        "proxy_pass", in: [.mail, .server], address, shown: "none",
        "The back-end for logins whose authenticator names none: an address in numbers with a port, or a unix socket. "
            + "Not in nginx's mail.")

    static let buffer = Setting(
        "proxy_buffer", in: [.mail, .server], .size(512...(16 << 20)), default: "4k",
        "The longest reply of a back-end to a login.")

    static let timeout = Setting(
        "proxy_timeout", in: [.mail, .server], .time, default: "24h",
        "How long client and back-end may both be silent after the login.")

    static let passesErrorMessage = Setting(
        "proxy_pass_error_message", in: [.mail, .server], .flag, default: "off",
        "Whether the client sees what the back-end says when it refuses the login.")

    static let smtpAuth = Setting(
        "proxy_smtp_auth", in: [.mail, .server], .flag, default: "off",
        "Whether the user logs in at SMTP back-ends, too (AUTH PLAIN). The service may say otherwise for one session: "
            + "`Auth-SMTP: yes` or `no`.")

    static let proxyProtocol = Setting(
        "proxy_protocol", in: [.mail, .server],
        .choice([("off", nil), ("on", .v1), ("v2", .v2)]) as ValueSyntax<ProxyProtocolVersion?>,
        default: "off",
        "The PROXY header that back-ends get first: `on` is version 1.")

    static let xclient = Setting(
        "xclient", in: [.mail, .server], xclientPolicy, default: "on",
        "Whether SMTP back-ends are told of the client by XCLIENT. `auto` tells those whose reply to EHLO offers it, and "
            + "only the attributes that they offer; `on` tells all, as in nginx, which has no `auto`.")

    /// All rows.
    static let rows: [Directive] = [
        proxyPass.directive, buffer.directive, timeout.directive, passesErrorMessage.directive, smtpAuth.directive,
        proxyProtocol.directive, xclient.directive,
        .ignored(
            "proxy", in: [.mail, .server], .flag, because: "a mail server is always a proxy, as in nginx"),
    ]

    private static let xclientPolicy = ValueSyntax<XClientPolicy>(.one, "on | off | auto") {
        (statement, _, context) throws(ConfigurationError) in
        if statement.arguments[0].lowercased() == "auto" { return .automatic }
        return try ValueSyntax<Bool>.flag.parse(statement, nil, &context) ? .on : .off
    }

    private static let address = ValueSyntax<SocketAddress>.single(
        "*address*:*port* | unix:*path*",
        accepted:
            "It must be an address in numbers with a port, such as 192.0.2.1:143 or [2001:db8::1]:143, or unix:/path."
    ) { text in
        guard let address = SocketAddress(text) else { return nil }
        if case .unix = address { return address }
        return address.port == 0 ? nil : address
    }
}
