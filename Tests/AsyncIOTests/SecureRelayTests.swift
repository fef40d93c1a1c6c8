import TestSupport
import Testing

@testable import AsyncIO

/// Streams through a relay with TLS: nothing lost, nothing doubled, nothing leaked.
@Suite struct SecureRelayTests {
    /// Which sides have TLS.
    enum Sides: CaseIterable, Sendable {
        case client, backEnd, both

        var hasClient: Bool { self != .backEnd }
        var hasBackEnd: Bool { self != .client }
    }

    /// What contexts are made of; these themselves belong to one thread.
    private static let settings: (server: TLSServerSettings, client: TLSClientSettings) = {
        let fixture = TLSFixture()
        return (fixture.server, fixture.client)
    }()

    @Test("streams arrive whole in both directions", arguments: KernelUnderTest.allCases, Sides.allCases)
    func integrity(_ kernel: KernelUnderTest, _ sides: Sides) async throws {
        try await KernelTests.run(kernel, buffers: 64, size: 4096) { executor in
            let length = kernel == .simulation ? 20_000 : 600_000
            try await SecureRelayTests.relayStreams(on: executor, sides, count: 4, length: length, pausing: false)
        }
    }

    @Test("slow readers and few buffers: everything arrives", arguments: KernelUnderTest.allCases, Sides.allCases)
    func pressure(_ kernel: KernelUnderTest, _ sides: Sides) async throws {
        try await KernelTests.run(kernel, buffers: 4, size: 1024) { executor in
            let length = kernel == .simulation ? 10_000 : 120_000
            try await SecureRelayTests.relayStreams(on: executor, sides, count: 6, length: length, pausing: true)
        }
    }

    @Test("the simulation's histories", arguments: 1...30, Sides.allCases)
    func histories(_ seed: UInt64, _ sides: Sides) async throws {
        try await onExecutor({
            SimulatedKernel(seed: seed, buffers: BufferPool(count: seed % 2 == 0 ? 4 : 16, size: 64))
        }) { executor in
            try await SecureRelayTests.relayStreams(on: executor, sides, count: 2, length: 3000, pausing: seed % 3 == 0)
            #expect(executor.operationsInUse == 0)
            #expect(executor.kernel.buffers.lent == 0)
        }
    }

    @Test("a client that cuts the stream in the middle ends the relay", arguments: Sides.allCases)
    func truncation(_ sides: Sides) async throws {
        try await onExecutor({ SimulatedKernel(seed: 5) }) { executor in
            let made = try await SecureRelayTests.make(on: executor, sides)
            // The end without close_notify, as an attacker on the way would make it.
            executor.kernel.shutdownSending(made.client.descriptor)
            executor.kernel.shutdownSending(made.backEnd.descriptor)
            await made.relay?.run()
            #expect(made.relay?.end == .finished)
        }
    }

    @Test("a broken record ends the relay with a failure")
    func brokenRecord() async throws {
        try await onExecutor({ SimulatedKernel(seed: 5) }) { executor in
            let made = try await SecureRelayTests.make(on: executor, .client)
            executor.kernel.sendAtOnce(
                [23, 3, 3, 0, 30] + [UInt8](repeating: 1, count: 30), on: made.client.descriptor)
            await made.relay?.run()
            guard case .failed(.tls, sendingTo: .client) = made.relay?.end else {
                return #expect(Bool(false), "\(String(describing: made.relay?.end))")
            }
        }
    }

    @Test("a queue that leaves at once lets the other side be read again", arguments: 1...20)
    func queueLeavesAtOnce(_ seed: UInt64) async throws {
        try await onExecutor({
            // Sends that come late find much room.
            var faults = SimulatedKernel.Faults.gentle
            faults.short = 0
            faults.late = 0.9
            faults.delay = .milliseconds(500)
            return SimulatedKernel(seed: seed, faults: faults, buffers: BufferPool(count: 16, size: 16 << 10))
        }) { executor in
            // So much that all that waits in the relay fits, once the reader has taken what its socket held.
            let made = try await SecureRelayTests.make(on: executor, .client, capacities: 300_000...300_000)
            let (client, backEnd) = (made.client, made.backEnd)
            let down = [UInt8](repeating: 7, count: 1_000_000)
            async let sent: Void = SecureRelayTests.send(down, from: backEnd)
            async let received = SecureRelayTests.receiveLate(at: client)
            await made.relay?.run()
            #expect(made.relay?.end == .finished)
            made.relay = nil
            try await sent
            let isWhole = try await received == Array("first down".utf8) + down
            #expect(isWhole)
        }
    }

    @Test("silence ends it, cancelling ends it")
    func endings() async throws {
        try await onExecutor({ SimulatedKernel(seed: 6) }) { executor in
            let silent = try await SecureRelayTests.make(on: executor, .both)
            await silent.relay?.run()
            #expect(silent.relay?.end == .timedOut)
            let cancelled = try await SecureRelayTests.make(on: executor, .both)
            let kernel = try #require(executor.kernel as? SimulatedKernel)
            let scope = try #require(cancelled.relay?.scope)
            let turn = kernel.turns + 3
            kernel.onTurn = { if $0 == turn { scope.cancel() } }
            // Else the kernel would hold the scope, and with it the executor that holds the kernel, for ever.
            defer { kernel.onTurn = nil }
            await cancelled.relay?.run()
            #expect(cancelled.relay?.end == .cancelled)
        }
    }

    // MARK: Stage

    final class Made {
        var relay: Relay?
        let client: Socket
        let backEnd: Socket

        init(_ relay: Relay, client: Socket, backEnd: Socket) {
            self.relay = relay
            self.client = client
            self.backEnd = backEnd
        }
    }

    /// - Parameter capacities: of simulated sockets; a handshake's messages are longer than what others hold.
    static func make(
        on executor: RingExecutor, _ sides: Sides, capacities: ClosedRange<Int> = 2048...4096
    ) async throws -> Made {
        (executor.kernel as? SimulatedKernel)?.capacities = capacities
        let scope = CancellationScope(on: executor)
        let (client, clientSide) = try await executor.connectedPair(in: scope)
        let (backEndSide, backEnd) = try await executor.connectedPair(in: scope)
        if sides.hasClient { try await secure(client: client, server: clientSide) }
        if sides.hasBackEnd { try await secure(client: backEndSide, server: backEnd) }
        let relay = Relay(
            client: clientSide, backEnd: backEndSide, timeout: .seconds(60), toBackEnd: Array("first up".utf8),
            toClient: Array("first down".utf8))
        return Made(relay, client: client, backEnd: backEnd)
    }

    private static func secure(client: Socket, server: Socket) async throws {
        let serverContext = try TLSContext(server: settings.server, seed: TLSTicketSeed())
        let clientContext = try TLSContext(client: settings.client)
        async let served: Void = server.secure(by: serverContext, deadline: .never)
        try await client.secure(
            by: clientContext, peer: "test", name: "mail.test", sendsName: true, deadline: .never)
        // What a login does before its relay: both sides have said and heard something.
        async let said: Void = client.send([1], deadline: .never)
        try await served
        var heard = ByteQueue()
        _ = try await server.exchange([2], into: &heard, deadline: .never)
        try await said
        _ = try await client.receive(into: &heard, deadline: .never)
        #expect(heard.bytes == [1, 2])
    }

    private static func relayStreams(
        on executor: RingExecutor, _ sides: Sides, count: Int, length: Int, pausing: Bool
    ) async throws {
        var random = SeededRandom(seed: UInt64(length))
        try await withThrowingDiscardingTaskGroup { group in
            for index in 0..<count {
                let pause: Duration? = pausing && index % 2 == 0 ? .milliseconds(2) : nil
                let (up, down) = (random.bytes(length), random.bytes(length))
                group.addTask { try await relay(on: executor, sides, up, down, pause) }
            }
        }
    }

    private static func relay(
        on executor: RingExecutor, _ sides: Sides, _ up: [UInt8], _ down: [UInt8], _ pause: Duration?
    ) async throws {
        let made = try await make(on: executor, sides)
        let (client, backEnd) = (made.client, made.backEnd)
        async let sentUp: Void = send(up, from: client)
        async let sentDown: Void = send(down, from: backEnd)
        async let receivedUp = receive(at: backEnd, pause)
        async let receivedDown = receive(at: client, pause)
        await made.relay?.run()
        #expect(made.relay?.end == .finished)
        #expect(made.relay?.received == UInt64(up.count + 8))
        #expect(made.relay?.sent == UInt64(down.count + 10))
        made.relay = nil
        try await sentUp
        try await sentDown
        let upIsWhole = try await receivedUp == Array("first up".utf8) + up
        let downIsWhole = try await receivedDown == Array("first down".utf8) + down
        #expect(upIsWhole && downIsWhole)
    }

    private static func send(_ bytes: [UInt8], from socket: Socket) async throws {
        var start = 0
        while start < bytes.count {
            let end = min(start + 50_000, bytes.count)
            try await socket.send(Array(bytes[start..<end]), deadline: .never)
            start = end
        }
        socket.shutdownSending()
    }

    /// Lets everything pile up first; then says its own end, and reads to the other's.
    private static func receiveLate(at socket: Socket) async throws -> [UInt8] {
        try await socket.executor.sleep(until: socket.executor.now + .seconds(5), scope: nil)
        socket.shutdownSending()
        return try await receive(at: socket, nil)
    }

    private static func receive(at socket: Socket, _ pause: Duration?) async throws -> [UInt8] {
        var received = ByteQueue()
        var pieces = 0
        while try await socket.receive(into: &received, deadline: .never) > 0 {
            pieces += 1
            if let pause, pieces % 8 == 0 {
                try await socket.executor.sleep(until: socket.executor.now + pause, scope: nil)
            }
        }
        return received.takeAll()
    }
}
