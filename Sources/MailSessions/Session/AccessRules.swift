import AsyncIO

/// `allow` and `deny`: who may use a server, by address.
package struct AccessRules: Sendable, Hashable {
    /// One `allow` or `deny`.
    package struct Rule: Sendable, Hashable {
        package var allows: Bool
        package var clients: Clients

        package init(allows: Bool, _ clients: Clients) {
            self.allows = allows
            self.clients = clients
        }
    }

    /// Whom a rule is about.
    package enum Clients: Sendable, Hashable {
        case all
        /// `unix:`
        case unix
        case block(AddressBlock)
    }

    /// In the order written.
    package var rules: [Rule] = []

    package init() {}

    /// What the first rule says that is about `client`; whom no rule is about may come in.
    package func admit(_ client: SocketAddress) -> Bool {
        rules.first { $0.clients.contains(client) }?.allows ?? true
    }
}

extension AccessRules.Clients {
    fileprivate func contains(_ client: SocketAddress) -> Bool {
        switch self {
        case .all: return true
        case .unix:
            if case .unix = client { return true }
            return false
        case .block(let block): return block.contains(client)
        }
    }
}
