import AsyncIO

/// What clients are counted by.
package enum LimitKey: String, Sendable, Hashable, CaseIterable {
    case address = "$remote_addr"
    case user = "$auth_user"
    case addressAndUser = "$remote_addr$auth_user"

    /// Whether it can be told before the login.
    package var needsUser: Bool { self != .address }

    /// Bytes that stand for a client; nil for one that is not counted: it has no address (unix sockets), or no name yet.
    ///
    /// An IPv6 client is known by its network of 64 bits, of which everybody has one at least; IPv4 mapped into IPv6 is
    /// IPv4 (security-checklist D3). Letters of a name count as small ones, for mail servers mostly take them so.
    package func subject(_ address: SocketAddress, user: [UInt8]?) -> [UInt8]? {
        var subject: [UInt8] = []
        if self != .user {
            guard let host = address.asIPv6 else { return nil }
            subject +=
                host.mappedIPv4 == nil ? [6] + (0..<8).map { host.bytes[$0] } : [4] + (12..<16).map { host.bytes[$0] }
        }
        if self != .address {
            guard let user, !user.isEmpty else { return nil }
            subject +=
                [UInt8(ascii: "u")] + user.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 | 0x20 : $0 }
        }
        return subject
    }
}

/// `limit_conn`: how many sessions there may be at once for one value of a key.
package struct ConnectionLimit: Sendable, Hashable {
    /// The name of the zone in which they are counted.
    package var zone: String
    package var key: LimitKey
    package var maximum: Int

    package init(zone: String, key: LimitKey, maximum: Int) {
        self.zone = zone
        self.key = key
        self.maximum = maximum
    }
}

/// `limit_login`: what failed logins lead to, for one value of a key.
package struct LoginLimit: Sendable, Hashable {
    /// The name of the zone in which they are counted.
    package var zone: String
    package var key: LimitKey
    /// So many failed logins lock out.
    package var burst = 5
    /// How long the answer to the first failed login takes; to each further one twice as long as before.
    package var delay: Duration = .seconds(1)
    /// For how long: a failed login is forgotten when none followed it for this time.
    package var window: Duration = .seconds(600)

    package init(zone: String, key: LimitKey) {
        self.zone = zone
        self.key = key
    }
}

/// The limits of a server.
package struct LimitSettings: Sendable, Hashable {
    /// At most one per zone.
    package var connections: [ConnectionLimit] = []
    /// `limit_conn_dry_run`: those limits are told of, but not kept.
    package var isDryRun = false
    /// At most one per zone.
    package var logins: [LoginLimit] = []

    package init() {}
}

/// A limit of the administrator's that a client has reached.
package enum ClientLimit: Sendable, Hashable {
    /// `limit_conn`: too many sessions at once.
    case connections
    /// `limit_login`: too many failed logins.
    case logins
}
