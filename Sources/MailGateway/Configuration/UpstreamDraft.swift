import MailSessions

/// An `upstream {}` as written: checked when it ends.
struct UpstreamDraft: Sendable {
    /// The most points of `hash … consistent`, 16 bytes each: 100 members of weight 10, a hundred times over.
    static let pointsMaximum = 16_000_000

    let position: Position
    let name: String

    /// An empty group, at its `upstream name {`; `taken` are those before it, in lower case.
    init(_ statement: Statement, taken: some Sequence<String>) throws(ConfigurationError) {
        position = statement.position
        name = statement.arguments[0]
        guard HostName.isValid(name.utf8) else {
            throw statement.error(
                "invalid upstream name \(quoted(name))",
                accepted: "It consists of letters, digits, hyphens, underscores and dots, and is no address.")
        }
        guard !taken.contains(name.lowercased()) else {
            throw statement.error("duplicate upstream \(quoted(name))", accepted: "Each group has a name of its own.")
        }
    }

    /// The group with the values that were written in it.
    func settings(_ scope: Scope) throws(ConfigurationError) -> BackEndGroupSettings {
        var group = BackEndGroupSettings(name: name)
        group.members = scope.value(of: UpstreamDirectives.server) ?? []
        group.balancing = scope.value(of: UpstreamDirectives.hash) ?? .roundRobin
        group.check = scope.value(of: UpstreamDirectives.check)
        guard group.members.contains(where: { !$0.isBackup }) else {
            throw ConfigurationError(
                "no servers are inside upstream \(quoted(name))", at: position,
                accepted: "Add for instance: server 192.0.2.1:143;")
        }
        switch group.balancing {
        case .hash, .random, .randomOfTwo:
            guard !group.members.contains(where: \.isBackup) else {
                throw ConfigurationError(
                    "balancing method does not support parameter \"backup\" in upstream \(quoted(name))", at: position,
                    accepted: "Backups go with round robin and least_conn.")
            }
        case .roundRobin, .leastConnections: break
        }
        let weight = group.members.reduce(0) { $0 + $1.weight }
        guard group.balancing != .hash(isConsistent: true) || weight <= UpstreamDraft.pointsMaximum / 160 else {
            throw ConfigurationError(
                "weights are too large for consistent hashing in upstream \(quoted(name))", at: position,
                accepted: "Their sum can be \(UpstreamDraft.pointsMaximum / 160); each unit makes 160 points.")
        }
        return group
    }
}
