import AsyncIO
import Glibc

/// The master's children: who runs, who died how often, and how to start, tell and replace one.
///
/// Each role is filled by one child. When a child cannot take on a new configuration, another is started
/// for its role, and the first is told to end as soon as the other serves:
///
/// ```
///   start --> arriving --first answer--> filling the role --a successor serves--> retired --ends--> gone
///                └── at once, where nobody fills the role ──┘
/// ```
struct Fleet {
    /// What a child is for; its successor has the same role.
    enum Role: Sendable, Hashable {
        /// Counted from 0.
        case worker(Int)
        /// The back-end of the built-in configuration.
        case demo

        /// As log lines call it.
        var name: String { self == .demo ? "demo back-end" : "worker" }
    }

    private struct Child {
        let role: Role
        let process: ChildProcess
        /// Our end of its control channel; it closes with the child's record.
        let channel: ControlChannel
        let started: Instant
        /// The configuration it has, or is being sent.
        var generation: Int
        /// The sockets it has, or is being sent.
        var sockets: Set<Int>
        /// The part of the shared memory that it writes; nil for the demo.
        let region: Int?
        /// A handover is under way that it has not answered.
        var isBusy = true
        /// Cannot take on the newest configuration, and shall be replaced.
        var isOutdated = false
        /// Serves besides the child that fills the role, until it can take its place.
        var isArriving = false
        /// Has been told to end when its last session has ended.
        var isRetired = false
    }

    /// Of everything the master waits for.
    let scope: CancellationScope
    private var setup: Setup
    /// By process number.
    private var children: [Int32: Child] = [:]
    private var policies: [Role: RespawnPolicy] = [:]
    /// Counts configurations.
    private var generation = 0

    /// No children yet.
    init(_ setup: Setup, scope: CancellationScope) {
        self.setup = setup
        self.scope = scope
    }

    var isEmpty: Bool { children.isEmpty }

    var hasWorkers: Bool { children.values.contains { $0.role != .demo } }

    /// Whether all workers serve by the newest configuration.
    var isUpToDate: Bool {
        children.values.allSatisfy { child in
            guard case .worker = child.role, !child.isRetired else { return true }
            return !child.isBusy && !child.isArriving && !child.isOutdated && child.generation == generation
        }
    }

    // MARK: Starting

    /// Starts whoever is missing.
    mutating func fill(in group: inout TaskGroup<Master.Event>) {
        if setup.source.demo != nil { start(.demo, in: &group) }
        for number in 0..<setup.workers { start(.worker(number), in: &group) }
    }

    /// Starts a child unless its role is filled as it should be; `group` hears of its end, or of the time
    /// to try again where it could not be started.
    mutating func start(_ role: Role, in group: inout TaskGroup<Master.Event>) {
        if case .worker(let number) = role, number >= setup.workers { return }
        let others = children.values.filter { $0.role == role && !$0.isRetired }
        guard !others.contains(where: { !$0.isOutdated }) else { return }
        let scope = scope
        do throws(StartFailure) {
            var child = try spawn(role, in: &group)
            child.isArriving = !others.isEmpty
            let (process, id) = (child.process, child.process.id)
            children[id] = child
            setup.log.write(.notice, "start \(role.name) process \(id)")
            group.addTask {
                do throws(IOError) {
                    return .ended(id, try await process.exit(scope: scope))
                } catch {
                    return .nothing
                }
            }
        } catch {
            setup.log.write(.alert, "cannot start a \(role.name) process: \(error.text)")
            let pause = policies[role, default: RespawnPolicy()].pause(afterAge: .zero)
            group.addTask { await Master.respawn(role, after: pause, scope) }
        }
    }

    private func spawn(_ role: Role, in group: inout TaskGroup<Master.Event>) throws(StartFailure) -> Child {
        let ends = try ControlChannel.pair()
        defer { close(ends.child) }
        let channel = ControlChannel(adopting: ends.master, scope: scope)
        var words = ["mailgateway"]
        var inherited = [ends.child]
        var sockets: Set<Int> = []
        var first: WorkerHandover?
        var region: Int?
        switch role {
        case .worker(let number):
            let own = try vacantRegion()
            region = own
            var (handover, descriptors) = setup.handover(toWorker: number, region: own, having: [])
            handover.inherited = descriptors
            words += ["worker", "\(ends.child)", "--pam", "\(setup.pam.asking)"]
            inherited.append(setup.pam.asking)
            inherited += descriptors
            sockets = Set(handover.sockets)
            first = handover
        case .demo:
            let descriptors = setup.source.demo?.descriptors ?? []
            words += ["demo-backend", "\(ends.child)"] + descriptors.map { "\($0)" }
            inherited += descriptors
        }
        do throws(IOError) {
            let process = try ChildProcess(
                path: "/proc/self/exe", arguments: words, inherited: inherited, executor: scope.executor)
            if let region { setup.zones.open(region) }
            if let first {
                let id = process.id
                group.addTask { await Fleet.hand(first, [], to: id, channel) }
            }
            return Child(
                role: role, process: process, channel: channel, started: scope.executor.now, generation: generation,
                sockets: sockets, region: region)
        } catch {
            throw StartFailure("\(error)")
        }
    }

    /// A region of the shared memory that no living process writes.
    private func vacantRegion() throws(StartFailure) -> Int {
        let taken = Set(children.values.compactMap(\.region))
        // Without zones a region is a number only.
        let count = setup.zones.all.isEmpty ? taken.count + 1 : setup.zones.regionCount
        guard let vacant = (0..<count).first(where: { !taken.contains($0) }) else {
            throw StartFailure("\(taken.count) workers, most of them being replaced, have all of the shared memory")
        }
        return vacant
    }

    // MARK: Reloading

    /// From now on workers serve by `setup`: those that run are told, or replaced where `mustReplace`;
    /// missing ones are started if `mayStart`, and those too many retire.
    mutating func take(
        _ setup: Setup, mustReplace: Bool, mayStart: Bool = true, in group: inout TaskGroup<Master.Event>
    ) {
        self.setup = setup
        generation += 1
        for child in children.values { child.region.map(setup.zones.open) }
        for (id, child) in children {
            guard case .worker(let number) = child.role, !child.isRetired else { continue }
            if number >= setup.workers {
                retire(id)
            } else if mustReplace {
                children[id]?.isOutdated = true
            } else {
                tell(id, in: &group)
            }
        }
        if mayStart { fill(in: &group) }
    }

    /// Sends the newest configuration to a child that does not have it, unless it is busy with another.
    private mutating func tell(_ id: Int32, in group: inout TaskGroup<Master.Event>) {
        guard var child = children[id], case .worker(let number) = child.role, !child.isBusy, !child.isRetired,
            !child.isOutdated, child.generation != generation
        else { return }
        let (handover, descriptors) = setup.handover(
            toWorker: number, region: child.region ?? 0, having: child.sockets)
        child.generation = generation
        child.sockets = Set(handover.sockets)
        child.isBusy = true
        children[id] = child
        let channel = child.channel
        // Copies, because the next reload may close these while they wait to be sent.
        let copies = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 0) }
        group.addTask {
            defer { for copy in copies where copy >= 0 { close(copy) } }
            return await Fleet.hand(handover, copies, to: id, channel)
        }
    }

    /// Notes a worker's answer to its handover, and sends the next if there is one by now.
    mutating func answered(_ id: Int32, _ answer: ControlChannel.Answer, in group: inout TaskGroup<Master.Event>) {
        guard var child = children[id], !child.isRetired else { return }
        child.isBusy = false
        if child.isArriving {
            child.isArriving = false
            for (other, former) in children where former.role == child.role && other != id {
                if !former.isRetired, !former.isArriving { retire(other) }
            }
        }
        if answer == .refused {
            setup.log.write(.error, "\(child.role.name) process \(id) cannot take on the configuration, replacing it")
            child.isOutdated = true
        }
        children[id] = child
        if child.isOutdated { start(child.role, in: &group) } else { tell(id, in: &group) }
    }

    /// Tells a worker to end when its last session has.
    private mutating func retire(_ id: Int32) {
        children[id]?.isRetired = true
        children[id]?.process.send(SIGQUIT)
    }

    /// Tells all workers to end when their last sessions have.
    mutating func retireAll() {
        for (id, child) in children where child.role != .demo && !child.isRetired { retire(id) }
    }

    // MARK: Ends and signals

    /// Notes the end of a child; returns its role and how long to wait before its successor is started,
    /// nil where there shall be none.
    mutating func ended(
        _ id: Int32, _ exit: ChildProcess.Exit, isExpected: Bool
    ) -> (role: Role, pause: Duration)? {
        guard let child = children.removeValue(forKey: id) else { return nil }
        child.region.map(setup.zones.close)
        let subject = "\(child.role.name) process \(id)"
        let isExpected = isExpected || child.isRetired
        switch exit {
        case .signal(let signal):
            setup.log.write(isExpected ? .notice : .alert, "\(subject) exited on signal \(signal)")
        case .code(let code):
            setup.log.write(isExpected || code == 0 ? .notice : .alert, "\(subject) exited with code \(code)")
        }
        if child.isRetired { return nil }
        if !child.isArriving {
            // Whoever was about to take its place has it now.
            for (other, one) in children where one.role == child.role && one.isArriving {
                children[other]?.isArriving = false
            }
        }
        let age = scope.executor.now - child.started
        return (child.role, policies[child.role, default: RespawnPolicy()].pause(afterAge: age))
    }

    /// Sends a signal to all children that are meant.
    func send(_ signal: Int32, to isMeant: (Role) -> Bool = { _ in true }) {
        for child in children.values where isMeant(child.role) { child.process.send(signal) }
    }

    /// Sends a handover and waits for its answer; a child that does not take it ends, and that is noticed elsewhere.
    private static func hand(
        _ handover: WorkerHandover, _ descriptors: [Int32], to id: Int32, _ channel: ControlChannel
    ) async -> Master.Event {
        do throws(IOError) {
            try await channel.send(handover, with: descriptors)
        } catch {
            return error == .cancelled || error.isLossOfConnection ? .nothing : .answered(id, .refused)
        }
        guard let answer = await channel.answer() else { return .nothing }
        return .answered(id, answer)
    }
}
