import AsyncIO
import CLinux
import Glibc

/// A worker: one process, one thread, one executor; serves clients until it is told to stop.
///
/// ```
/// serving --QUIT, master gone--> draining --last session--> over
///    |                              | worker_shutdown_timeout, TERM, INT
///    +-----------TERM, INT----------+--> cancelled --sessions ended--> over
/// ```
/// A new configuration changes what new clients get, in the state it is in.
struct Worker {
    /// Hashes checked at once, and waiting to be.
    private static let blockingThreads = 2
    private static let blockingQueue = 1024

    /// What it serves by, to begin with; taken by the task that serves, so that nobody holds it longer than it is in force.
    private let first: Lock<Assignment?>
    private let log: Log
    private let source: Source

    /// Where new configurations come from.
    private enum Source: Sendable {
        /// From the master, over our end of the control channel; `number` is the worker's own, and over `pam` is
        /// PAM asked.
        case master(control: Int32, number: Int, pam: Int32)
        /// Read by ourselves: everything is one process (`master_process off`).
        case ourselves(PAMChannel)

        /// What is said to a worker by signals; one that is alone hears what else a master would do.
        var signals: [Int32] {
            if case .ourselves = self { return ProcessSignals.worker + [SIGHUP] }
            return ProcessSignals.worker
        }

        /// Over which PAM is asked.
        var pam: Int32 {
            switch self {
            case .master(_, _, let pam): pam
            case .ourselves(let channel): channel.asking
            }
        }
    }

    /// What the newest configuration needs at once, and later.
    fileprivate struct Assignment: Sendable {
        let configuration: Configuration
        let log: Log
        /// The serial numbers of the sockets of `configuration`.
        let sockets: [Int]
        let newcomers: [Supervisor.Listener]
        /// Until they are served by: the supervisor keeps those that it had mapped before.
        var zones: SharedZones?
        /// Without a master: what the next configuration takes over from.
        var setup: Setup?
    }

    /// All that can happen to a worker.
    private enum Event: Sendable {
        case signal(Int32, sender: Int32)
        /// A handover, and what it says if that can be done.
        case delivered(ControlChannel.Delivery, Result<Assignment, StartFailure>)
        /// A handover came without all of its descriptors, for which there is no room.
        case undelivered
        case masterGone
        case shutdownTimeout
        /// Without a master: it is time to look at the files of TLS and of accounts.
        case filesDue
        case served
        /// A wait ended because there is nothing more to wait for.
        case nothing
    }

    /// The whole life of a worker process, from its inherited descriptors to its exit code.
    static func main(control: Int32, pam: Int32) -> Int32 {
        ProcessSignals.prepare(for: ProcessSignals.worker)
        do throws(StartFailure) {
            try WorkerRole.keepSecrets()
            let worker = try readHandover(control, pam)
            do throws(StartFailure) {
                try worker.run()
            } catch {
                worker.log.write(.emerg, error.text)
                return 2
            }
            return 0
        } catch {
            Terminal.complain(error)
            return 2
        }
    }

    /// The worker that the first handover asks for. The handover, with all texts of the configuration, does not
    /// outlive this.
    private static func readHandover(_ control: Int32, _ pam: Int32) throws(StartFailure) -> Worker {
        let delivery = try ControlChannel.readHandover(from: control)
        let first = try Worker.assignment(delivery, sharing: nil)
        WorkerRole.setEnvironment(first.configuration.core.environment)
        return Worker(first, source: .master(control: control, number: delivery.handover.number, pam: pam))
    }

    /// Everything in one process (`master_process off`); the signals are blocked already.
    static func runAlone(_ setup: consuming Setup) throws(StartFailure) {
        let pam = setup.pam
        try Worker(assignment(consume setup, insteadOf: nil), source: .ourselves(pam)).run()
    }

    private init(_ first: consuming Assignment, source: Source) {
        log = first.log
        self.source = source
        self.first = Lock(consume first)
    }

    /// What `setup` says, for a process that has the sockets of `old`.
    private static func assignment(_ setup: Setup, insteadOf old: Setup?) -> Assignment {
        let known = Set(old?.sockets.all.map(\.serial) ?? [])
        let sockets = setup.sockets.all
        return Assignment(
            configuration: setup.configuration, log: setup.log, sockets: sockets.map(\.serial),
            newcomers: sockets.filter { !known.contains($0.serial) }.map {
                Supervisor.Listener(serial: $0.serial, descriptor: $0.socket.descriptor)
            }, zones: setup.zones, setup: setup)
    }

    /// Reads what a handover says.
    private static func assignment(
        _ delivery: ControlChannel.Delivery, sharing log: Log?
    ) throws(StartFailure) -> Assignment {
        var configuration: Configuration
        do throws(ConfigurationError) {
            configuration = try Configuration.load(from: delivery.handover.origin)
            // Nobody reads it again here: certificates and keys are OpenSSL's now.
            configuration.origin.texts = []
        } catch {
            throw StartFailure(error)
        }
        let handover = delivery.handover
        let ownLog: Log
        do throws(SourceError) { ownLog = try Log(configuration, sharing: log) } catch { throw StartFailure(error) }
        let descriptors = delivery.descriptors.dropFirst(handover.newcomers.count)
        let zones = try SharedZones(
            mapping: descriptors, configuration.zones, serials: handover.zones, region: handover.region)
        // Last of all: they are mapped, and nothing fails any more.
        for descriptor in descriptors { close(descriptor) }
        return Assignment(
            configuration: configuration, log: ownLog, sockets: handover.sockets,
            newcomers: zip(handover.newcomers, delivery.descriptors).map {
                Supervisor.Listener(serial: $0, descriptor: $1)
            }, zones: zones)
    }

    private func run() throws(StartFailure) {
        let executor = try prepare()
        try executor.runToSuccess { () async throws(StartFailure) in try await serve(on: executor) }
        log.write(.notice, "exit")
    }

    /// Takes on what a process does at its birth.
    private func prepare() throws(StartFailure) -> RingExecutor {
        guard let configuration = first.withLock({ $0?.configuration }) else {
            preconditionFailure("a worker is born before it serves")
        }
        let role = WorkerRole(configuration, log: log)
        role.raiseFileLimit()
        let outcome = try KernelChoice(configuration.events.method)
            .makeForWorker(hasSiblings: !configuration.core.hasOneWorker)
        log.write(.notice, "using the \"\(outcome.kernel.name)\" event method, with \(outcome.kernel.features)")
        if case .master(_, let number, _) = source { try role.take(number) }
        try WorkerRole.keepSecrets()
        return RingExecutor(kernel: outcome.kernel)
    }

    private func takeFirst() -> Assignment {
        guard let first = first.withLock({ $0.take() }) else { preconditionFailure("a worker serves once") }
        return first
    }

    private func serve(on executor: RingExecutor) async throws(StartFailure) {
        let scope = CancellationScope(on: executor)
        let signals: Signals
        do throws(IOError) {
            signals = try Signals(source.signals, scope: scope)
        } catch {
            throw StartFailure("\(error)")
        }
        let pool = BlockingPool(threads: Worker.blockingThreads, queueMaximum: Worker.blockingQueue)
        let supervisor = Supervisor(
            log: log, hashing: pool, pam: QuestionAsker(using: source.pam, on: executor), executor: executor)
        var current = takeFirst()
        await supervisor.serve(current)
        current.zones = nil
        await withTaskGroup(of: Event.self) { group in
            group.addTask {
                await supervisor.run()
                return .served
            }
            group.addTask { await Worker.next(signals) }
            var channel: ControlChannel?
            if case .master(let control, _, _) = source {
                let opened = ControlChannel(adopting: control, scope: scope)
                channel = opened
                group.addTask { await Worker.answer(.accepted, opened, pool, log) }
            }
            var files: FileWatch?
            var keeper: PAMKeeper?
            if let setup = current.setup {
                files = FileWatch(current.configuration)
                group.addTask { await Worker.pause(FileWatch.interval, scope) ? .filesDue : .nothing }
                let pam = PAMKeeper(setup, scope: scope)
                keeper = pam
                group.addTask {
                    await pam.run()
                    return .nothing
                }
            }
            var isDraining = false
            for await event in group {
                var mustDrain = false
                switch event {
                case .signal(let signal, let sender):
                    current.log.write(.notice, ProcessSignals.notice(signal, from: sender))
                    switch signal {
                    case SIGQUIT: mustDrain = true
                    case SIGUSR1: current.log.reopen()
                    case SIGHUP:
                        if let old = current.setup, let renewed = old.renewedOrReported() {
                            current = Worker.assignment(renewed, insteadOf: old)
                            await keeper?.take(renewed)
                            await supervisor.serve(current)
                            renewed.takeOver(from: old, closesSockets: false)
                            files = FileWatch(renewed.configuration)
                        }
                    default: await supervisor.cancel()
                    }
                    group.addTask { await Worker.next(signals) }
                case .delivered(let delivery, let outcome):
                    var answer = ControlChannel.Answer.refused
                    switch outcome {
                    case .success(let next):
                        current = next
                        await supervisor.serve(current)
                        current.zones = nil
                        next.log.reopen()
                        answer = .accepted
                    case .failure(let failure):
                        delivery.discard()
                        current.log.write(.emerg, failure.text)
                    }
                    if let channel {
                        let (answer, log) = (answer, current.log)
                        group.addTask { await Worker.answer(answer, channel, pool, log) }
                    }
                case .undelivered:
                    current.log.write(.emerg, "too many open files for another configuration")
                    if let channel {
                        let log = current.log
                        group.addTask { await Worker.answer(.refused, channel, pool, log) }
                    }
                case .masterGone:
                    current.log.write(.alert, "the master process has gone, shutting down")
                    mustDrain = true
                case .shutdownTimeout:
                    current.log.write(.notice, "worker_shutdown_timeout is over, ending the sessions that are left")
                    await supervisor.cancel()
                case .filesDue:
                    if let old = current.setup, let renewed = files?.renewal(of: old) {
                        current = Worker.assignment(renewed, insteadOf: old)
                        await supervisor.serve(current)
                    }
                    group.addTask { await Worker.pause(FileWatch.interval, scope) ? .filesDue : .nothing }
                case .served:
                    current.log.write(.notice, "exiting")
                    scope.cancel()
                case .nothing:
                    break
                }
                if mustDrain, !isDraining {
                    isDraining = true
                    current.log.write(.notice, "gracefully shutting down")
                    await supervisor.drain()
                    if let limit = current.configuration.core.shutdownTimeout {
                        group.addTask { await Worker.pause(limit, scope) ? .shutdownTimeout : .nothing }
                    }
                }
            }
            current.setup?.sockets.close(areOurs: false)
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

    /// Says how the last handover went, waits for the next and reads it, beside the sessions: a large
    /// configuration takes its time.
    private static func answer(
        _ answer: ControlChannel.Answer, _ channel: ControlChannel, _ pool: BlockingPool, _ log: Log
    ) async -> Event {
        await channel.send(answer)
        do throws(IOError) {
            guard let delivery = try await channel.delivery() else { return .undelivered }
            let outcome = await pool.run {
                Result { () throws(StartFailure) in try Worker.assignment(delivery, sharing: log) }
            }
            return .delivered(
                delivery, outcome ?? .failure(StartFailure("too much is waiting for the configuration to be read")))
        } catch {
            return error == .cancelled ? .nothing : .masterGone
        }
    }

    /// Waits; false when there is nothing to wait for any more.
    private static func pause(_ time: Duration, _ scope: CancellationScope) async -> Bool {
        do throws(IOError) {
            try await scope.executor.sleep(until: scope.executor.now + time, scope: scope)
            return true
        } catch {
            return false
        }
    }
}

extension Supervisor {
    /// From now on new clients are served as `assignment` says.
    fileprivate func serve(_ assignment: Worker.Assignment) async {
        guard let zones = assignment.zones else { preconditionFailure("an assignment is served once") }
        await serve(
            assignment.configuration, on: assignment.sockets, newcomers: assignment.newcomers, zones: zones,
            log: assignment.log)
    }
}
