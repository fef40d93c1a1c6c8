import AsyncIO
import Glibc
import TestSupport
import Testing

@testable import MailGateway

/// The message by which a worker learns its configuration.
@Suite struct WorkerHandoverTests {
    private static let handover = WorkerHandover(
        origin: Configuration.Origin(
            path: "/etc/gw/main.conf", prefix: "/var/gw", globalDirectives: "user nobody;", hostName: "höst",
            texts: [
                ConfigurationText(
                    path: "/etc/gw/main.conf", content: Secret(Array("events { }".utf8)), kind: .directives),
                ConfigurationText(path: "/etc/gw/users", content: Secret([0, 255, 13, 10]), kind: .accounts),
                ConfigurationText(path: "/etc/gw/empty", content: Secret([]), kind: .directives),
                ConfigurationText(path: "/etc/gw/key.pem", content: Secret([1]), kind: .tls),
            ],
            resolutions: [
                "two.example": [.ipv4(IPv4Address(192, 0, 2, 1), port: 0), .ipv6(.loopback, port: 0)], "none": [],
            ]),
        number: 3, sockets: [0, 12, 5, 70_000], newcomers: [12, 5, 70_000], zones: [3, 9], region: 17,
        inherited: [4, 7, 2_147_483_647, 8, 9])

    private static func message() throws -> [UInt8] {
        let encoded = try #require(handover.encoded)
        let announced = try #require(WorkerHandover.announced(by: Array(encoded.prefix(8))))
        #expect(announced == (0, encoded.count - 8))
        return Array(encoded.dropFirst(8))
    }

    @Test func comesBackAsItWas() throws {
        #expect(WorkerHandover(decoding: try Self.message()) == Self.handover)
    }

    @Test func anythingCutOffIsRefused() throws {
        let message = try Self.message()
        for count in message.indices {
            #expect(WorkerHandover(decoding: Array(message.prefix(count))) == nil, "\(count) bytes")
        }
        #expect(WorkerHandover(decoding: message + [0]) == nil, "one byte too many")
    }

    @Test func noBitFlippedIsOurEnd() throws {
        var message = try Self.message()
        for index in message.indices {
            message[index] ^= 0xFF
            // Text may have become another text; what counts is that reading ends.
            _ = WorkerHandover(decoding: message)
            message[index] ^= 0xFF
        }
    }

    @Test func descriptorsTravelBesideUnlessTheyAreInherited() throws {
        var handover = Self.handover
        handover.inherited = []
        let encoded = try #require(handover.encoded)
        #expect(WorkerHandover.announced(by: Array(encoded.prefix(8)))?.descriptors == 5)
        handover.inherited = [4]
        #expect(WorkerHandover(decoding: Array(try #require(handover.encoded).dropFirst(8))) == nil, "one for five")
    }

    @Test func whatIsAnnouncedIsBounded() {
        func prefix(_ descriptors: Int, _ length: Int) -> [UInt8] {
            [descriptors, length].flatMap { number in
                (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
            }
        }
        let (bytes, descriptors) = (WorkerHandover.bytesMaximum, WorkerHandover.descriptorsMaximum)
        #expect(WorkerHandover.announced(by: prefix(descriptors, bytes))?.length == bytes)
        #expect(WorkerHandover.announced(by: prefix(0, bytes + 1)) == nil)
        #expect(WorkerHandover.announced(by: prefix(descriptors + 1, 0)) == nil)
        #expect(WorkerHandover.announced(by: prefix(-1, -1)) == nil)
        #expect(WorkerHandover.announced(by: [0]) == nil)
    }

    @Test func goesThroughTheControlChannel() throws {
        let ends = try ControlChannel.pair()
        defer { close(ends.child) }
        let bytes = try #require(Self.handover.encoded)
        #expect(unsafe bytes.withUnsafeBytes { unsafe write(ends.master, $0.baseAddress, $0.count) } == bytes.count)
        let delivery = try ControlChannel.readHandover(from: ends.child)
        #expect(delivery.handover == Self.handover)
        #expect(delivery.descriptors == Self.handover.inherited)
        close(ends.master)
        #expect(throws: StartFailure("the master has gone")) { _ = try ControlChannel.readHandover(from: ends.child) }
    }

    /// As the kernel does it at the receiver's limit of open files.
    @Test func oneWithDescriptorsLeftOutIsNotTheEndOfTheMaster() async throws {
        try await onExecutor {
            try KernelUnderTest.epoll.make()
        } _: { executor in
            let scope = CancellationScope(on: executor)
            let ends = try ControlChannel.pair()
            _ = fcntl(ends.child, F_SETFL, fcntl(ends.child, F_GETFL) | O_NONBLOCK)
            let master = ControlChannel(adopting: ends.master, scope: scope)
            let worker = ControlChannel(adopting: ends.child, scope: scope)
            var handover = Self.handover
            handover.inherited = []
            try await master.send(handover, with: [2, 2])
            let incomplete = try await worker.delivery()
            #expect(incomplete == nil)
            try await master.send(handover, with: [2, 2, 2, 2, 2])
            let delivery = try #require(try await worker.delivery())
            #expect(delivery.handover == handover)
            #expect(delivery.descriptors.count == 5)
            delivery.discard()
        }
    }

    @Test func aMalformedOneIsNotAConfiguration() throws {
        let ends = try ControlChannel.pair()
        defer { [ends.master, ends.child].forEach { _ = close($0) } }
        let bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1, 9]
        #expect(unsafe bytes.withUnsafeBytes { unsafe write(ends.master, $0.baseAddress, $0.count) } == bytes.count)
        #expect(throws: StartFailure("the master's handover is malformed")) {
            _ = try ControlChannel.readHandover(from: ends.child)
        }
    }
}
