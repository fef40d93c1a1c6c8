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
    private let kept: [AuthHTTPSettings: KeptConnections]

    /// - Parameters:
    ///   - log: shares its open files with the servers' logs.
    ///   - connections: the worker's budget.
    ///   - previous: the set before; what both ask the same way they ask over the same connections.
    init(
        _ configuration: Configuration, log: Log, connections: ConnectionBudget, hashing: BlockingPool,
        executor: RingExecutor, previous: ServerSet? = nil
    ) {
        var pools: [AuthHTTPSettings: KeptConnections] = [:]
        var servers: [MailServer] = []
        logs = configuration.servers.map { SessionLog(log.log(to: $0.logs)) }
        for (server, log) in zip(configuration.servers, logs) {
            var pool = KeptConnections(maximum: 0, on: executor)
            if case .http(let settings) = server.settings.authenticator {
                pool =
                    pools[settings] ?? previous?.kept[settings]
                    ?? KeptConnections(maximum: settings.keepAlive, on: executor)
                pools[settings] = pool
            }
            servers.append(
                MailServer(server.settings, connections: connections, kept: pool, hashing: hashing, observer: log))
        }
        self.servers = servers
        kept = pools
    }

    /// Keeps no more idle connections, but for those of services that `successor` asks too.
    func retire(for successor: ServerSet? = nil) async {
        for (settings, pool) in kept where successor?.kept[settings] == nil { await pool.retire() }
    }
}
