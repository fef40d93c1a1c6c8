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

    /// All rows.
    static let rows: [Directive] = [setRealIPFrom.directive, allow.directive, deny.directive]

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
