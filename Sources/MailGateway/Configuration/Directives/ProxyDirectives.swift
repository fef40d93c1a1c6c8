import AsyncIO
import MailSessions

/// The back-end and the way to it.
enum ProxyDirectives {
    static let proxyPass = Setting(
        "proxy_pass", in: [.mail, .server], target, shown: "none",
        "The back-end for logins whose authenticator names none: an `upstream`, an address, a host name or a unix "
            + "socket. A host name is looked up when somebody logs in and the last answer's time is over, and all its "
            + "addresses are tried. Without a port it is the protocol's own: 143, 110 or 25, with `proxy_ssl on` 993, 995 "
            + "or 465. Not in nginx's mail.")

    static let connectTimeout = Setting(
        "proxy_connect_timeout", in: [.mail, .server], .time, default: "60s",
        "How long connecting to one back-end may take, TLS from the first byte included. While others can still be "
            + "tried, none gets more than its even share of what is left of `timeout`, its greeting included. As in "
            + "nginx's stream.")

    static let bind = Setting(
        "proxy_bind", in: [.mail, .server], source, default: "off",
        "The address of ours from which connections to back-ends are made. As in nginx's stream, but for `transparent`."
    )

    static let nextUpstream = Setting(
        "proxy_next_upstream", in: [.mail, .server], .flag, default: "on",
        "Whether the next back-end is tried when one cannot be reached, or does not greet. The answer to a user's "
            + "credentials is final. As in nginx's stream.")

    static let nextUpstreamTries = Setting(
        "proxy_next_upstream_tries", in: [.mail, .server], .number(0...1_000_000), default: "0",
        "How many back-ends are tried for one login; `0` for all. As in nginx's stream.")

    static let nextUpstreamTimeout = Setting(
        "proxy_next_upstream_timeout", in: [.mail, .server], .time, default: "0",
        "After which time no other back-end is tried; `0` for no bound but `timeout`. As in nginx's stream.")

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
            + "only the attributes that they offer; `on` tells all, as in nginx, which has no `auto`. Back-ends that have "
            + "offered it within the hour are told at once, without EHLO in front (`proxy_pipelining`).")

    static let pipelining = Setting(
        "proxy_pipelining", in: [.mail, .server], .flag, default: "on",
        "Whether logins spare a round trip at back-ends that have announced within the hour that they may. POP3: where "
            + "PIPELINING is announced, USER and PASS leave together; the first login of an hour asks by CAPA. SMTP: "
            + "where XCLIENT is announced, it is the first command, for the EHLO in front of it only asks; refused, it "
            + "follows EHLO as usual. nginx waits for each reply.")

    /// All rows.
    static let rows: [Directive] = [
        proxyPass.directive, connectTimeout.directive, bind.directive, nextUpstream.directive,
        nextUpstreamTries.directive, nextUpstreamTimeout.directive, buffer.directive, timeout.directive,
        passesErrorMessage.directive, smtpAuth.directive,
        proxyProtocol.directive, xclient.directive, pipelining.directive,
        .ignored(
            "proxy", in: [.mail, .server], .flag, because: "a mail server is always a proxy, as in nginx"),
    ]

    private static let xclientPolicy = ValueSyntax<XClientPolicy>(.one, "on | off | auto") {
        (statement, _, context) throws(ConfigurationError) in
        if statement.arguments[0].lowercased() == "auto" { return .automatic }
        return try ValueSyntax<Bool>.flag.parse(statement, nil, &context) ? .on : .off
    }

    private static let target = ValueSyntax<BackEndChoice>(.one, "*group* | *host*[:*port*] | unix:*path*") {
        (statement, _, _) throws(ConfigurationError) in
        let text = statement.arguments[0]
        do throws(Endpoint.Failure) {
            let endpoint = try Endpoint(text, for: .backEnd)
            let port = endpoint.ports?.lowerBound
            switch endpoint.host {
            case .unix(let path): return .address(.unix(path))
            case .literal(let address): return .address(address.withPort(port ?? 0))
            case .name(let name) where HostName.isValid(name.utf8): return .name(name, port: port)
            case .name, .any: throw Endpoint.Failure(text: "invalid host")
            }
        } catch {
            throw statement.error(
                "\(error.text) in proxy_pass \(quoted(text))",
                accepted:
                    "It must be the name of an upstream, host[:port], address[:port] such as [2001:db8::1]:143, or "
                    + "unix:/path.")
        }
    }

    private static let source = ValueSyntax<SocketAddress?>(.oneOrTwo, "*address* | off") {
        (statement, _, _) throws(ConfigurationError) in
        let text = statement.arguments[0]
        guard statement.arguments.count == 1 else {
            throw statement.error(
                "invalid parameter \(quoted(statement.arguments[1]))",
                accepted:
                    "\"transparent\" is not supported: PROXY headers (proxy_protocol) and XCLIENT tell back-ends of "
                    + "clients.")
        }
        if text == "off" { return nil }
        guard let address = SocketAddress(literal: text, port: 0) ?? SocketAddress(text), address.isNetwork else {
            throw statement.error(
                "invalid address \(quoted(text))",
                accepted: "It must be an address of this machine in numbers, with or without a port, or off.")
        }
        return address
    }
}

extension SocketAddress {
    /// IPv4 or IPv6.
    fileprivate var isNetwork: Bool {
        if case .unix = self { return false }
        return true
    }
}
