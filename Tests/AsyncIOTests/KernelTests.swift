import AsyncIO
import TestSupport
import Testing

/// One suite, every kernel: what io_uring, epoll and the simulation promise alike.
@Suite struct KernelTests {
    /// Runs `body` and then checks that nothing leaked.
    static func run(
        _ kernel: KernelUnderTest, buffers: Int = 64, size: Int = 4096,
        _ body: @escaping @Sendable (RingExecutor) async throws -> Void
    ) async throws {
        try await onExecutor({ try kernel.make(buffers: buffers, size: size) }) { executor in
            try await body(executor)
            #expect(executor.operationsInUse == 0, "operations leaked")
            #expect(executor.kernel.buffers.lent == 0, "lent buffers leaked")
            if let simulated = executor.kernel as? SimulatedKernel {
                #expect(simulated.openConnections == 0, "descriptors leaked")
            }
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func bytesArriveInOrder(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            var queue = ByteQueue()
            for round in 0..<20 {
                let message = Array("message \(round)\r\n".utf8)
                try await near.send(message, deadline: .never)
                while queue.count < message.count { _ = try await far.receive(into: &queue, deadline: .never) }
                #expect(queue.takeAll() == message)
            }
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func exchangeSendsAndReceivesTogether(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            async let answered: Void = answer(far)
            var queue = ByteQueue()
            let count = try await near.exchange(Array("ping".utf8), into: &queue, deadline: .never)
            while queue.count < 4 { _ = try await near.receive(into: &queue, deadline: .never) }
            #expect(count > 0)
            #expect(queue.takeAll() == Array("pong".utf8))
            try await answered
        }

        @Sendable func answer(_ socket: Socket) async throws {
            var queue = ByteQueue()
            while queue.count < 4 { _ = try await socket.receive(into: &queue, deadline: .never) }
            try await socket.send(Array("pong".utf8), deadline: .never)
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func theEndOfTheStreamIsZeroBytes(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            near.shutdownSending()
            var queue = ByteQueue()
            #expect(try await far.receive(into: &queue, deadline: .never) == 0)
            // Half-closed: the other way still works.
            try await far.send([1, 2, 3], deadline: .never)
            while queue.count < 3 { _ = try await near.receive(into: &queue, deadline: .never) }
            #expect(queue.takeAll() == [1, 2, 3])
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func aDeadlineEndsAReceive(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            var queue = ByteQueue()
            await #expect(throws: IOError.timedOut) {
                try await near.receive(into: &queue, deadline: executor.now + .milliseconds(20))
            }
            // The connection is as good as before.
            try await far.send([7], deadline: .never)
            #expect(try await near.receive(into: &queue, deadline: .never) == 1)
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func aDeadlineEndsASendToWhoeverDoesNotRead(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            await #expect(throws: IOError.timedOut) {
                try await near.send([UInt8](repeating: 1, count: 64 << 20), deadline: executor.now + .milliseconds(50))
            }
            withExtendedLifetime(far) {}
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func cancellingEndsWhatIsInFlight(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            async let received = receive(near)
            try await executor.sleep(until: executor.now + .milliseconds(20), scope: nil)
            scope.cancel()
            #expect(await received == .cancelled)
            withExtendedLifetime(far) {}
        }

        @Sendable func receive(_ socket: Socket) async -> IOError? {
            var queue = ByteQueue()
            do {
                _ = try await socket.receive(into: &queue, deadline: .never)
                return nil
            } catch {
                return error
            }
        }
    }

    @Test("an operation started after the cancellation fails at once", arguments: KernelUnderTest.allCases)
    func cancelledBeforeSubmission(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            scope.cancel()
            var queue = ByteQueue()
            await #expect(throws: IOError.cancelled) { try await near.receive(into: &queue, deadline: .never) }
            await #expect(throws: IOError.cancelled) { try await near.send([1], deadline: .never) }
            await #expect(throws: IOError.cancelled) { try await near.exchange([1], into: &queue, deadline: .never) }
            await #expect(throws: IOError.cancelled) {
                try await executor.sleep(until: executor.now + .seconds(1), scope: scope)
            }
            withExtendedLifetime(far) {}
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func aRefusedConnectionSaysSo(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let (descriptor, address) = try executor.listen()
            executor.kernel.close(descriptor)
            let scope = CancellationScope(on: executor)
            await #expect(throws: IOError.system(.connect, code: 111)) {
                _ = try await Dialer.connect(to: address, deadline: .never, scope: scope)
            }
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func aBurstOfConnectionsIsAccepted(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let (descriptor, address) = try executor.listen()
            let scope = CancellationScope(on: executor)
            let acceptor = Acceptor(listening: descriptor, scope: scope)
            var clients: [Socket] = []
            for _ in 0..<60 {
                clients.append(try await Dialer.connect(to: address, deadline: .never, scope: scope))
            }
            var accepted: [Int32] = []
            while accepted.count < 60 { accepted += try await acceptor.next() }
            #expect(accepted.count == 60)
            for connection in accepted { executor.kernel.close(connection) }
            scope.cancel()
            await #expect(throws: IOError.cancelled) { _ = try await acceptor.next() }
            executor.kernel.close(descriptor)
        }
    }

    /// The processes have one queue, and no multishot accept then.
    @Test("who accepts beside other processes takes a few connections at once", arguments: [true, false])
    func aShareOfABurstIsAccepted(isSimulated: Bool) async throws {
        try await onExecutor({
            let pool = BufferPool(count: 8, size: 64)
            return isSimulated
                ? SimulatedKernel(seed: 1, features: [], buffers: pool) : try Ring(buffers: pool, features: [])
        }) { executor in
            let (descriptor, address) = try executor.listen()
            let scope = CancellationScope(on: executor)
            var clients: [Socket] = []
            for _ in 0..<20 { clients.append(try await Dialer.connect(to: address, deadline: .never, scope: scope)) }
            let acceptor = Acceptor(listening: descriptor, scope: scope)
            var shares: [Int] = []
            while shares.reduce(0, +) < 20 {
                let accepted = try await acceptor.next()
                shares.append(accepted.count)
                for connection in accepted { executor.kernel.close(connection) }
            }
            let shareMaximum = Acceptor.shareMaximum
            // A kernel before 6.10 does not tell that others wait.
            let isTold = shares == [shareMaximum, shareMaximum, 20 - 2 * shareMaximum]
            #expect(isTold || !isSimulated && shares.allSatisfy { $0 == 1 }, "\(shares)")
            executor.kernel.close(descriptor)
        }
    }

    @Test("more receivers than lent buffers: every one is served", arguments: KernelUnderTest.allCases)
    func starvedReceiversAreStartedAgain(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel, buffers: 2, size: 64) { executor in
            let scope = CancellationScope(on: executor)
            var pairs: [(Socket, Socket)] = []
            for _ in 0..<24 { pairs.append(try await executor.connectedPair(in: scope)) }
            let sockets = pairs
            await withDiscardingTaskGroup { group in
                for (near, far) in sockets {
                    group.addTask { await transfer(from: near, to: far) }
                }
            }
        }

        @Sendable func transfer(from near: Socket, to far: Socket) async {
            async let sent: Void? = try? near.send([UInt8](repeating: 9, count: 2000), deadline: .never)
            var queue = ByteQueue()
            while queue.count < 2000 {
                guard let count = try? await far.receive(into: &queue, deadline: .never), count > 0 else { break }
            }
            #expect(queue.count == 2000)
            #expect(await sent != nil)
        }
    }

    @Test(arguments: KernelUnderTest.allCases)
    func sleepersWakeInOrder(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let order = await withTaskGroup(of: Int.self) { group in
                for (place, delay) in [(3, 90), (1, 10), (2, 50)] {
                    group.addTask {
                        try? await executor.sleep(until: executor.now + .milliseconds(delay), scope: nil)
                        return place
                    }
                }
                var order: [Int] = []
                for await place in group { order.append(place) }
                return order
            }
            #expect(order == [1, 2, 3])
        }
    }

    @Test("another thread wakes a waiting executor", arguments: KernelUnderTest.real)
    func callsFromOtherThreads(_ kernel: KernelUnderTest) async throws {
        try await KernelTests.run(kernel) { executor in
            let scope = CancellationScope(on: executor)
            async let slept = sleep(executor, scope)
            // Detached, for it has to be another thread that calls.
            await Task.detached { scope.cancel() }.value
            #expect(await slept == .cancelled)
        }

        @Sendable func sleep(_ executor: RingExecutor, _ scope: CancellationScope) async -> IOError? {
            do {
                // Longer than other tests may keep all threads busy, for the detached task waits for one of them.
                try await executor.sleep(until: executor.now + .seconds(600), scope: scope)
                return nil
            } catch {
                return error
            }
        }
    }
}
