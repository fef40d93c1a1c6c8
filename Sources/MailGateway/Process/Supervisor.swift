import AsyncIO
import MailSessions

/// Accepts and serves the clients of one worker.
///
/// ```
///   run ─┬─ listener ─┬─ logins ─┬─ session logging in
///        │            │          └─ session …
///        │            └─ relays ─┬─ session logged in
///        │                       └─ session …
///        ├─ listener …
///        └─ the wait for `cancel`
/// ```
final class Supervisor: Sendable {
    /// After accepting failed for want of descriptors, as nginx's `accept_mutex_delay`: others may end meanwhile.
    private static let acceptPause = Duration.milliseconds(500)
    /// Hashes checked at once, and waiting to be.
    private static let hashingThreads = 2
    private static let hashingQueue = 1024

    private let sockets: [(socket: PlannedSocket, descriptor: Int32)]
    private let admission: AdmissionControl
    private let kept: [KeptConnections]
    private let log: Log
    private let executor: RingExecutor
    /// Cancelled to stop accepting.
    private let accepting: CancellationScope
    /// Cancelled to end everything.
    private let serving: CancellationScope

    /// - Parameter descriptors: the listening descriptors of `configuration.sockets`, in the same order;
    ///   closed when accepting ends.
    init(configuration: Configuration, descriptors: [Int32], log: Log, executor: RingExecutor) {
        sockets = Array(zip(configuration.sockets, descriptors))
        self.log = log
        self.executor = executor
        accepting = CancellationScope(on: executor)
        serving = CancellationScope(on: executor)
        let connections = ConnectionBudget(maximum: configuration.events.connectionsMaximum)
        // As in nginx, a listening socket is a connection too.
        for _ in descriptors { _ = connections.take() }
        let hashing = BlockingPool(threads: Supervisor.hashingThreads, queueMaximum: Supervisor.hashingQueue)
        var pools: [AuthHTTPSettings: KeptConnections] = [:]
        var servers: [MailServer] = []
        let logs = configuration.servers.map { SessionLog(log.log(to: $0.logs)) }
        for (server, log) in zip(configuration.servers, logs) {
            var pool = KeptConnections(maximum: 0, on: executor)
            if case .http(let settings) = server.settings.authenticator {
                pool = pools[settings] ?? KeptConnections(maximum: settings.keepAlive, on: executor)
                pools[settings] = pool
            }
            servers.append(
                MailServer(
                    server.settings, connections: connections, kept: pool, hashing: hashing, observer: log))
        }
        kept = Array(pools.values)
        admission = AdmissionControl(
            servers: servers, logs: logs, connections: connections, executor: executor)
    }

    /// Stops accepting; sessions go on. `run` returns after the last one. (QUIT) Any thread.
    func drain() { accepting.cancel() }

    /// Ends every session now. (TERM, worker_shutdown_timeout) Any thread.
    func cancel() {
        accepting.cancel()
        serving.cancel()
    }

    /// Serves until drained or cancelled: returns when the last session has ended.
    func run() async {
        await withTaskGroup(of: Event.self) { group in
            for (socket, descriptor) in sockets {
                group.addTask {
                    await self.serve(socket, descriptor)
                    return .listenerEnded
                }
            }
            group.addTask {
                await self.waitForCancellation()
                return .cancelled
            }
            var listeners = sockets.count
            for await event in group {
                switch event {
                case .cancelled: group.cancelAll()
                case .listenerEnded: listeners -= 1
                }
                if listeners == 0 { serving.cancel() }
            }
        }
        for pool in kept { await pool.closeAll() }
    }

    private enum Event { case listenerEnded, cancelled }

    private func waitForCancellation() async {
        // Nothing else ends this wait.
        do throws(IOError) { try await executor.sleep(until: .never, scope: serving) } catch {}
    }

    // MARK: One listener

    private func serve(_ socket: PlannedSocket, _ descriptor: Int32) async {
        let loggedIn = LoggedInSessions(on: executor)
        await withDiscardingTaskGroup { group in
            group.addTask { await self.relay(loggedIn) }
            await logIn(socket, descriptor, loggedIn)
            await loggedIn.close()
        }
    }

    /// Accepts clients and logs them in, each in a task of its own, until accepting ends and the last is done.
    private func logIn(_ socket: PlannedSocket, _ descriptor: Int32, _ loggedIn: LoggedInSessions) async {
        await withDiscardingTaskGroup { logins in
            let acceptor = Acceptor(listening: descriptor, scope: accepting)
            while let connection = await accept(from: acceptor) {
                if let session = await admission.admit(connection, from: socket) {
                    logins.addTask { if await session.logIn() { await loggedIn.add(session) } }
                }
            }
            // Now, not after the last session: as long as any process holds it, clients queue up there.
            executor.kernel.close(descriptor)
        }
    }

    /// Relays logged-in clients, each in a task of its own, until no more come and the last has gone.
    private func relay(_ loggedIn: LoggedInSessions) async {
        let relayNext: @Sendable @isolated(any) () async -> Void = { await loggedIn.relayNext() }
        await withDiscardingTaskGroup { relays in
            while await loggedIn.hasNext() { relays.addTask(operation: relayNext) }
        }
    }

    /// The next connection; nil when there shall be no more.
    private func accept(from acceptor: Acceptor) async -> Int32? {
        while true {
            do throws(IOError) {
                return try await acceptor.next()
            } catch {
                if error == .cancelled { return nil }
                log.write(error.isExhaustion ? .crit : .alert, "\(error)")
                do throws(IOError) {
                    try await executor.sleep(until: executor.now + Supervisor.acceptPause, scope: accepting)
                } catch {
                    return nil
                }
            }
        }
    }
}
