import AsyncIO

/// Knows what the names of back-ends mean to one server: groups, or hosts to look up.
package struct BackEndRouter: Sendable {
    /// By their names in lower case, as nginx compares them.
    private let groups: [String: BackEndGroup]
    /// nil for nobody: names of hosts are not found then.
    private let lookup: HostLookup?

    /// - Parameter groups: those of the server's protocol.
    package init(_ groups: [BackEndGroup] = [], lookup: HostLookup? = nil) {
        self.groups = Dictionary(
            groups.map { ($0.settings.name.lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
        self.lookup = lookup
    }

    /// What an authenticator's choice means.
    package enum Target: Sendable {
        case addresses([SocketAddress])
        case group(BackEndGroup)
    }

    /// The group of a name; nil where it can only be a host's.
    package func group(named name: String) -> BackEndGroup? { groups[name.lowercased()] }

    /// Finds out what a name stands for, hosts' within `deadline`; at least one address.
    package func target(
        named name: String, deadline: Instant, in scope: CancellationScope
    ) async throws(DNSFailure) -> Target {
        if let group = group(named: name) { return .group(group) }
        if let address = SocketAddress(literal: name, port: 0) { return .addresses([address]) }
        if name.hasPrefix("unix:"), let address = SocketAddress(name) { return .addresses([address]) }
        guard let lookup else { throw .notFound }
        return .addresses(try await lookup.answer(ofHost: name, deadline: deadline, scope: scope).addresses)
    }
}

extension MailProtocol {
    /// Where servers of the protocol listen, with TLS from the first byte or without.
    package func backEndPort(_ security: BackEndSecurity) -> UInt16 {
        switch (self, security) {
        case (.imap, .on): 993
        case (.imap, _): 143
        case (.pop3, .on): 995
        case (.pop3, _): 110
        case (.smtp, .on): 465
        case (.smtp, _): 25
        }
    }
}
