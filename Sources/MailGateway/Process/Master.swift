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

    private let program: Program
    private let executor: RingExecutor
    private let scope: CancellationScope
    private var setup: Setup
    private var fleet: Fleet
    private var mode = Mode.running
    /// WINCH: there are no workers until HUP.
    private var isResting = false
    private var pidFile: PIDFile?
    /// The program that takes over from this one (USR2).
    private var successor: ChildProcess?
    /// A reload that not all workers have heard of yet.
    private var isReloading = false
    private var failure: StartFailure?
    private var files: FileWatch
    private let pam: PAMKeeper

    /// All that can happen.
    enum Event: Sendable {
        case signal(Int32, sender: Int32)
        case answered(Int32, ControlChannel.Answer)
        case ended(Int32, ChildProcess.Exit)
        case successorEnded(ChildProcess.Exit)
        /// The pause before the successor of a dead child is over.
        case respawn(Fleet.Role)
        /// The time for ending by itself is over.
        case graceOver
        /// It is time to look at the files of TLS and of accounts.
        case filesDue
        /// A wait ended because there is nothing more to wait for, or a task that nobody waits for.
        case nothing
    }

    private enum Mode { case running, draining, stopping }

    /// Runs a setup until the last child has ended; returns the exit code.
    static func run(_ setup: consuming Setup, _ program: Program) throws(StartFailure) -> Int32 {
        let executor = RingExecutor(kernel: try KernelChoice.makeSmall())
        let log = Lock(setup.log)
        // Taken by the task that serves, so that nobody holds it longer than it is in force.
        let first = Lock<Setup?>(consume setup)
        try executor.runToSuccess { () async throws(StartFailure) in
            let (last, failure) = await Master.serve(first, program, on: executor)
            log.withLock { $0 = last }
            if let failure { throw failure }
        }
        log.withLock { $0.write(.notice, "exit") }
        return 0
    }

    private init(_ first: Lock<Setup?>, _ program: Program, on executor: RingExecutor) {
        guard let setup = first.withLock({ $0.take() }) else { preconditionFailure("a setup is run once") }
        self.setup = setup
        self.program = program
        self.executor = executor
        scope = CancellationScope(on: executor)
        fleet = Fleet(setup, scope: scope)
        files = FileWatch(setup.configuration)
        pam = PAMKeeper(setup, scope: scope)
    }

    /// Returns the last log, and why it could not begin; nil after a life that ended as it should.
    private static func serve(
        _ first: Lock<Setup?>, _ program: Program, on executor: RingExecutor
    ) async -> (log: Log, failure: StartFailure?) {
        var master = Master(first, program, on: executor)
        let signals: Signals
        do throws(IOError) {
            signals = try Signals(program.signals(of: master.setup.configuration), scope: master.scope)
        } catch {
            return (master.setup.log, StartFailure("\(error)"))
        }
        await withTaskGroup(of: Event.self) { group in
            group.addTask { await Master.next(signals) }
            group.addTask { [pam = master.pam] in
                await pam.run()
                return .nothing
            }
            master.begin(in: &group)
            master.watchFiles(in: &group)
            while master.mode == .running || !master.fleet.isEmpty, let event = await group.next() {
                master.handle(event, in: &group)
                if case .signal = event { group.addTask { await Master.next(signals) } }
            }
            master.scope.cancel()
        }
        if master.failure != nil { master.setup.sockets.close(keepingFiles: master.sharesFiles) }
        master.pidFile?.remove()
        return (master.setup.log, master.failure)
    }

    private mutating func begin(in group: inout TaskGroup<Event>) {
        setup.log.write(.notice, "start worker processes")
        fleet.fill(in: &group)
        do throws(StartFailure) {
            pidFile = try setup.configuration.core.pidFile.map { (path) throws(StartFailure) in try PIDFile(path) }
            if let demo = setup.source.demo { Terminal.say(demo.welcome) }
            program.isReady()
        } catch {
            failure = error
            stop(in: &group)
        }
    }

    private mutating func handle(_ event: Event, in group: inout TaskGroup<Event>) {
        switch event {
        case .signal(let signal, let sender):
            setup.log.write(.notice, ProcessSignals.notice(signal, from: sender))
            handle(signal: signal, in: &group)
        case .answered(let id, let answer):
            fleet.answered(id, answer, in: &group)
        case .ended(let id, let exit):
            let next = fleet.ended(id, exit, isExpected: mode != .running)
            if let next, mode == .running {
                let scope = scope
                group.addTask { await Master.respawn(next.role, after: next.pause, scope) }
            }
        case .successorEnded(let exit):
            successorEnded(exit, in: &group)
        case .respawn(let role):
            if mode == .running, !isResting || role == .demo { fleet.start(role, in: &group) }
        case .graceOver:
            fleet.send(SIGKILL)
        case .filesDue where mode == .running:
            takeFilesOver(in: &group)
            watchFiles(in: &group)
        case .filesDue: break
        case .nothing:
            break
        }
        if isReloading, fleet.isUpToDate {
            isReloading = false
            setup.log.write(.notice, "all workers serve the new configuration")
        }
        // The demo's mail is of use as long as somebody may ask for it.
        if mode == .draining, !fleet.hasWorkers { stop(in: &group) }
    }

    private mutating func handle(signal: Int32, in group: inout TaskGroup<Event>) {
        switch signal {
        case SIGTERM, SIGINT:
            if mode == .running { setup.sockets.close(keepingFiles: sharesFiles) }
            if mode != .stopping { stop(in: &group) }
        case SIGQUIT where mode == .running:
            mode = .draining
            setup.sockets.close(keepingFiles: sharesFiles)
            fleet.retireAll()
        case SIGWINCH where mode == .running:
            isResting = true
            fleet.retireAll()
        case SIGHUP where mode == .running:
            reload(in: &group)
        case SIGUSR1:
            setup.log.reopen(owner: setup.credentials)
            fleet.send(SIGUSR1) { $0 != .demo }
        case SIGUSR2 where mode == .running:
            upgrade(in: &group)
        default:
            break
        }
    }

    /// Tells everyone to end now, and remembers to insist.
    private mutating func stop(in group: inout TaskGroup<Event>) {
        mode = .stopping
        fleet.send(SIGTERM)
        let scope = scope
        group.addTask { await Master.pause(Master.grace, scope) ? .graceOver : .nothing }
    }

    // MARK: Reload

    private mutating func reload(in group: inout TaskGroup<Event>) {
        guard successor == nil else {
            // As in nginx: the way back from an upgrade, by the configuration that was in force.
            isResting = false
            return fleet.fill(in: &group)
        }
        guard let renewed = setup.renewedOrReported() else { return }
        var movedPIDFile = pidFile
        let path = renewed.configuration.core.pidFile
        if path != pidFile?.path {
            do throws(StartFailure) {
                movedPIDFile = try path.map { (path) throws(StartFailure) in try PIDFile(path) }
            } catch {
                renewed.sockets.close(exceptThoseOf: setup.sockets)
                return setup.report(refused: error)
            }
            pidFile?.remove()
            pidFile = movedPIDFile
        }
        let birthmarks = renewed.configuration.birthmarks(differingFrom: setup.configuration)
        renewed.takeOver(from: setup)
        if !birthmarks.isEmpty {
            let names = birthmarks.map(quoted).joined(separator: ", ")
            renewed.log.write(.notice, "\(names) cannot change in a running worker, replacing the workers")
        }
        setup = renewed
        files = FileWatch(renewed.configuration)
        isResting = false
        isReloading = true
        // Before the workers: they may ask at once.
        pam.assumeIsolated { $0.take(renewed) }
        fleet.take(renewed, mustReplace: !birthmarks.isEmpty, in: &group)
    }

    // MARK: Files that change without a reload

    private func watchFiles(in group: inout TaskGroup<Event>) {
        let scope = scope
        group.addTask { await Master.pause(FileWatch.interval, scope) ? .filesDue : .nothing }
    }

    private mutating func takeFilesOver(in group: inout TaskGroup<Event>) {
        guard let renewed = files.renewal(of: setup) else { return }
        setup = renewed
        isReloading = !isResting
        fleet.take(renewed, mustReplace: false, mayStart: !isResting, in: &group)
    }

    // MARK: Upgrade

    /// Whether another program uses the files of our unix sockets, and the pid file's name.
    private var sharesFiles: Bool { successor != nil || program.hasLivingPredecessor }

    private mutating func upgrade(in group: inout TaskGroup<Event>) {
        guard !sharesFiles else {
            return setup.log.write(
                .crit,
                "the changing binary signal is ignored: you should shutdown or terminate before either old or new "
                    + "binary's process")
        }
        do throws(StartFailure) {
            try pidFile?.moveAside()
            do throws(StartFailure) {
                let process = try program.startSuccessor(of: setup, on: executor)
                setup.log.write(.notice, "start new binary process \(process.id)")
                successor = process
                let scope = scope
                group.addTask {
                    do throws(IOError) {
                        return .successorEnded(try await process.exit(scope: scope))
                    } catch {
                        return .nothing
                    }
                }
            } catch {
                try pidFile?.takeBack()
                throw error
            }
        } catch {
            setup.log.write(.alert, error.text)
        }
    }

    private mutating func successorEnded(_ exit: ChildProcess.Exit, in group: inout TaskGroup<Event>) {
        guard let ended = successor else { return }
        successor = nil
        let how =
            switch exit {
            case .signal(let signal): "exited on signal \(signal)"
            case .code(let code): "exited with code \(code)"
            }
        setup.log.write(exit == .code(0) ? .notice : .alert, "new binary process \(ended.id) \(how)")
        do throws(StartFailure) {
            try pidFile?.takeBack()
        } catch {
            setup.log.write(.alert, error.text)
        }
        guard mode == .running else { return }
        setup.log.write(.notice, "the old binary goes on")
        if isResting {
            isResting = false
            fleet.fill(in: &group)
        }
    }

    // MARK: Waiting

    private static func next(_ signals: Signals) async -> Event {
        do throws(IOError) {
            let (signal, sender) = try await signals.next()
            return .signal(signal, sender: sender)
        } catch {
            return .nothing
        }
    }

    /// The respawn of a role after a pause.
    static func respawn(_ role: Fleet.Role, after pause: Duration, _ scope: CancellationScope) async -> Event {
        await Master.pause(pause, scope) ? .respawn(role) : .nothing
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
