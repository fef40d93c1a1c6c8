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
struct Worker {
    private let configuration: Configuration
    private let descriptors: [Int32]
    private let log: Log
    /// Our end of the control channel; nil with `master_process off`.
    private let control: Int32?

    /// All that can happen to a worker.
    private enum Event: Sendable {
        case signal(Int32, sender: Int32)
        case masterGone
        case shutdownTimeout
        case served
        /// A wait ended because there is nothing more to wait for.
        case nothing
    }

    /// The whole life of a worker process, from its control descriptor to its exit code.
    static func main(control: Int32) -> Int32 {
        ProcessSignals.prepare(for: ProcessSignals.worker)
        do throws(StartFailure) {
            let handover = try ControlChannel.readHandover(from: control)
            let configuration: Configuration
            do throws(ConfigurationError) {
                configuration = try Configuration.load(from: handover.origin)
            } catch {
                throw StartFailure(error)
            }
            Worker.setEnvironment(configuration.core.environment)
            let log = try Worker.openLog(configuration)
            let worker = Worker(
                configuration: configuration, descriptors: handover.descriptors, log: log, control: control)
            do throws(StartFailure) {
                try worker.run()
            } catch {
                log.write(.emerg, error.text)
                return 2
            }
            return 0
        } catch {
            Terminal.complain(error)
            return 2
        }
    }

    /// Everything in one process (`master_process off`); the signals are blocked already.
    static func runAlone(_ configuration: Configuration, descriptors: [Int32], log: Log) throws(StartFailure) {
        try Worker(configuration: configuration, descriptors: descriptors, log: log, control: nil).run()
    }

    private static func openLog(_ configuration: Configuration) throws(StartFailure) -> Log {
        do throws(SourceError) { return try Log(configuration) } catch { throw StartFailure(error) }
    }

    private func run() throws(StartFailure) {
        raiseFileLimit()
        let outcome = try KernelChoice(configuration.events.method).makeForWorker()
        log.write(.notice, "using the \"\(outcome.kernel.name)\" event method, with \(outcome.kernel.features)")
        try takeWorkersRole()
        let executor = RingExecutor(kernel: outcome.kernel)
        try executor.runToSuccess { () async throws(StartFailure) in try await serve(on: executor) }
        log.write(.notice, "exit")
    }

    private func serve(on executor: RingExecutor) async throws(StartFailure) {
        let scope = CancellationScope(on: executor)
        let signals: Signals
        do throws(IOError) {
            signals = try Signals(ProcessSignals.worker, scope: scope)
        } catch {
            throw StartFailure("\(error)")
        }
        let supervisor = Supervisor(
            configuration: configuration, descriptors: descriptors, log: log, executor: executor)
        await withTaskGroup(of: Event.self) { group in
            group.addTask {
                await supervisor.run()
                return .served
            }
            group.addTask { await Worker.next(signals) }
            if let control {
                let channel = Socket(adopting: control, scope: scope)
                group.addTask { await Worker.end(of: channel) }
            }
            var isDraining = false
            for await event in group {
                var mustDrain = false
                switch event {
                case .signal(let signal, let sender):
                    log.write(.notice, ProcessSignals.notice(signal, from: sender))
                    switch signal {
                    case SIGQUIT: mustDrain = true
                    case SIGUSR1: log.reopen()
                    default: supervisor.cancel()
                    }
                    group.addTask { await Worker.next(signals) }
                case .masterGone:
                    log.write(.alert, "the master process has gone, shutting down")
                    mustDrain = true
                case .shutdownTimeout:
                    log.write(.notice, "worker_shutdown_timeout is over, ending the sessions that are left")
                    supervisor.cancel()
                case .served:
                    log.write(.notice, "exiting")
                    scope.cancel()
                case .nothing:
                    break
                }
                if mustDrain, !isDraining {
                    isDraining = true
                    log.write(.notice, "gracefully shutting down")
                    supervisor.drain()
                    if let limit = configuration.core.shutdownTimeout {
                        group.addTask { await Worker.timeout(at: executor.now + limit, scope) }
                    }
                }
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

    /// The master says nothing after the handover; its end of the channel closes with it.
    private static func end(of channel: Socket) async -> Event {
        var ignored = ByteQueue()
        do throws(IOError) {
            while try await channel.receive(into: &ignored, deadline: .never) > 0 { ignored.removeAll() }
            return .masterGone
        } catch {
            return error == .cancelled ? .nothing : .masterGone
        }
    }

    private static func timeout(at deadline: Instant, _ scope: CancellationScope) async -> Event {
        do throws(IOError) {
            try await scope.executor.sleep(until: deadline, scope: scope)
            return .shutdownTimeout
        } catch {
            return .nothing
        }
    }
}

// MARK: What a worker is before it serves

extension Worker {
    /// `env`: the variables said, and nothing else.
    private static func setEnvironment(_ settings: [EnvironmentSetting]) {
        let values = settings.compactMap { setting -> (String, String)? in
            if let value = setting.value { return (setting.name, value) }
            return unsafe getenv(setting.name).map { (setting.name, unsafe String(cString: $0)) }
        }
        clearenv()
        for (name, value) in values { unsafe setenv(name, value, 1) }
    }

    /// As many descriptors as `worker_rlimit_nofile` says, else as many as we may have.
    private func raiseFileLimit() {
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit()
        guard unsafe getrlimit(resource, &limit) == 0 else { return }
        if let maximum = configuration.core.openFilesMaximum {
            limit.rlim_cur = rlim_t(maximum)
            limit.rlim_max = rlim_t(maximum)
        } else {
            limit.rlim_cur = limit.rlim_max
        }
        if unsafe setrlimit(resource, &limit) != 0 {
            log.write(.alert, StartFailure.lastError("setrlimit(RLIMIT_NOFILE, \(limit.rlim_cur))").text)
        }
        let connections = configuration.events.connectionsMaximum
        if unsafe getrlimit(resource, &limit) == 0, rlim_t(connections) > limit.rlim_cur {
            log.write(
                .warn, "\(connections) worker_connections exceed open file resource limit: \(limit.rlim_cur)")
        }
    }

    /// Gives up privileges, goes to `working_directory`, and keeps credentials out of core files.
    private func takeWorkersRole() throws(StartFailure) {
        // As in nginx, one process that is everything stays who and where it is.
        if control != nil {
            try Credentials.ofWorkers(configuration)?.take()
            if let directory = configuration.core.workingDirectory, unsafe chdir(directory) != 0 {
                throw .lastError("chdir(\(quoted(directory)))")
            }
        }
        // It was started as /proc/self/exe, and would be called "exe".
        _ = unsafe clinux_set_process_name("mailgateway")
        // After setuid, which resets it.
        guard clinux_forbid_core_dumps() == 0 else { throw .lastError("prctl(PR_SET_DUMPABLE)") }
    }
}
