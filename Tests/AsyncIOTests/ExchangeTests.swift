import AsyncIO
import TestSupport
import Testing

/// What `Socket.exchange` owes to both of its halves.
@Suite struct ExchangeTests {
    @Test("an end of stream is no cancellation, and what was to be sent arrives", arguments: KernelUnderTest.allCases)
    func halfClosedPeersAreAnswered(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            for _ in 0..<20 {
                let (near, far) = try await executor.connectedPair(in: scope)
                far.shutdownSending()
                try await executor.sleep(until: executor.now + .milliseconds(1), scope: nil)
                var queue = ByteQueue()
                #expect(try await near.exchange(Array("answer".utf8), into: &queue, deadline: .never) == 0)
                while queue.count < 6 { _ = try await far.receive(into: &queue, deadline: .never) }
                #expect(queue.takeAll() == Array("answer".utf8))
            }
        }
    }

    @Test("a send that waits holds no lent buffer", arguments: KernelUnderTest.allCases)
    func waitingSendsHoldNothing(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel, buffers: 1) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            // Talks, and does not read what is said to it.
            try await far.send([1], deadline: .never)
            async let exchanged: Void = exchange(near, until: executor.now + .seconds(3))
            // On a busy machine it takes its time to copy what waits; the send waits on until its deadline.
            for _ in 0..<15 { try await executor.sleep(until: executor.now + .milliseconds(100), scope: nil) }
            #expect(executor.kernel.buffers.lent == 0)
            await exchanged
            withExtendedLifetime(far) {}
        }

        @Sendable func exchange(_ socket: Socket, until deadline: Instant) async {
            var queue = ByteQueue()
            // Cut off by the deadline: that it was answered before must not hide it.
            await #expect(throws: IOError.timedOut) {
                try await socket.exchange([UInt8](repeating: 2, count: 32 << 20), into: &queue, deadline: deadline)
            }
            #expect(queue.count == 1)
        }
    }

    @Test("a reset is told as such, not as the cancellation of what was still to be sent")
    func resetsAreNotCancellations() async throws {
        var failures: Set<IOError> = []
        for seed in 1...40 as ClosedRange<UInt64> {
            let failure = try await onExecutor({ SimulatedKernel(seed: seed) }) { executor -> IOError? in
                guard let kernel = executor.kernel as? SimulatedKernel else { return nil }
                let scope = CancellationScope(on: executor)
                let (near, far) = try await executor.connectedPair(in: scope)
                try await far.send([1], deadline: .never)
                kernel.faults.reset = 1
                var queue = ByteQueue()
                defer { withExtendedLifetime(far) {} }
                do throws(IOError) {
                    _ = try await near.exchange([UInt8](repeating: 2, count: 9000), into: &queue, deadline: .never)
                    return nil
                } catch {
                    return error
                }
            }
            if let failure { failures.insert(failure) }
        }
        #expect(!failures.isEmpty && failures.allSatisfy(\.isLossOfConnection), "\(failures)")
    }
}
