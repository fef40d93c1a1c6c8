import CLinux
import Glibc
import TestSupport
import Testing

@testable import AsyncIO

/// Bulk that the kernel moves: when it begins, how it ends, and that no pipe is kept.
@Suite struct SpliceTests {
    static let kernels: [KernelUnderTest] = [.ring, .epoll]

    @Test("bulk goes through a pipe, which comes back", arguments: kernels)
    func bulk(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let pipes = try #require(executor.kernel.pipes)
            try await relayBulk(on: executor)
            #expect(pipes.lentAtMost == 1)
            #expect(pipes.lent == 0)
        }
    }

    @Test("small messages never need one", arguments: kernels)
    func smallMessages(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let pipes = try #require(executor.kernel.pipes)
            let ends = try await RelayTests.Ends(on: executor)
            async let relayed = end(of: ends)
            var queue = ByteQueue()
            for _ in 0..<200 {
                try await ends.backEnd.send(SpliceTests.bytes(count: 100), deadline: .never)
                while queue.count < 100 { _ = try await ends.client.receive(into: &queue, deadline: .never) }
                queue.removeAll()
            }
            #expect(pipes.lentAtMost == 0)
            ends.scope.cancel()
            _ = await relayed
        }
    }

    @Test("a reader that stops gets everything later, without keeping a pipe", arguments: kernels)
    func slowReader(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let pipes = try #require(executor.kernel.pipes)
            let ends = try await RelayTests.Ends(on: executor)
            async let relayed = end(of: ends)
            let sent = SpliceTests.bytes(count: 30_000_000)
            async let sending: Void = send(sent, from: ends.backEnd)
            // The reader's socket fills, then the pipe is given up, although nobody reads yet.
            try await SpliceTests.until(executor) { pipes.lentAtMost == 1 && pipes.lent == 0 }
            let received = try await SpliceTests.receive(at: ends.client)
            try await sending
            ends.client.shutdownSending()
            #expect(await relayed == .finished)
            #expect(received.count == sent.count)
            let isWhole = received == sent
            #expect(isWhole)
        }

        @Sendable func send(_ bytes: [UInt8], from socket: Socket) async throws {
            try await socket.send(bytes, deadline: .never)
            socket.shutdownSending()
        }
    }

    @Test("where all pipes are taken, bulk goes through lent buffers", arguments: kernels)
    func poolLimit(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let pipes = try #require(executor.kernel.pipes)
            let taken = (0..<PipePool.pipesMaximum).compactMap { _ in pipes.take() }
            #expect(taken.count == PipePool.pipesMaximum)
            #expect(pipes.take() == nil)
            try await relayBulk(on: executor)
            for pipe in taken { pipes.giveBack(pipe) }
            #expect(pipes.lent == 0)
        }
    }

    @Test("cancelled in the middle, it leaves no pipe behind", arguments: kernels)
    func cancelled(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let pipes = try #require(executor.kernel.pipes)
            let ends = try await RelayTests.Ends(on: executor)
            async let relayed = end(of: ends)
            async let sending: Void = send(SpliceTests.bytes(count: 60_000_000), from: ends.backEnd)
            async let received: Void = receive(at: ends.client)
            try await SpliceTests.until(executor) { pipes.lentAtMost == 1 }
            ends.scope.cancel()
            #expect(await relayed == .cancelled)
            #expect(pipes.lent == 0)
            _ = await (sending, received)
        }

        // Both are cancelled with everything else.
        @Sendable func receive(at socket: Socket) async {
            do { _ = try await SpliceTests.receive(at: socket) } catch {}
        }
        @Sendable func send(_ bytes: [UInt8], from socket: Socket) async {
            do { try await socket.send(bytes, deadline: .never) } catch {}
        }
    }

    @Test("bytes behind TCP's urgent mark arrive, and the end behind them", arguments: kernels)
    func urgentMark(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let pipes = try #require(executor.kernel.pipes)
            let ends = try await RelayTests.Ends(on: executor)
            async let relayed = end(of: ends)
            async let received = SpliceTests.receive(at: ends.client)
            let part = SpliceTests.bytes(count: 4_000_000)
            try await ends.backEnd.send(part, deadline: .never)
            try await SpliceTests.until(executor) { SpliceTests.sayUrgently(33, to: ends.backEnd) }
            try await ends.backEnd.send(part, deadline: .never)
            ends.backEnd.shutdownSending()
            // An urgent byte is beside the stream, and nobody here reads it.
            let isWhole = try await received == part + part
            #expect(isWhole)
            #expect(pipes.lentAtMost == 1)
            ends.client.shutdownSending()
            #expect(await relayed == .finished)
            #expect(pipes.lent == 0)
        }
    }

    @Test("the executor is told of bulk, which may wait for more of it")
    func gathering() async throws {
        try await KernelTests.run(.ring) { executor in
            let watch = CancellationScope(on: executor)
            async let seen = isToldOfBulk(executor, until: watch)
            try await relayBulk(on: executor)
            watch.cancel()
            #expect(await seen)
        }
    }

    // MARK: Helpers

    /// Whether the executor ever was; looks in every turn.
    @Sendable private func isToldOfBulk(_ executor: RingExecutor, until scope: CancellationScope) async -> Bool {
        var seen = false
        while !scope.isCancelled {
            seen = seen || executor.isMovingBulk
            await Task.yield()
        }
        return seen
    }

    /// Relays megabytes from the back-end to the client, to the end of both streams.
    private func relayBulk(on executor: RingExecutor) async throws {
        let ends = try await RelayTests.Ends(on: executor)
        async let relayed = end(of: ends)
        async let received = SpliceTests.receive(at: ends.client)
        let sent = SpliceTests.bytes(count: 4_000_000)
        try await ends.backEnd.send(sent, deadline: .never)
        ends.backEnd.shutdownSending()
        let isWhole = try await received == sent
        #expect(isWhole)
        ends.client.shutdownSending()
        #expect(await relayed == .finished)
    }

    @Sendable private func end(of ends: RelayTests.Ends) async -> Relay.End? {
        await ends.relay(timeout: .seconds(60)).end
    }

    /// Not all random: making so many random bytes would keep a busy machine from the test itself.
    private static func bytes(count: Int) -> [UInt8] {
        var random = SeededRandom(seed: 7)
        let block = random.bytes(65_521)
        var bytes: [UInt8] = []
        while bytes.count < count { bytes += block.prefix(count - bytes.count) }
        return bytes
    }

    /// Says one urgent byte (RFC 6093), if there is room for it.
    private static func sayUrgently(_ byte: UInt8, to peer: Socket) -> Bool {
        unsafe Glibc.send(peer.descriptor, [byte], 1, Int32(MSG_OOB) | Int32(MSG_DONTWAIT)) == 1
    }

    /// Everything up to the end of the stream.
    private static func receive(at socket: Socket) async throws -> [UInt8] {
        var queue = ByteQueue()
        var all: [UInt8] = []
        while try await socket.receive(into: &queue, deadline: .never) > 0 { all.append(contentsOf: queue.takeAll()) }
        return all
    }

    /// Looks again and again, for a minute at most.
    private static func until(_ executor: RingExecutor, _ condition: () -> Bool) async throws {
        let limit = executor.now + .seconds(60)
        while !condition() {
            try #require(executor.now < limit, "it never came to that")
            try await executor.sleep(until: executor.now + .milliseconds(1), scope: nil)
        }
    }
}
