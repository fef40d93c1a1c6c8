import AsyncIO
import MailSessions

/// A zone of shared memory, as a directive declares it.
struct ZoneSettings: Sendable, Hashable {
    /// nginx's smallest zone: eight pages.
    static let bytesMinimum = 8 * 4096

    /// What is kept in it; a zone is for one use only.
    enum Use: Sendable, Hashable {
        /// TLS sessions: `ssl_session_cache shared`.
        case sessions
        /// Sessions of clients: `limit_conn_zone`.
        case connections(LimitKey)
        /// Failed logins: `limit_login_zone`.
        case failedLogins(LimitKey)
    }

    let name: String
    let use: Use
    /// In bytes, of all workers together.
    let size: Int
}

/// The zones that a configuration declares, by name.
struct ZoneDeclarations: Sendable {
    /// In the order of declaration.
    private(set) var all: [ZoneSettings] = []

    /// The zone of a name, if there is one.
    subscript(_ name: String) -> ZoneSettings? { all.first { $0.name == name } }

    /// Declares a zone, perhaps not for the first time; nginx's texts for what does not go together.
    mutating func declare(_ zone: ZoneSettings, by statement: Statement) throws(ConfigurationError) {
        guard let earlier = self[zone.name] else { return all.append(zone) }
        guard earlier.use == zone.use else { throw ZoneDeclarations.differentUse(zone.name, statement) }
        guard earlier.size == zone.size else {
            throw statement.error(
                "the size \(zone.size) of shared memory zone \(quoted(zone.name)) conflicts with already declared size "
                    + "\(earlier.size)",
                accepted: "Servers may share a zone; its size is the same everywhere.")
        }
    }

    /// That a zone is used for two things.
    static func differentUse(_ name: String, _ statement: Statement) -> ConfigurationError {
        statement.error(
            "the shared memory zone \(quoted(name)) is already declared for a different use",
            accepted: "Each use has a zone of its own.")
    }
}
