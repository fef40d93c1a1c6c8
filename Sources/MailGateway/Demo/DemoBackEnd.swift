import AsyncIO
import Glibc
import MailSessions

/// The demo's mail server: three listeners, one store, a task per connection.
struct DemoBackEnd: Sendable {
    /// Sessions at once; whoever comes beyond is hung up on.
    static let sessionsMaximum = 256
    /// How long a client may be silent (RFC 3501 §5.4 asks for 30 minutes).
    static let silence = Duration.seconds(1800)
    /// The pause after accept(2) failed because descriptors ran out, as in nginx.
    static let pauseOfExhaustion = Duration.milliseconds(500)

    private let scope: CancellationScope
    private let keeper: DemoKeeper

    /// The whole life of the process.
    /// - Parameter descriptors: the control channel, and the listeners of IMAP, POP3 and SMTP; or none,
    ///   for listeners of its own, whose addresses it prints.
    static func main(descriptors: [Int32]) throws(StartFailure) {
        let signals = [SIGTERM, SIGINT]
        // QUIT of a terminal reaches the whole group; the demo's mail is needed until the master says otherwise.
        ProcessSignals.prepare(for: signals + [SIGQUIT])
        var listeners = Array(descriptors.dropFirst())
        if descriptors.isEmpty {
            let demo = try Demo()
            listeners = demo.descriptors
            Terminal.say("listening imap \(demo.ports.imap) pop3 \(demo.ports.pop3) smtp \(demo.ports.smtp)")
        }
        let executor = RingExecutor(kernel: try KernelChoice.makeSmall())
        let (control, inherited) = (descriptors.first, listeners)
        executor.run {
            let backEnd = DemoBackEnd(on: executor)
            await backEnd.run(listeners: inherited, control: control, signals: signals)
        }
    }

    private init(on executor: RingExecutor) {
        scope = CancellationScope(on: executor)
        keeper = DemoKeeper(on: executor)
    }

    /// Serves until a signal comes or the control channel ends.
    private func run(listeners: [Int32], control: Int32?, signals: [Int32]) async {
        await withDiscardingTaskGroup { group in
            group.addTask { await waitForSignal(signals) }
            if let control { group.addTask { await waitForEnd(of: Socket(adopting: control, scope: scope)) } }
            group.addTask { await accept(on: listeners[0]) { await converse(DemoIMAPServer(), over: $0) } }
            group.addTask { await accept(on: listeners[1]) { await converse(DemoPOP3Server(), over: $0) } }
            group.addTask { await accept(on: listeners[2]) { await converse(DemoSMTPServer(), over: $0) } }
        }
    }

    private func waitForSignal(_ numbers: [Int32]) async {
        do throws(IOError) {
            _ = try await Signals(numbers, scope: scope).next()
        } catch {
            // Cancelled: the master has gone.
        }
        scope.cancel()
    }

    private func waitForEnd(of control: Socket) async {
        var ignored = ByteQueue()
        do throws(IOError) {
            while try await control.receive(into: &ignored, deadline: .never) > 0 { ignored.removeAll() }
        } catch {
            // Cancelled by a signal, or the master has gone: the same end.
        }
        scope.cancel()
    }

    private func accept(on listener: Int32, serve: @escaping @Sendable (Socket) async -> Void) async {
        await withDiscardingTaskGroup { group in
            let acceptor = Acceptor(listening: listener, scope: scope)
            while true {
                do throws(IOError) {
                    for descriptor in try await acceptor.next() {
                        let socket = Socket(adopting: descriptor, scope: scope)
                        guard await keeper.admit() else { continue }
                        group.addTask {
                            await serve(socket)
                            await keeper.leave()
                        }
                    }
                } catch {
                    guard error != .cancelled, await rest() else { return }
                }
            }
        }
    }

    /// A little time for descriptors to come back; false when it is all over.
    private func rest() async -> Bool {
        do throws(IOError) {
            try await scope.executor.sleep(
                until: scope.executor.now + DemoBackEnd.pauseOfExhaustion, scope: scope)
            return true
        } catch {
            return false
        }
    }

    private func converse<Server: Dialogue>(_ server: Server, over socket: Socket) async
    where Server.Question == DemoQuestion, Server.Answer == DemoAnswer, Server.Note == Never {
        var server = server
        do throws(IOError) {
            _ = try await Conversation(over: socket, timeout: DemoBackEnd.silence).run(
                &server, note: { _ in }, startTLS: { (_, _) async throws(IOError) in throw .tls(.notConfigured) },
                answer: { await keeper.answer($0) })
        } catch {
            // The client hung up, was silent for too long, or the demo ends.
        }
    }
}

/// Owns the store; every session asks it.
actor DemoKeeper {
    private nonisolated let executor: RingExecutor
    private var store: DemoStore
    private var sessions = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    init(on executor: RingExecutor) {
        self.executor = executor
        store = DemoStore(
            login: DemoConfiguration.account, password: Secret(Array(DemoConfiguration.account.utf8)),
            now: DemoKeeper.now)
    }

    private static var now: Int64 { Int64(time(nil)) }

    func answer(_ question: DemoQuestion) -> DemoAnswer { store.answer(question, at: DemoKeeper.now) }

    /// Counts a session in; false when there are too many.
    func admit() -> Bool {
        guard sessions < DemoBackEnd.sessionsMaximum else { return false }
        sessions += 1
        return true
    }

    /// Counts it out.
    func leave() { sessions -= 1 }
}
