import AsyncIO
import Glibc

/// The master's children: who runs, who died how often, and how to start one.
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
        let process: ChildProcess
        /// Our end of its control channel; it closes with the child's record.
        let channel: Socket
        let started: Instant
    }

    /// Of everything the master waits for.
    let scope: CancellationScope
    private let configuration: Configuration
    private let sockets: BoundSockets
    private let demo: Demo?
    private let log: Log
    private var children: [Role: Child] = [:]
    private var policies: [Role: RespawnPolicy] = [:]

    /// No children yet.
    init(configuration: Configuration, sockets: BoundSockets, demo: Demo?, log: Log, scope: CancellationScope) {
        self.configuration = configuration
        self.sockets = sockets
        self.demo = demo
        self.log = log
        self.scope = scope
    }

    var isEmpty: Bool { children.isEmpty }

    var hasWorkers: Bool { children.keys.contains { $0 != .demo } }

    /// Starts a child; `group` hears of its end, or of the time to try again where it could not be started.
    mutating func start(_ role: Role, in group: inout TaskGroup<Master.Event>) {
        let scope = scope
        do throws(StartFailure) {
            let child = try spawn(role)
            children[role] = child
            log.write(.notice, "start \(role.name) process \(child.process.id)")
            let (process, channel) = (child.process, child.channel)
            if case .worker(let number) = role {
                let handover = WorkerHandover(
                    origin: configuration.origin, descriptors: sockets.descriptors(ofWorker: number))
                group.addTask { await Fleet.hand(handover, to: channel) }
            }
            group.addTask {
                do throws(IOError) {
                    return .ended(role, try await process.exit(scope: scope))
                } catch {
                    return .nothing
                }
            }
        } catch {
            log.write(.alert, "cannot start a \(role.name) process: \(error.text)")
            let pause = policies[role, default: RespawnPolicy()].pause(afterAge: .zero)
            group.addTask {
                do throws(IOError) {
                    try await scope.executor.sleep(until: scope.executor.now + pause, scope: scope)
                    return .respawn(role)
                } catch {
                    return .nothing
                }
            }
        }
    }

    /// Notes the end of a child; returns how long to wait before its successor is started.
    mutating func ended(_ role: Role, _ exit: ChildProcess.Exit, isExpected: Bool) -> Duration {
        guard let child = children.removeValue(forKey: role) else { return .zero }
        let subject = "\(role.name) process \(child.process.id)"
        switch exit {
        case .signal(let signal):
            log.write(isExpected ? .notice : .alert, "\(subject) exited on signal \(signal)")
        case .code(let code):
            log.write(isExpected || code == 0 ? .notice : .alert, "\(subject) exited with code \(code)")
        }
        let age = scope.executor.now - child.started
        return policies[role, default: RespawnPolicy()].pause(afterAge: age)
    }

    /// Sends a signal to all children that are meant.
    func send(_ signal: Int32, to isMeant: (Role) -> Bool = { _ in true }) {
        for (role, child) in children where isMeant(role) { child.process.send(signal) }
    }

    private func spawn(_ role: Role) throws(StartFailure) -> Child {
        let ends = try ControlChannel.pair()
        defer { close(ends.child) }
        let channel = Socket(adopting: ends.master, scope: scope)
        var words = ["mailgateway"]
        var inherited = [ends.child]
        switch role {
        case .worker(let number):
            words += ["worker", "\(ends.child)"]
            inherited += sockets.descriptors(ofWorker: number)
        case .demo:
            let descriptors = demo?.descriptors ?? []
            words += ["demo-backend", "\(ends.child)"] + descriptors.map { "\($0)" }
            inherited += descriptors
        }
        do throws(IOError) {
            let process = try ChildProcess(
                path: "/proc/self/exe", arguments: words, inherited: inherited, executor: scope.executor)
            return Child(process: process, channel: channel, started: scope.executor.now)
        } catch {
            throw StartFailure("\(error)")
        }
    }

    /// Sends the handover; a child that does not take it ends, and that is noticed elsewhere.
    private static func hand(_ handover: WorkerHandover, to channel: Socket) async -> Master.Event {
        guard var bytes = handover.encoded else { return .nothing }
        do throws(IOError) {
            try await channel.send(bytes, deadline: .never)
        } catch {
            // The child has ended.
        }
        wipe(&bytes)
        return .nothing
    }
}
