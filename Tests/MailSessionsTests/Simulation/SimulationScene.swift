import AsyncIO
import MailSessions
import TestSupport
import Testing

/// One client, one service, one back-end, each with a behaviour of its own: for what is too particular
/// for a random history.
struct SimulationScene: Sendable {
    /// What a peer does with a connection.
    enum Behaviour: Sendable {
        case plays([SimulationPlan.Turn])
        /// Plays, and then says nothing more; leaves when the other side does.
        case playsAndStays([SimulationPlan.Turn])
        /// Nobody listens there.
        case absent
    }

    var mailProtocol: MailProtocol
    var client: [SimulationPlan.Turn] = []
    /// Plays as often as it is asked.
    var service = Behaviour.playsAndStays([])
    var backEnd = Behaviour.playsAndStays([])
    /// Changes what is configured.
    var configure: @Sendable (inout ServerSettings) -> Void = { _ in }
    /// `worker_connections`.
    var places = 64
    /// What sockets hold: more than any question, where a service answers before it has read all of it.
    var capacities = 16...512
    /// Zones of shared memory, by name.
    var zones: [String: SharedZone] = [:]

    /// What came of it.
    struct Outcome: Sendable {
        /// All that the client heard.
        var heard: String
        var events: [SessionEvent]
        /// Virtual time from the client's coming to its end.
        var elapsed: Duration

        /// The session's end.
        var end: SessionEnd? { if case .ended(let end) = events.last { end } else { nil } }
    }

    /// A client that logs in with its first words.
    static func loggingIn(_ mailProtocol: MailProtocol) -> SimulationScene {
        let words =
            switch mailProtocol {
            case .imap: "a LOGIN ann secret"
            case .pop3: "USER ann\r\nPASS secret"
            case .smtp: "EHLO client\r\nAUTH PLAIN AGFubgBzZWNyZXQ="
            }
        return SimulationScene(mailProtocol: mailProtocol, client: [.say(line: words)])
    }

    /// A service that lets everybody in.
    static let acceptance = Behaviour.playsAndStays([
        .hear(line: "GET / HTTP/1.1"), .say(line: "HTTP/1.1 200 OK\r\nAuth-Status: OK\r\nContent-Length: 0\r\n"),
    ])

    /// Plays the scene and checks that nothing of it is left.
    func play(seed: UInt64 = 1) async throws -> Outcome {
        let scene = self
        return try await onExecutor {
            let kernel = SimulatedKernel(seed: seed)
            kernel.capacities = scene.capacities
            return kernel
        } _: { executor in
            guard let kernel = executor.kernel as? SimulatedKernel else { preconditionFailure("made otherwise") }
            let connections = ConnectionBudget(maximum: scene.places)
            let outcome = await scene.play(on: executor, kernel, connections)
            #expect(executor.operationsInUse == 0)
            #expect(kernel.buffers.lent == 0)
            #expect(kernel.openConnections == 0)
            #expect(connections.count == 0)
            return outcome
        }
    }

    private func play(
        on executor: RingExecutor, _ kernel: SimulatedKernel, _ connections: ConnectionBudget
    ) async -> Outcome {
        let (listener, address) = kernel.listen()
        let (serviceListener, serviceAddress) = kernel.listen()
        let (backEndListener, backEndAddress) = kernel.listen()
        var auth = AuthHTTPSettings(address: serviceAddress, host: "auth")
        auth.keepAlive = 4
        var settings = ServerSettings.fixture(mailProtocol)
        settings.authenticators = [.http([auth])]
        settings.backEnd = .address(backEndAddress)
        settings.proxy.usesOffers = false
        configure(&settings)
        let asked = AuthHTTPService(auth, on: executor)
        let recorder = SimulationGateway.Recorder()
        let server = MailServer(
            settings, connections: connections,
            authenticator: AuthHTTPClient([asked], for: settings, budget: connections), observer: recorder,
            zones: zones)
        let gateway = SimulationGateway(
            server: server, executor: executor, recorder: recorder, sessions: CancellationScope(on: executor))

        let (open, served) = (CancellationScope(on: executor), CancellationScope(on: executor))
        async let serviceEnded: Void = service.serve(serviceListener, until: served)
        async let backEndEnded: Void = backEnd.serve(backEndListener, until: served)
        async let gatewayEnded: Void = gateway.serve(listener, at: address, until: open)
        let start = executor.now
        let heard = await playClient(at: address, CancellationScope(on: executor))
        let elapsed = executor.now - start
        open.cancel()
        await gatewayEnded
        asked.kept.retire()
        served.cancel()
        await serviceEnded
        await backEndEnded
        for descriptor in [listener, serviceListener, backEndListener] { kernel.close(descriptor) }
        return Outcome(
            heard: String(decoding: heard, as: UTF8.self), events: gateway.recorder.all[1] ?? [], elapsed: elapsed)
    }

    private func playClient(at address: SocketAddress, _ scope: CancellationScope) async -> [UInt8] {
        do throws(IOError) {
            var peer = SimulationPeer(try await Dialer.connect(to: address, deadline: .never, scope: scope))
            do throws(IOError) {
                try await peer.play(client)
                try await peer.hearAll()
            } catch {
                // What was heard counts.
            }
            return peer.heard
        } catch {
            return []
        }
    }
}

extension SimulationScene.Behaviour {
    fileprivate func serve(_ listener: Int32, until scope: CancellationScope) async {
        if case .absent = self { return scope.executor.kernel.close(listener) }
        await withDiscardingTaskGroup { group in
            let lasting = CancellationScope(on: scope.executor)
            await SimulationGateway.acceptAll(listener, until: scope) { connection in
                group.addTask { await play(over: Socket(adopting: connection, scope: lasting)) }
            }
        }
    }

    private func play(over socket: Socket) async {
        var peer = SimulationPeer(socket)
        do throws(IOError) {
            switch self {
            case .plays(let turns): try await peer.play(turns)
            case .playsAndStays(let turns):
                try await peer.play(turns)
                try await peer.hearAll()
            case .absent: break
            }
        } catch {
            // The gateway has left first.
        }
    }
}
