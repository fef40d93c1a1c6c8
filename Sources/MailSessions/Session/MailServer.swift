import AsyncIO
import Glibc

/// One `server {}` at work in one worker: its settings, and what its sessions share.
package final class MailServer: Sendable {
    package let settings: ServerSettings
    package let authenticator: any Authenticator
    /// Told of every event of its sessions.
    package let observer: any SessionObserver
    /// Who is asked for the names of clients; nil for nobody.
    package let resolver: Resolver?
    /// Knows what the names of back-ends mean.
    package let router: BackEndRouter
    /// Places for clients: `max_connections` within the worker's `worker_connections`.
    package let clients: ConnectionBudget
    /// Limits that count across workers.
    package let limits: ServerLimits
    /// Places for connections to back-ends and services.
    package let connections: ConnectionBudget
    /// What its back-ends have said of themselves.
    let offers: RememberedOffers

    /// - Parameters:
    ///   - connections: the worker's budget, shared by all its servers.
    ///   - resolver: of the settings' `resolver`, shared by servers with the same one.
    ///   - authenticator: made of the settings' `authenticators`.
    ///   - router: of the settings' groups.
    ///   - zones: those of the settings' limits, by name.
    ///   - former: the server whose clients it takes over; those who are there go on counting, and what is known of its
    ///     back-ends is not asked again.
    package init(
        _ settings: ServerSettings, connections: ConnectionBudget, resolver: Resolver? = nil,
        authenticator: any Authenticator, router: BackEndRouter = BackEndRouter(),
        observer: any SessionObserver,
        zones: [String: SharedZone] = [:], replacing former: MailServer? = nil
    ) {
        var settings = settings
        settings.tracesCommands = observer.isTracing
        self.resolver = resolver
        self.authenticator = authenticator
        limits = ServerLimits(settings.limits, zones: zones)
        self.router = router
        self.settings = settings
        self.observer = observer
        self.connections = connections
        offers = former?.offers ?? RememberedOffers()
        if let maximum = settings.maxConnections {
            if let former, former.settings.maxConnections != nil {
                clients = former.clients
                clients.maximum = maximum
            } else {
                clients = ConnectionBudget(maximum: maximum, within: connections)
            }
        } else {
            clients = connections
        }
    }

    /// The protocol's line for a client that must go; such as one that there is no place for.
    package func farewell(_ reason: Farewell) -> [UInt8] {
        switch settings.mailProtocol {
        case .imap: IMAPFrontEnd(for: self, isSecure: false).farewell(reason)
        case .pop3: POP3FrontEnd(for: self, isSecure: false).farewell(reason)
        case .smtp: SMTPFrontEnd(for: self, isSecure: false).farewell(reason)
        }
    }
}

extension CommandFrontEnd {
    /// The client's side of a session with `server`; `isSecure` where it begins with TLS.
    /// - Parameter greeting: what the client was greeted with already.
    @inline(never)
    init(for server: MailServer, isSecure: Bool, greeting: Greeting? = nil) {
        self.init(settings: server.settings, isSecure: isSecure, salts: SaltFactory(of: server), greeting: greeting)
    }
}

extension Greeting {
    /// The greeting of `server`.
    init(of server: MailServer) {
        let settings = server.settings
        var salts = SaltFactory(of: server)
        self.init(of: settings.mailProtocol, name: settings.name, mechanisms: settings.mechanisms, salts: &salts)
    }
}

extension SaltFactory {
    /// Salts for one client of `server`.
    fileprivate init(of server: MailServer) { self.init(serverName: server.settings.name) { _ in .fresh } }
}

extension SaltFactory.Nonce {
    /// What makes the next salt unique: the system's random numbers and clock.
    static var fresh: SaltFactory.Nonce {
        var generator = SystemRandomNumberGenerator()
        return SaltFactory.Nonce(random: generator.next(), unixTime: Int64(time(nil)))
    }
}
