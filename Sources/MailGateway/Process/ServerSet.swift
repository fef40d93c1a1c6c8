import AsyncIO
import MailSessions

/// The servers of one configuration at work in one worker, and what they share.
///
/// A session holds its server, so what a reload replaces serves on for those who came before, and goes
/// with the last of them.
final class ServerSet: Sendable {
    let servers: [MailServer]
    /// The `servers`' logs, in the same order.
    let logs: [SessionLog]
    /// Where the `servers` listen, in the same order.
    private let addresses: [Set<SocketAddress>]
    private let authenticators: AuthenticatorSet
    private let resolvers: [ResolverSettings: Resolver]
    private let backEnds: BackEndSet

    /// - Parameters:
    ///   - log: shares its open files with the servers' logs.
    ///   - connections: the worker's budget.
    ///   - pam: leads to the PAM helper.
    ///   - names: threads that look host names up.
    ///   - hosts: who is asked for back-ends where there is no `resolver`.
    ///   - zones: those of the configuration.
    ///   - previous: the set before; what both ask the same way they ask over the same connections.
    init(
        _ configuration: Configuration, log: Log, connections: ConnectionBudget, hashing: BlockingPool,
        pam: QuestionAsker, names: BlockingPool, hosts: SystemHosts, zones: SharedZones, executor: RingExecutor,
        previous: ServerSet? = nil
    ) {
        var authenticators = AuthenticatorSet(
            hashing: hashing, pam: pam, names: names, connections: connections, executor: executor,
            previous: previous?.authenticators)
        var backEnds = BackEndSet(
            hosts: hosts, connections: connections, executor: executor, previous: previous?.backEnds)
        var resolvers: [ResolverSettings: Resolver] = [:]
        var servers: [MailServer] = []
        logs = configuration.servers.map { SessionLog(log.log(to: $0.logs), limitLevel: $0.limitLevel) }
        addresses = configuration.servers.map { Set($0.listeners.map(\.address)) }
        // Each is replaced by one server at most, or two would share its limit.
        var former = previous.map { zip($0.servers, $0.addresses).map { (server: $0, addresses: $1) } } ?? []
        for (server, log) in zip(configuration.servers, logs) {
            let resolver = server.settings.resolver.map {
                resolvers[$0] ?? previous?.resolvers[$0] ?? Resolver($0, on: executor)
            }
            if let resolver { resolvers[resolver.settings] = resolver }
            let place = former.firstIndex { !$0.addresses.isDisjoint(with: server.listeners.map(\.address)) }
            servers.append(
                MailServer(
                    server.settings, connections: connections, resolver: resolver,
                    authenticator: authenticators.chain(for: server.settings, resolver: resolver),
                    router: backEnds.router(for: server.settings, resolver: resolver, log: log), observer: log,
                    zones: zones.byName, replacing: place.map { former.remove(at: $0).server }))
        }
        for server in servers {
            guard let context = server.settings.tls, let zone = context.sharedZone.flatMap({ zones[$0] }) else {
                continue
            }
            context.sharedSessions = TLSSharedSessions(zone)
        }
        self.servers = servers
        self.authenticators = authenticators
        self.resolvers = resolvers
        self.backEnds = backEnds
    }

    /// The checks of back-ends, to be run until the set is retired.
    var checks: [BackEndChecks] { backEnds.checks }

    /// Ends the checks.
    func endChecks() { backEnds.retire() }

    /// Keeps no more idle connections, but for those of services that `successor` asks too; without a
    /// successor nobody is left who would ask a name server, either.
    func retire(for successor: ServerSet? = nil) async {
        endChecks()
        await authenticators.retire(for: successor?.authenticators)
        // After a reload sessions may still wait for answers; a resolver goes with the last of them.
        guard successor == nil else { return }
        for resolver in resolvers.values { await resolver.close() }
    }
}
