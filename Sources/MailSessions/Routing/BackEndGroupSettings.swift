import AsyncIO

/// An `upstream {}`: back-ends that stand for one another, and how one of them is chosen.
///
/// Names, defaults and algorithms are those of nginx's stream module.
package struct BackEndGroupSettings: Sendable, Hashable {
    package var name: String
    /// In the order written, at least one that is no backup.
    package var members: [Member] = []
    package var balancing = Balancing.roundRobin
    /// `health_check`; nil for none.
    package var check: HealthCheckSettings?

    package init(name: String) { self.name = name }

    /// One `server` line.
    package struct Member: Sendable, Hashable {
        /// As written: what consistent hashing knows it by.
        package var label: String
        /// Its host as written, without port: whom its certificate must be for, if it is a name.
        package var host: String
        /// Where it is, as far as the configuration knows; port 0 for the protocol's own. Empty until it is looked up.
        package var addresses: [SocketAddress]
        /// `resolve`: the host's name is looked up while the worker runs.
        package var resolves = false
        /// 0 for the protocol's own.
        package var port: UInt16 = 0
        package var weight = 1
        /// `max_conns`, in each worker; nil for any number.
        package var connectionsMaximum: Int?
        /// `max_fails`: as many failures within `failTimeout` take it out for as long; 0 for never.
        package var failsMaximum = 1
        package var failTimeout = Duration.seconds(10)
        package var isBackup = false
        package var isDown = false
        /// `slow_start`: how long its weight grows after it came back; zero for not at all.
        package var slowStart = Duration.zero

        package init(label: String, host: String, addresses: [SocketAddress]) {
            self.label = label
            self.host = host
            self.addresses = addresses
        }

        /// The host, where it is a name: whom its certificate must be for.
        package var hostName: String? {
            SocketAddress(literal: host, port: 0) == nil && !label.hasPrefix("unix:") && !host.hasPrefix("[")
                ? host : nil
        }
    }

    /// How one of the members is chosen.
    package enum Balancing: Sendable, Hashable {
        /// Smooth weighted round robin.
        case roundRobin
        /// The fewest connections in proportion to the weight.
        case leastConnections
        /// The same back-end for the same user; with `isConsistent` few users move when members come and go (ketama).
        case hash(isConsistent: Bool)
        /// By chance, in proportion to the weights.
        case random
        /// The better one of two chosen by chance, as `leastConnections` would say.
        case randomOfTwo
    }
}

/// `health_check`: how members are asked whether they serve, without waiting for clients to find out.
package struct HealthCheckSettings: Sendable, Hashable {
    package var interval = Duration.seconds(5)
    /// For the whole of one check.
    package var timeout = Duration.seconds(5)
    /// So many failures in a row take a member out.
    package var failsMaximum = 1
    /// So many successes in a row bring it back.
    package var passesMinimum = 1
    /// Whom to log in as; nil for a check of greeting and capabilities only.
    package var login: Login?

    package init() {}

    /// An account that exists for checks.
    package struct Login: Sendable, Hashable {
        package var user: String
        package var password: Secret

        package init(user: String, password: Secret) {
            self.user = user
            self.password = password
        }

        package static func == (left: Login, right: Login) -> Bool {
            var password = right.password.bytes
            defer { wipe(&password) }
            return left.user == right.user && left.password.equals(password)
        }

        // Not of the password: what is equal is found by the user all the same.
        package func hash(into hasher: inout Hasher) { hasher.combine(user) }
    }
}
