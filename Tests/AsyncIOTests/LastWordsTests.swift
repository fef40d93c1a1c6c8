import Glibc
import TestSupport
import Testing

@testable import AsyncIO

/// What a server says last leaves together with the end of its stream, where the kernel foresees that.
@Suite struct LastWordsTests {
    private static let farewell = Array("* BYE\r\n".utf8)

    /// A simulation in which nothing is cut or late, and what follows is foreseen always or never.
    private static func kernel(foreseeing: Bool) -> SimulatedKernel {
        var faults = SimulatedKernel.Faults()
        faults.short = 0
        faults.late = 0
        faults.foreseen = foreseeing ? 1 : 0
        return SimulatedKernel(seed: 1, faults: faults, buffers: BufferPool(count: 16, size: 512))
    }

    @Test("bytes and the end behind them are received as such", arguments: [true, false])
    func theRingForesees(hasEnded: Bool) async throws {
        try await KernelTests.run(.ring) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            try await near.send(Self.farewell, deadline: .never)
            if hasEnded { near.shutdownSending() }
            let recorder = Recorder(executor)
            let deadline = executor.now + .milliseconds(50)
            await Waiter.wait { waiter in
                recorder.waiter = consume waiter
                executor.start(.receiveMany, on: far.descriptor, deadline: deadline, scope: scope, handler: recorder)
            }
            #expect(recorder.completions.map(\.result) == [Int32(Self.farewell.count), hasEnded ? 0 : -ETIME])
            #expect(recorder.completions.map(\.isFollowed) == [hasEnded, false])
            withExtendedLifetime(near) {}
        }
    }

    @Test("in clear they are sent with the promise of the end", arguments: [true, false])
    func inClear(foreseen: Bool) async throws {
        try await onExecutor({ Self.kernel(foreseeing: foreseen) }) { executor in
            let kernel = try #require(executor.kernel as? SimulatedKernel)
            let ends = try await RelayTests.Ends(on: executor)
            try await ends.backEnd.send(Self.farewell, deadline: .never)
            ends.backEnd.shutdownSending()
            let before = kernel.sendsAtOnce
            #expect(await ends.relay(timeout: .seconds(60)).end == .finished)
            #expect(kernel.sendsAtOnce - before == 1)
            #expect(kernel.sendsWithheld == (foreseen ? 1 : 0))
            try await expectFarewell(at: ends.client)
        }
    }

    @Test("through TLS its own farewell comes with them", arguments: [true, false])
    func throughTLS(foreseen: Bool) async throws {
        try await onExecutor({ Self.kernel(foreseeing: foreseen) }) { executor in
            let kernel = try #require(executor.kernel as? SimulatedKernel)
            let made = try await SecureRelayTests.make(on: executor, .client)
            try await made.backEnd.send(Self.farewell, deadline: .never)
            made.backEnd.shutdownSending()
            let before = kernel.sendsAtOnce
            await made.relay?.run()
            #expect(made.relay?.end == .finished)
            // The first words up and down, and then the last ones.
            #expect(kernel.sendsAtOnce - before == (foreseen ? 3 : 4))
            try await expectFarewell(at: made.client, behind: Array("first down".utf8))
        }
    }

    private func expectFarewell(at client: Socket, behind first: [UInt8] = []) async throws {
        var queue = ByteQueue()
        while try await client.receive(into: &queue, deadline: .never) > 0 {}
        #expect(queue.takeAll() == first + Self.farewell)
    }

    /// Keeps what it is told, and gives buffers back.
    private final class Recorder: CompletionHandler {
        private let executor: RingExecutor
        var completions: [Completion] = []
        var waiter: Waiter<Void>?

        init(_ executor: RingExecutor) {
            self.executor = executor
            super.init(())
        }

        override func completed(_ operation: Operation, _ completion: Completion) {
            completions.append(completion)
            if let buffer = completion.buffer { executor.giveBack(buffer) }
            if !completion.more { waiter.take()?.resume(returning: ()) }
        }
    }
}
