import AsyncIO
import MailSessions
import TestSupport
import Testing

/// One history: clients, the gateway, an auth_http service and back-ends in one executor, on a kernel
/// made of a seed.
struct SimulationStage: Sendable {
    let mailProtocol: MailProtocol
    let seed: UInt64
    var faults = SimulatedKernel.Faults.gentle
    /// nil for connections in clear.
    var tls: SimulationTLS?
    var clients = 1...3
    /// The most bytes in either direction behind a login.
    var length = 300
    /// Cancels the sessions at the begin of this turn.
    var interruptedAt: Int?

    /// What came of a history.
    struct Outcome: Sendable {
        var plans: [SimulationPlan]
        /// What each client heard.
        var clients: [[UInt8]]
        /// What each back-end heard, by connection.
        var backEnds: [[[UInt8]]]
        /// By the sessions' numbers.
        var events: [UInt64: [SessionEvent]]
        /// The turn in which the last session ended.
        var turns: Int
        var leaks: [String]
    }

    private struct Report: Sendable {
        var ordinal: Int
        var heard: [UInt8]
    }

    /// Plays the history to its end, in virtual time.
    func play() async throws -> Outcome {
        let stage = self
        return try await onExecutor {
            // From hardly anything to lend to plenty.
            let buffers = BufferPool(count: 1 << Int(stage.seed % 5), size: 16 << Int(stage.seed % 3))
            return SimulatedKernel(seed: stage.seed, faults: stage.faults, buffers: buffers)
        } _: { executor in
            guard let kernel = executor.kernel as? SimulatedKernel else { preconditionFailure("made otherwise") }
            return await stage.play(on: executor, kernel)
        }
    }

    private func play(on executor: RingExecutor, _ kernel: SimulatedKernel) async -> Outcome {
        var random = SeededRandom(seed: seed &* 31 &+ UInt64(mailProtocol.rawValue.count))
        let logins = SimulationPlan.BackEndLogins(isAuthenticating: random.chance(0.5), hasMaster: random.chance(0.3))
        let isProxied = random.chance(0.3)
        let plans = (0..<Int.random(in: clients, using: &random)).map { ordinal in
            var plan = SimulationPlan(
                mailProtocol, ordinal: ordinal, logins: logins, security: tls?.security, length: length, &random)
            if isProxied { plan.client.insert(.say(line: "PROXY TCP4 192.0.2.7 198.51.100.1 258 143"), at: 0) }
            return plan
        }
        let connections = ConnectionBudget(maximum: 64)
        var outcome = Outcome(plans: plans, clients: [], backEnds: [], events: [:], turns: 0, leaks: [])
        await perform(
            plans, keeping: Int.random(in: 0...2, using: &random), logins, isProxied: isProxied, connections,
            on: executor, kernel, into: &outcome)
        kernel.onTurn = nil
        if executor.operationsInUse != 0 { outcome.leaks.append("\(executor.operationsInUse) operations") }
        if kernel.buffers.lent != 0 { outcome.leaks.append("\(kernel.buffers.lent) lent buffers") }
        if kernel.openConnections != 0 { outcome.leaks.append("\(kernel.openConnections) connections") }
        if connections.count != 0 { outcome.leaks.append("\(connections.count) places") }
        return outcome
    }

    private func perform(
        _ plans: [SimulationPlan], keeping: Int, _ logins: SimulationPlan.BackEndLogins, isProxied: Bool,
        _ connections: ConnectionBudget,
        on executor: RingExecutor, _ kernel: SimulatedKernel, into outcome: inout Outcome
    ) async {
        let backEnds = plans.map { _ in kernel.listen() }
        let (authListener, authAddress) = kernel.listen()
        let (listener, address) = kernel.listen()
        var auth = AuthHTTPSettings(address: authAddress, host: "auth")
        auth.keepAlive = keeping
        let asked = AuthHTTPService(auth, on: executor)
        let settings = settings(auth, logins)
        let recorder = SimulationGateway.Recorder()
        let server = MailServer(
            settings, connections: connections,
            authenticator: AuthHTTPClient([asked], for: settings, budget: connections), observer: recorder)
        let sessions = CancellationScope(on: executor)
        var gateway = SimulationGateway(server: server, executor: executor, recorder: recorder, sessions: sessions)
        gateway.expectsProxyHeader = isProxied
        gateway.beginsWithTLS = tls?.security.client == .atOnce
        if let interruptedAt { kernel.onTurn = { if $0 == interruptedAt { sessions.cancel() } } }
        let service = SimulationAuthService(
            zip(plans, backEnds).map { ($0, $1.address) }, seed: random(for: "service"), on: executor)

        let (open, served) = (CancellationScope(on: executor), CancellationScope(on: executor))
        async let serviceEnded: Void = SimulationStage.run(service, authListener, until: served)
        async let heardByBackEnds = SimulationStage.run(
            plans, backEnds.map(\.descriptor), tls.map { .server($0.backEnd) }, until: served)
        async let gatewayEnded: Void = gateway.serve(listener, at: address, until: open)
        outcome.clients = await SimulationStage.run(plans, at: address, tls.map { .client($0.client) }, on: executor)
        open.cancel()
        await gatewayEnded
        outcome.turns = kernel.turns
        asked.kept.retire()
        served.cancel()
        outcome.backEnds = await heardByBackEnds
        for listener in backEnds.map(\.descriptor) + [authListener, listener] { kernel.close(listener) }
        await serviceEnded
        outcome.events = gateway.recorder.all
    }

    private func random(for purpose: String) -> UInt64 {
        var random = SeededRandom(seed: seed &+ UInt64(purpose.utf8.count) << 32)
        return random.next()
    }

    private func settings(_ auth: AuthHTTPSettings, _ logins: SimulationPlan.BackEndLogins) -> ServerSettings {
        var settings = ServerSettings.fixture(mailProtocol)
        settings.authenticators = [.http([auth])]
        settings.proxy.smtpAuth = logins.isAuthenticating
        if logins.hasMaster {
            settings.proxy.master = MasterUser(name: Array("root".utf8), password: Secret(Array("key".utf8)))
        }
        if let tls { settings.secure(tls) }
        return settings
    }

    // MARK: The others

    private static func run(
        _ plans: [SimulationPlan], at address: SocketAddress, _ handshake: SimulationHandshake?,
        on executor: RingExecutor
    ) async -> [[UInt8]] {
        await withTaskGroup(of: Report.self) { group in
            for (ordinal, plan) in plans.enumerated() {
                group.addTask {
                    Report(ordinal: ordinal, heard: await plan.playClient(at: address, handshake, on: executor))
                }
            }
            var heard = plans.map { _ in [UInt8]() }
            for await report in group { heard[report.ordinal] = report.heard }
            return heard
        }
    }

    private static func run(
        _ plans: [SimulationPlan], _ listeners: [Int32], _ handshake: SimulationHandshake?,
        until scope: CancellationScope
    ) async -> [[[UInt8]]] {
        await withTaskGroup(of: [Report].self) { group in
            for (ordinal, (plan, listener)) in zip(plans, listeners).enumerated() {
                group.addTask {
                    await run(plan, listener, handshake, until: scope).map { Report(ordinal: ordinal, heard: $0) }
                }
            }
            var heard = plans.map { _ in [[UInt8]]() }
            for await reports in group {
                for report in reports { heard[report.ordinal].append(report.heard) }
            }
            return heard
        }
    }

    /// One back-end: each connection plays the plan anew.
    private static func run(
        _ plan: SimulationPlan, _ listener: Int32, _ handshake: SimulationHandshake?, until scope: CancellationScope
    ) async -> [[UInt8]] {
        await withTaskGroup(of: [UInt8].self) { group in
            let lasting = CancellationScope(on: scope.executor)
            await SimulationGateway.acceptAll(listener, until: scope) { connection in
                group.addTask { await plan.playBackEnd(over: Socket(adopting: connection, scope: lasting), handshake) }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private static func run(
        _ service: SimulationAuthService, _ listener: Int32, until scope: CancellationScope
    ) async {
        await withDiscardingTaskGroup { group in
            let lasting = CancellationScope(on: scope.executor)
            await SimulationGateway.acceptAll(listener, until: scope) { connection in
                group.addTask { await service.serve(Socket(adopting: connection, scope: lasting)) }
            }
        }
    }
}
