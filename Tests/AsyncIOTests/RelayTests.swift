import AsyncIO
import TestSupport
import Testing

/// Streams through a relay: nothing lost, nothing doubled, nothing leaked.
@Suite struct RelayTests {
    /// One way of one relay: what is sent, and how its reader behaves.
    private struct Stream: Sendable {
        var bytes: [UInt8]
        /// The reader pauses this long after every so many bytes.
        var pause: Duration?
    }

    @Test("streams arrive whole in both directions", arguments: KernelUnderTest.allCases)
    func integrity(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel, buffers: 64, size: 4096) { executor in
            // A simulated socket holds hundreds of bytes, not megabytes: less fills it as often.
            let length = kernel == .simulation ? 20_000 : 600_000
            try await RelayTests.relayStreams(on: executor, count: 6, length: length, slowly: false, seed: 1)
        }
    }

    @Test("slow readers and few buffers: everything arrives, nobody starves", arguments: KernelUnderTest.allCases)
    func integrityUnderPressure(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel, buffers: 4, size: 1024) { executor in
            let length = kernel == .simulation ? 10_000 : 120_000
            try await RelayTests.relayStreams(on: executor, count: 8, length: length, slowly: true, seed: 2)
        }
    }

    @Test("the simulation's histories", arguments: 1...40)
    func simulatedHistories(seed: UInt64) async throws {
        try await onExecutor({
            SimulatedKernel(seed: seed, buffers: BufferPool(count: seed % 2 == 0 ? 4 : 16, size: 32))
        }) { executor in
            try await RelayTests.relayStreams(on: executor, count: 3, length: 3000, slowly: seed % 3 == 0, seed: seed)
            #expect(executor.operationsInUse == 0)
            #expect(executor.kernel.buffers.lent == 0)
        }
    }

    private static func relayStreams(
        on executor: RingExecutor, count: Int, length: Int, slowly: Bool, seed: UInt64
    ) async throws {
        var random = SeededRandom(seed: seed)
        try await withThrowingDiscardingTaskGroup { group in
            for index in 0..<count {
                let pause: Duration? = slowly && index % 2 == 0 ? .milliseconds(2) : nil
                let up = Stream(bytes: random.bytes(length), pause: pause)
                let down = Stream(bytes: random.bytes(length), pause: pause)
                group.addTask { try await relay(on: executor, up: up, down: down) }
            }
        }
    }

    private static func relay(on executor: RingExecutor, up: Stream, down: Stream) async throws {
        let made = try await makeRelay(on: executor)
        let (client, backEnd) = (made.client, made.backEnd)
        async let sentUp: Void = send(up, from: client)
        async let sentDown: Void = send(down, from: backEnd)
        async let receivedUp = receive(up, at: backEnd)
        async let receivedDown = receive(down, at: client)
        await made.relay?.run()
        #expect(made.relay?.end == .finished)
        #expect(made.relay?.received == UInt64(up.bytes.count + 8))
        #expect(made.relay?.sent == UInt64(down.bytes.count + 10))
        // Closes its connections, which the readers wait for.
        made.relay = nil
        try await sentUp
        try await sentDown
        // Compared outside #expect: a failure would print megabytes.
        let upIsWhole = try await receivedUp == Array("first up".utf8) + up.bytes
        let downIsWhole = try await receivedDown == Array("first down".utf8) + down.bytes
        #expect(upIsWhole && downIsWhole)
    }

    /// A relay, which alone holds the near ends of its two connections, and their far ends.
    private final class MadeRelay {
        var relay: Relay?
        let client: Socket
        let backEnd: Socket

        init(_ relay: Relay, client: Socket, backEnd: Socket) {
            self.relay = relay
            self.client = client
            self.backEnd = backEnd
        }
    }

    private static func makeRelay(on executor: RingExecutor) async throws -> MadeRelay {
        let scope = CancellationScope(on: executor)
        let (client, clientSide) = try await executor.connectedPair(in: scope)
        let (backEndSide, backEnd) = try await executor.connectedPair(in: scope)
        let relay = Relay(
            client: clientSide, backEnd: backEndSide, timeout: .seconds(60),
            toBackEnd: Array("first up".utf8), toClient: Array("first down".utf8))
        return MadeRelay(relay, client: client, backEnd: backEnd)
    }

    private static func send(_ stream: Stream, from socket: Socket) async throws {
        var start = 0
        while start < stream.bytes.count {
            let end = min(start + 50_000, stream.bytes.count)
            try await socket.send(Array(stream.bytes[start..<end]), deadline: .never)
            start = end
        }
        socket.shutdownSending()
    }

    private static func receive(_ stream: Stream, at socket: Socket) async throws -> [UInt8] {
        var queue = ByteQueue()
        var all: [UInt8] = []
        while try await socket.receive(into: &queue, deadline: .never) > 0 {
            all.append(contentsOf: queue.takeAll())
            if let pause = stream.pause, all.count % 7 == 0 {
                try await socket.executor.sleep(until: socket.executor.now + pause, scope: nil)
            }
        }
        return all
    }

    // MARK: Endings

    @Test(arguments: KernelUnderTest.allCases)
    func silenceEndsARelay(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let ends = try await RelayTests.Ends(on: executor)
            let result = await ends.relay(timeout: .milliseconds(30))
            #expect(result.end == .timedOut)
        }
    }

    @Test("bytes from either side put the end off (in virtual time: a busy machine is not silence)")
    func activityRefreshesTheTimeout() async throws {
        try await KernelTests.run(.simulation) { executor in
            let ends = try await RelayTests.Ends(on: executor)
            async let talk: Void = chat(ends, executor)
            let started = executor.now
            let result = await ends.relay(timeout: .milliseconds(300))
            #expect(result.end == .timedOut)
            #expect(result.sent == 4)
            #expect(executor.now - started >= .milliseconds(600))
            try await talk
        }

        @Sendable func chat(_ ends: RelayTests.Ends, _ executor: RingExecutor) async throws {
            for _ in 0..<4 {
                try await executor.sleep(until: executor.now + .milliseconds(100), scope: nil)
                try await ends.backEnd.send([1], deadline: .never)
            }
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func cancellingEndsARelay(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let ends = try await RelayTests.Ends(on: executor)
            async let ended = end(of: ends)
            try await executor.sleep(until: executor.now + .milliseconds(10), scope: nil)
            ends.scope.cancel()
            #expect(await ended == .cancelled)
        }

        @Sendable func end(of ends: RelayTests.Ends) async -> Relay.End? { await ends.relay(timeout: .seconds(60)).end }
    }

    @Test("a client that leaves a silent back-end behind ends the relay", arguments: KernelUnderTest.allCases)
    func theDrainIsBounded(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let ends = try await RelayTests.Ends(on: executor)
            ends.client.shutdownSending()
            let result = await ends.relay(timeout: .milliseconds(50))
            #expect(result.end == .finished)
        }
    }

    @Test("whoever reads slowly behind its own end gets everything (in virtual time)")
    func slowReaderBehindItsEnd() async throws {
        try await KernelTests.run(.simulation) { executor in
            let ends = try await RelayTests.Ends(on: executor)
            let answer = Stream(bytes: [UInt8](repeating: 7, count: 4000))
            async let sent: Void = RelayTests.send(answer, from: ends.backEnd)
            async let received: Void = receiveSlowly(answer.bytes.count, at: ends.client)
            ends.client.shutdownSending()
            let result = await ends.relay(timeout: .milliseconds(300))
            #expect(result.end == .finished)
            try await sent
            try await received
        }

        @Sendable func receiveSlowly(_ count: Int, at socket: Socket) async throws {
            let executor = socket.executor
            var queue = ByteQueue()
            var rest = count
            while rest > 0 {
                try await executor.sleep(until: executor.now + .milliseconds(200), scope: nil)
                rest -= try await socket.receive(into: &queue, deadline: executor.now + .seconds(1))
            }
        }
    }

    /// Both far ends of a relay, for tests that watch how it ends.
    struct Ends: Sendable {
        let scope: CancellationScope
        let client: Socket
        let backEnd: Socket
        private let clientSide: Socket
        private let backEndSide: Socket

        init(on executor: RingExecutor) async throws {
            scope = CancellationScope(on: executor)
            (client, clientSide) = try await executor.connectedPair(in: scope)
            (backEndSide, backEnd) = try await executor.connectedPair(in: scope)
        }

        func relay(timeout: Duration) async -> Relay {
            let relay = Relay(client: clientSide, backEnd: backEndSide, timeout: timeout, toBackEnd: [], toClient: [])
            await relay.run()
            return relay
        }
    }
}
