import AsyncIO
import MailSessions

/// The groups of back-ends of one configuration at work in one worker; servers of a protocol share them.
struct BackEndSet: Sendable {
    /// What makes a group one: servers with another protocol or other name servers have a group of their own.
    private struct Key: Hashable {
        var name: String
        var mailProtocol: MailProtocol
        var resolver: ResolverSettings?
    }

    /// Asks the machine's own resolver where there is no `resolver`.
    private let hosts: SystemHosts
    /// The worker's budget.
    private let connections: ConnectionBudget
    private let executor: RingExecutor
    private let former: [Key: BackEndGroup]
    private var groups: [Key: BackEndGroup] = [:]
    /// The checks of all groups that have some.
    private(set) var checks: [BackEndChecks] = []
    /// Of the checks; cancelled when the set has been replaced.
    private let checking: CancellationScope

    /// - Parameter previous: the set before; its groups go on where they are the same, and their members do
    ///   where those are.
    init(hosts: SystemHosts, connections: ConnectionBudget, executor: RingExecutor, previous: BackEndSet?) {
        self.hosts = hosts
        self.connections = connections
        self.executor = executor
        former = previous?.groups ?? [:]
        checking = CancellationScope(on: executor)
    }

    /// What the names of back-ends mean to a server.
    /// - Parameters:
    ///   - resolver: of the server's `resolver`.
    ///   - log: for what checks find out.
    mutating func router(for server: ServerSettings, resolver: Resolver?, log: SessionLog) -> BackEndRouter {
        let lookup =
            resolver.map { HostLookup.resolver($0, timeout: server.resolverTimeout) } ?? HostLookup.system(hosts)
        return BackEndRouter(
            server.groups.map { settings in group(settings, for: server, lookup, log) }, lookup: lookup)
    }

    private mutating func group(
        _ settings: BackEndGroupSettings, for server: ServerSettings, _ lookup: HostLookup, _ log: SessionLog
    ) -> BackEndGroup {
        let key = Key(name: settings.name, mailProtocol: server.mailProtocol, resolver: server.resolver)
        let isDefault =
            if case .name(let name, _)? = server.backEnd { name.lowercased() == settings.name.lowercased() } else {
                false
            }
        let known = groups[key] ?? former[key].flatMap { $0.settings == settings ? $0 : nil }
        let group =
            known
            ?? BackEndGroup(
                settings, lookup: lookup, connections: connections, on: executor, replacing: former[key])
        if isDefault { group.expectUse() }
        guard groups.updateValue(group, forKey: key) == nil, settings.check != nil else { return group }
        let probe = BackEndProbe(for: server, connections: connections)
        checks.append(
            BackEndChecks(of: group, by: probe, in: checking) { log.observe($0, of: settings.name) })
        return group
    }

    /// Ends the checks.
    func retire() { checking.cancel() }
}
