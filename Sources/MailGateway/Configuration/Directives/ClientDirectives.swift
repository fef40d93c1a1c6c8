import AsyncIO
import MailSessions

/// Who a client is, and whether it may come in.
enum ClientDirectives {
    static let setRealIPFrom = Setting(
        "set_real_ip_from", in: [.mail, .server], trusted, shown: "none", repetition: .adds,
        "Whose PROXY headers are believed: an address, a block of addresses, a host name (looked up once, all its "
            + "addresses count), or `unix:` for everyone who comes through a unix socket. What such a header names as the "
            + "source is the client from then on: for `allow` and `deny`, in logs, and towards auth_http and back-ends."
    )

    static let allow = Setting(
        "allow", in: [.mail, .server], rule(allows: true), shown: "all", repetition: .adds,
        "Who may use the server: an address, a block of addresses, `unix:` for everyone who comes through a unix socket, "
            + "or `all`. The first `allow` or `deny` that is about the client counts, in the order written; whom none is "
            + "about may come in. Those of a server replace all of `mail`'s. Not in nginx's mail.")

    static let deny = Setting(
        "deny", sharing: "allow", in: [.mail, .server], rule(allows: false), shown: "none", repetition: .adds,
        "Who may not use the server; see `allow`. The client gets its protocol's refusal in place of the greeting. Not in "
            + "nginx's mail.")

    static let resolver = Setting(
        "resolver", in: [.mail, .server], nameServers as ValueSyntax<ResolverSettings?>, default: "off",
        "The name servers that tell the names of SMTP clients: for each client that connects its address is looked up, "
            + "then the addresses of the name found, and only a name that leads back to the client counts. It is told "
            + "to auth_http (`Client-Host`) and to back-ends (XCLIENT). Host names are looked up once; the port is 53 by "
            + "default. Servers are asked in turns. Answers are kept as long as they say, or for `valid`, by each worker, "
            + "4096 at most. `ipv4=off` and `ipv6=off` leave out addresses of that family.")

    static let resolverTimeout = Setting(
        "resolver_timeout", in: [.mail, .server], .time, default: "30s",
        "How long each question to a `resolver` may take; the greeting of SMTP waits for two at most.")

    /// All rows.
    static let rows: [Directive] = [
        setRealIPFrom.directive, allow.directive, deny.directive, resolver.directive, resolverTimeout.directive,
    ]

    private static let nameServers = ValueSyntax<ResolverSettings?>(
        .oneOrMore, "*address*[:*port*] … [valid=*time*] [ipv4=on|off] [ipv6=on|off] | off"
    ) { (statement, _, context) throws(ConfigurationError) in
        guard statement.arguments[0] != "off" else { return nil }
        var settings = ResolverSettings(servers: [])
        for word in statement.arguments {
            if word.hasPrefix("valid=") {
                guard let time = duration(word.dropFirst("valid=".count), precision: .seconds) else {
                    throw invalidParameter(word, statement)
                }
                settings.validity = time > .zero ? time : nil
            } else if word.hasPrefix("ipv4=") {
                settings.usesIPv4 = try flag(word, statement)
            } else if word.hasPrefix("ipv6=") {
                settings.usesIPv6 = try flag(word, statement)
            } else {
                settings.servers += try nameServer(word, statement, &context)
            }
        }
        guard settings.usesIPv4 || settings.usesIPv6 else {
            throw statement.error("\"ipv4\" and \"ipv6\" cannot both be \"off\"")
        }
        guard !settings.servers.isEmpty else {
            throw statement.error("no name servers defined", accepted: nameServerForms)
        }
        return settings
    }

    private static let nameServerForms = "A name server is an address or host name with or without a port."

    private static func nameServer(
        _ word: String, _ statement: Statement, _ context: inout ParseContext
    ) throws(ConfigurationError) -> [SocketAddress] {
        do throws(Endpoint.Failure) {
            let endpoint = try Endpoint(word, for: .nameServer)
            if case .unix = endpoint.host { throw Endpoint.Failure(text: "invalid host") }
            return try endpoint.addresses(port: endpoint.ports?.lowerBound ?? 53, &context)
        } catch {
            throw statement.error("\(error.text) in resolver \(quoted(word))", accepted: nameServerForms)
        }
    }

    /// The value behind `=`.
    private static func flag(_ word: String, _ statement: Statement) throws(ConfigurationError) -> Bool {
        switch word.dropFirst("ipv4=".count) {
        case "on": return true
        case "off": return false
        default: throw invalidParameter(word, statement)
        }
    }

    private static func invalidParameter(_ word: String, _ statement: Statement) -> ConfigurationError {
        statement.error(
            "invalid parameter: \(escaped(word))",
            accepted: "The parameters are valid=time, ipv4=on|off and ipv6=on|off.")
    }

    private static let trusted = ValueSyntax<AddressSet>(.one, "*address* | *block* | *host* | unix:") {
        (statement, previous, context) throws(ConfigurationError) in
        var set = previous ?? AddressSet()
        let text = statement.arguments[0]
        if text == "unix:" {
            set.includesUnix = true
        } else if let block = block(text, statement, &context) {
            set.blocks.append(block)
        } else {
            let found = text.isEmpty ? [] : context.addresses(of: text).compactMap { AddressBlock($0) }
            guard !found.isEmpty else {
                throw statement.error(
                    "host not found in set_real_ip_from \(quoted(text))",
                    accepted: "It must be an address, a block such as 192.0.2.0/24, a host name, or unix:.")
            }
            set.blocks += found
        }
        return set
    }

    private static func rule(allows: Bool) -> ValueSyntax<AccessRules> {
        ValueSyntax(.one, "*address* | *block* | unix: | all") {
            (statement, previous, context) throws(ConfigurationError) in
            var access = previous ?? AccessRules()
            let text = statement.arguments[0]
            let clients: AccessRules.Clients
            switch text {
            case "all": clients = .all
            case "unix:": clients = .unix
            default:
                guard let block = block(text, statement, &context) else {
                    throw statement.error(
                        "invalid parameter \(quoted(text))",
                        accepted: "It must be an address, a block such as 192.0.2.0/24 or 2001:db8::/32, unix: or all.")
                }
                clients = .block(block)
            }
            access.rules.append(AccessRules.Rule(allows: allows, clients))
            return access
        }
    }

    /// An address or a block of them; nil for what is neither.
    private static func block(
        _ text: String, _ statement: Statement, _ context: inout ParseContext
    ) -> AddressBlock? {
        guard let (block, hasLowBits) = AddressBlock.parse(text) else { return nil }
        if hasLowBits {
            context.add(.warn, "low address bits of \(text) are meaningless", at: statement.position)
        }
        return block
    }
}
