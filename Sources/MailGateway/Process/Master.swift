import AsyncIO
import Glibc

/// The master: starts workers, replaces the dead, and passes on what the administrator says.
///
/// ```
/// running --QUIT--> draining --last worker ended--> over
///    |                  | TERM, INT
///    +----TERM, INT-----+--> stopping --all ended--> over      (KILL after the grace time)
/// ```
/// It never touches a byte of mail. Its children know by the end of their control channel when it has gone.
struct Master {
    /// How long a child may take to end after TERM before it is killed, as in nginx.
    static let grace = Duration.seconds(1)

    private let configuration: Configuration
    private let sockets: BoundSockets
    private let log: Log
    private let credentials: Credentials?
    private let demo: Demo?
    private let workers: Int

    /// All that can happen.
    enum Event: Sendable {
        case signal(Int32, sender: Int32)
        case ended(Fleet.Role, ChildProcess.Exit)
        /// The pause before the successor of a dead child is over.
        case respawn(Fleet.Role)
        /// The time for ending by itself is over.
        case graceOver
        /// A wait ended because there is nothing more to wait for, or a task that nobody waits for.
        case nothing
    }

    private enum Mode { case running, draining, stopping }

    /// A master for a checked configuration with its sockets open.
    init(
        configuration: Configuration, sockets: BoundSockets, workers: Int, log: Log, credentials: Credentials?,
        demo: Demo?
    ) {
        self.configuration = configuration
        self.sockets = sockets
        self.workers = workers
        self.log = log
        self.credentials = credentials
        self.demo = demo
    }

    /// Runs until the last child has ended; returns the exit code.
    func run() throws(StartFailure) -> Int32 {
        let handover = WorkerHandover(origin: configuration.origin, descriptors: sockets.descriptors(ofWorker: 0))
        guard var encoded = handover.encoded else {
            throw StartFailure("the configuration is larger than \(WorkerHandover.bytesMaximum) bytes")
        }
        wipe(&encoded)
        let executor = RingExecutor(kernel: try KernelChoice.makeSmall())
        try executor.runToSuccess { () async throws(StartFailure) in try await serve(on: executor) }
        log.write(.notice, "exit")
        return 0
    }

    private func serve(on executor: RingExecutor) async throws(StartFailure) {
        let scope = CancellationScope(on: executor)
        let signals: Signals
        do throws(IOError) {
            signals = try Signals(ProcessSignals.master, scope: scope)
        } catch {
            throw StartFailure("\(error)")
        }
        var pidFile: PIDFile?
        let failure = await withTaskGroup(of: Event.self) { group -> StartFailure? in
            var fleet = Fleet(configuration: configuration, sockets: sockets, demo: demo, log: log, scope: scope)
            var mode = Mode.running
            var failure: StartFailure?
            group.addTask { await Master.next(signals) }
            log.write(.notice, "start worker processes")
            if demo != nil { fleet.start(.demo, in: &group) }
            for number in 0..<workers { fleet.start(.worker(number), in: &group) }
            do throws(StartFailure) {
                pidFile = try configuration.core.pidFile.map { (path) throws(StartFailure) in try PIDFile(path) }
                if let demo { Terminal.say(demo.welcome) }
            } catch {
                failure = error
                mode = .stopping
                Master.stop(&fleet, in: &group, executor)
            }
            while mode == .running || !fleet.isEmpty, let event = await group.next() {
                switch event {
                case .signal(let signal, let sender):
                    log.write(.notice, ProcessSignals.notice(signal, from: sender))
                    switch signal {
                    case SIGTERM, SIGINT:
                        if mode == .running { sockets.close() }
                        if mode != .stopping { Master.stop(&fleet, in: &group, executor) }
                        mode = .stopping
                    case SIGQUIT where mode == .running:
                        mode = .draining
                        sockets.close()
                        fleet.send(SIGQUIT) { $0 != .demo }
                    case SIGUSR1:
                        log.reopen(owner: credentials)
                        fleet.send(SIGUSR1) { $0 != .demo }
                    default:
                        break
                    }
                    group.addTask { await Master.next(signals) }
                case .ended(let role, let exit):
                    let pause = fleet.ended(role, exit, isExpected: mode != .running)
                    if mode == .running { group.addTask { await Master.respawn(role, after: pause, scope) } }
                case .respawn(let role):
                    if mode == .running { fleet.start(role, in: &group) }
                case .graceOver:
                    fleet.send(SIGKILL)
                case .nothing:
                    break
                }
                // The demo's mail is of use as long as somebody may ask for it.
                if mode == .draining, !fleet.hasWorkers {
                    mode = .stopping
                    Master.stop(&fleet, in: &group, executor)
                }
            }
            if failure != nil { sockets.close() }
            scope.cancel()
            return failure
        }
        pidFile?.remove()
        if let failure { throw failure }
    }

    /// Tells everyone to end now, and remembers to insist.
    private static func stop(_ fleet: inout Fleet, in group: inout TaskGroup<Event>, _ executor: RingExecutor) {
        fleet.send(SIGTERM)
        let scope = fleet.scope
        group.addTask {
            do throws(IOError) {
                try await executor.sleep(until: executor.now + Master.grace, scope: scope)
                return .graceOver
            } catch {
                return .nothing
            }
        }
    }

    private static func next(_ signals: Signals) async -> Event {
        do throws(IOError) {
            let (signal, sender) = try await signals.next()
            return .signal(signal, sender: sender)
        } catch {
            return .nothing
        }
    }

    private static func respawn(_ role: Fleet.Role, after pause: Duration, _ scope: CancellationScope) async -> Event {
        do throws(IOError) {
            try await scope.executor.sleep(until: scope.executor.now + pause, scope: scope)
            return .respawn(role)
        } catch {
            return .nothing
        }
    }
}
