import TestSupport
import Testing

@testable import AsyncIO

/// A wait that goes on for a moment for the sake of bulk still ends by everything that ends a wait.
@Suite struct GatheringTests {
    @Test("by a single completion", arguments: KernelUnderTest.real)
    func completion(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            async let received = receive(at: far)
            for _ in 0..<20 {
                executor.noteBulk()
                try await near.send([1], deadline: .never)
                try await executor.sleep(until: executor.now + .milliseconds(1), scope: nil)
            }
            near.shutdownSending()
            #expect(try await received == 20)
        }

        @Sendable func receive(at socket: Socket) async throws -> Int {
            var queue = ByteQueue()
            while try await socket.receive(into: &queue, deadline: .never) > 0 { socket.executor.noteBulk() }
            return queue.count
        }
    }

    @Test("by a deadline", arguments: KernelUnderTest.real)
    func deadline(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            var queue = ByteQueue()
            executor.noteBulk()
            await #expect(throws: IOError.timedOut) {
                try await far.receive(into: &queue, deadline: executor.now + .milliseconds(5))
            }
            withExtendedLifetime(near) {}
        }
    }

    @Test("by another thread, without a deadline", arguments: KernelUnderTest.real)
    func otherThread(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let asleep = CancellationScope(on: executor)
            // Detached, for the executor's own thread must be asleep meanwhile; it is by then, nearly always.
            let thread = Task.detached {
                try await Task.sleep(for: .milliseconds(5))
                executor.onThread { asleep.cancel() }
            }
            executor.noteBulk()
            await #expect(throws: IOError.cancelled) { try await executor.sleep(until: .never, scope: asleep) }
            try await thread.value
        }
    }

    @Test("TLS bulk from a client asks for it, small messages do not", arguments: [200, 200_000])
    func secure(count: Int) async throws {
        try await KernelTests.run(.ring) { executor in
            let made = try await SecureRelayTests.make(on: executor, .client)
            let (client, backEnd) = (made.client, made.backEnd)
            async let sent: Void = send(count, from: client)
            async let gathered = gathers(until: backEnd, hasReceived: count)
            await made.relay?.run()
            try await sent
            #expect(try await gathered == (count > 100_000))
        }

        /// Whether gathering was ever asked for while all this arrived.
        @Sendable func gathers(until backEnd: Socket, hasReceived count: Int) async throws -> Bool {
            var queue = ByteQueue()
            var seen = false
            while try await backEnd.receive(into: &queue, deadline: .never) > 0 {
                seen = seen || backEnd.executor.isMovingBulk
            }
            #expect(queue.count >= count)
            backEnd.shutdownSending()
            return seen
        }

        @Sendable func send(_ count: Int, from client: Socket) async throws {
            try await client.send([UInt8](repeating: 7, count: count), deadline: .never)
            client.shutdownSending()
        }
    }
}
