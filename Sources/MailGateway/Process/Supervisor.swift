import AsyncIO
import MailSessions

/// Accepts and serves the clients of one worker, by the newest configuration it was given.
///
/// ```
///   run ─┬─ listener ─┬─ session
///        │            └─ session …
///        ├─ listener …
///        ├─ checks of a group of back-ends …
///        ├─ the wait for further listeners
///        └─ the wait for `cancel`
/// ```
/// A reload adds listeners, ends others, and leaves those that both configurations have: only where
/// their next clients belong changes.
actor Supervisor {
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }
    /// After accepting failed for want of descriptors, as nginx's `accept_mutex_delay`: others may end meanwhile.
    private static let acceptPause = Duration.milliseconds(500)
    /// Host names waiting to be looked up; each service has one question at a time.
    private static let namesQueue = 256
    /// Names looked up at once: one that nobody answers for must not hold up the others.
    private static let namesThreads = 4

    private nonisolated let executor: RingExecutor
    private let admission: AdmissionControl
    /// `worker_connections`.
    private let connections: ConnectionBudget
    private let hashing: BlockingPool
    private let pam: QuestionAsker
    /// Of their own: looking up a name may block for long, and must hold no password check up.
    private let names = BlockingPool(threads: Supervisor.namesThreads, queueMaximum: Supervisor.namesQueue)
    private let hosts: SystemHosts
    private var servers: ServerSet?
    private var zones: SharedZones?
    private var log: Log
    /// By listener; cancelled to end its accepting.
    private var accepting: [Int: CancellationScope] = [:]
    /// Listeners that hold a place; while those of two configurations are there, there may be too few.
    private var placed: Set<Int> = []
    /// Listeners that `run` has not started yet.
    private var arrivals: [Listener] = []
    /// Checks of back-ends that `run` has not started yet.
    private var newChecks: [BackEndChecks] = []
    private var isDraining = false
    private var waiter: Waiter<Void>?
    /// Cancelled to end everything.
    private let serving: CancellationScope

    /// A socket that listens, which is ours to close.
    struct Listener: Sendable {
        let serial: Int
        let descriptor: Int32
    }

    /// Serves nobody before `serve(_:on:newcomers:zones:log:)` says how.
    /// - Parameters:
    ///   - hashing: checks the hashes of passwords.
    ///   - pam: leads to the PAM helper.
    init(log: Log, hashing: BlockingPool, pam: QuestionAsker, executor: RingExecutor) {
        self.log = log
        self.hashing = hashing
        self.pam = pam
        self.executor = executor
        connections = ConnectionBudget(maximum: 0)
        hosts = SystemHosts(on: executor, pool: names)
        serving = CancellationScope(on: executor)
        admission = AdmissionControl(connections: connections, scope: serving)
    }

    /// From now on new clients are served by `configuration`; those that are here stay as they are.
    /// - Parameters:
    ///   - listeners: the serial numbers of the sockets of `configuration.sockets`, in the same order.
    ///   - newcomers: those of them that are not here yet; they are closed when their accepting ends.
    ///   - zones: those of `configuration`.
    func serve(
        _ configuration: Configuration, on listeners: [Int], newcomers: [Listener], zones: SharedZones, log: Log
    ) async {
        self.log = log
        let zones = zones.takingOver(from: self.zones)
        self.zones = zones
        connections.maximum = configuration.events.connectionsMaximum
        let successor = ServerSet(
            configuration, log: log, connections: connections, hashing: hashing, pam: pam, names: names,
            hosts: hosts, zones: zones, executor: executor, previous: servers)
        let former = servers
        servers = successor
        for (socket, listener) in zip(configuration.sockets, listeners) {
            await admission.assign(AdmissionControl.Assignment(socket: socket, servers: successor), to: listener)
        }
        for listener in newcomers {
            guard !isDraining else {
                executor.kernel.close(listener.descriptor)
                continue
            }
            // As in nginx, a listening socket is a connection too.
            if connections.take() { placed.insert(listener.serial) }
            accepting[listener.serial] = CancellationScope(on: executor)
            arrivals.append(listener)
        }
        if !isDraining { newChecks += successor.checks }
        let wanted = Set(listeners)
        for (listener, scope) in accepting where !wanted.contains(listener) { scope.cancel() }
        waiter.take()?.resume(returning: ())
        await former?.retire(for: successor)
    }

    /// Stops accepting; sessions go on. `run` returns after the last one. (QUIT)
    func drain() {
        isDraining = true
        servers?.endChecks()
        for scope in accepting.values { scope.cancel() }
        waiter.take()?.resume(returning: ())
    }

    /// Ends every session now. (TERM, worker_shutdown_timeout)
    func cancel() {
        drain()
        serving.cancel()
    }

    /// Serves until drained or cancelled: returns when the last session has ended.
    nonisolated func run() async {
        await withTaskGroup(of: Arrival.self) { group in
            group.addTask { await self.nextArrival() }
            for await arrival in group {
                switch arrival {
                case .none: continue
                case .listener(let listener):
                    group.addTask {
                        await self.serve(listener)
                        return .none
                    }
                case .checks(let checks):
                    group.addTask {
                        await checks.run()
                        return .none
                    }
                }
                group.addTask { await self.nextArrival() }
            }
        }
        await servers?.retire()
    }

    private enum Arrival: Sendable {
        case listener(Listener)
        case checks(BackEndChecks)
        case none
    }

    /// A listener to be served, or checks to be made; none when there will be no more.
    private func nextArrival() async -> Arrival {
        while arrivals.isEmpty {
            if let checks = newChecks.popLast() { return .checks(checks) }
            if isDraining { return .none }
            await Waiter.wait { waiter = consume $0 }
        }
        return .listener(arrivals.removeFirst())
    }

    // MARK: One listener

    /// Accepts clients and serves them, each in a task of its own, until accepting ends and the last has gone.
    private func serve(_ listener: Listener) async {
        let crews = TaskCrews(on: executor, of: self)
        await withDiscardingTaskGroup { sessions in
            if let scope = accepting[listener.serial] {
                let acceptor = Acceptor(listening: listener.descriptor, scope: scope)
                while let connections = await accept(from: acceptor, scope) {
                    for connection in connections {
                        guard let session = admission.admit(connection, from: listener.serial) else { continue }
                        crews.hire(into: &sessions) { group, crew in
                            group.addTask {
                                if await session.logIn() {
                                    // What this task waits in is held as long as the session, so it waits here.
                                    // Safety: the relay resumes its waiter exactly once, when all of it is over.
                                    await unsafe withUnsafeContinuation { unsafe session.beginRelay(Waiter($0)) }
                                    session.conclude()
                                }
                                crew.leave()
                            }
                        }
                    }
                }
            }
            crews.close()
            // Now, not after the last session: as long as any process holds it, clients queue up there.
            await close(listener)
        }
    }

    private func close(_ listener: Listener) async {
        executor.kernel.close(listener.descriptor)
        accepting[listener.serial] = nil
        if placed.remove(listener.serial) != nil { connections.giveBack() }
        await admission.assign(nil, to: listener.serial)
    }

    /// The next connections; nil when there shall be no more.
    @inline(__always)
    private func accept(from acceptor: Acceptor, _ scope: CancellationScope) async -> [Int32]? {
        while true {
            do throws(IOError) {
                return try await acceptor.next()
            } catch {
                if error == .cancelled { return nil }
                log.write(error.isExhaustion ? .crit : .alert, "\(error)")
                do throws(IOError) {
                    try await executor.sleep(until: executor.now + Supervisor.acceptPause, scope: scope)
                } catch {
                    return nil
                }
            }
        }
    }
}
