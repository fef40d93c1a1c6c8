import AsyncIO
import Glibc
import TestSupport
import Testing

/// Bytes and descriptors between two processes; here both ends are in one.
@Suite struct DescriptorChannelTests {
    private static func channels(_ scope: CancellationScope) throws -> (DescriptorChannel, DescriptorChannel) {
        let (one, other) = try DescriptorChannel.pair()
        for end in [one, other] { _ = fcntl(end, F_SETFL, fcntl(end, F_GETFL) | O_NONBLOCK) }
        return (DescriptorChannel(adopting: one, scope: scope), DescriptorChannel(adopting: other, scope: scope))
    }

    private static func pipe() throws -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(unsafe Glibc.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }

    /// One batch, one past it, and more than two.
    @Test(arguments: KernelUnderTest.real, [0, 1, 128, 129, 300])
    func allDescriptorsArriveInOrder(kernel: KernelUnderTest, count: Int) async throws {
        try await onExecutor {
            try kernel.make()
        } _: { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try Self.channels(scope)
            let pipes = try (0..<count).map { _ in try Self.pipe() }
            defer { for ends in pipes { [ends.reading, ends.writing].forEach { _ = close($0) } } }
            let message = Array("a message longer than its descriptors need".utf8)
            try await near.send(message, with: pipes.map(\.writing))
            var received: [Int32] = []
            #expect(try await far.receive(message.count, with: &received) == message)
            #expect(received.count == count)
            for (index, descriptor) in received.enumerated() {
                var (sent, read) = (UInt8(truncatingIfNeeded: index), UInt8(0))
                #expect(unsafe write(descriptor, &sent, 1) == 1)
                #expect(unsafe Glibc.read(pipes[index].reading, &read, 1) == 1 && read == sent)
                #expect(fcntl(descriptor, F_GETFD) == FD_CLOEXEC)
                close(descriptor)
            }
        }
    }

    @Test(arguments: KernelUnderTest.real)
    func aLongMessageWaitsForItsReader(kernel: KernelUnderTest) async throws {
        try await onExecutor {
            try kernel.make()
        } _: { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try Self.channels(scope)
            let message = (0..<(4 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let ends = try Self.pipe()
            defer { [ends.reading, ends.writing].forEach { _ = close($0) } }
            async let sending: Void = near.send(message, with: [ends.writing])
            var received: [Int32] = []
            let head = try await far.receive(8, with: &received)
            let rest = try await far.receive(message.count - 8, with: &received)
            try await sending
            #expect(head + rest == message)
            #expect(received.count == 1)
            received.forEach { _ = close($0) }
        }
    }

    @Test(arguments: KernelUnderTest.real)
    func theEndOfTheOtherSideIsTheEnd(kernel: KernelUnderTest) async throws {
        try await onExecutor {
            try kernel.make()
        } _: { executor in
            let scope = CancellationScope(on: executor)
            var ends: (DescriptorChannel, DescriptorChannel)? = try Self.channels(scope)
            let far = try #require(ends?.1)
            try await ends?.0.send([1, 2])
            ends = nil
            var received: [Int32] = []
            await #expect(throws: IOError.closed) { _ = try await far.receive(3, with: &received) }
            await #expect(throws: IOError.self) { try await far.send([1]) }
        }
    }
}
