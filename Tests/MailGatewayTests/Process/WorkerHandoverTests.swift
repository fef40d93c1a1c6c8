import AsyncIO
import Glibc
import Testing

@testable import MailGateway

/// The message by which a worker learns its configuration.
@Suite struct WorkerHandoverTests {
    private static let handover = WorkerHandover(
        origin: Configuration.Origin(
            path: "/etc/gw/main.conf", prefix: "/var/gw", globalDirectives: "user nobody;", hostName: "höst",
            texts: [
                ConfigurationText(path: "/etc/gw/main.conf", content: Array("events { }".utf8), kind: .directives),
                ConfigurationText(path: "/etc/gw/users", content: [0, 255, 13, 10], kind: .accounts),
                ConfigurationText(path: "/etc/gw/empty", content: [], kind: .directives),
            ],
            resolutions: [
                "two.example": [.ipv4(IPv4Address(192, 0, 2, 1), port: 0), .ipv6(.loopback, port: 0)], "none": [],
            ]),
        descriptors: [4, 7, 2_147_483_647])

    private static func message() throws -> [UInt8] {
        let encoded = try #require(handover.encoded)
        #expect(WorkerHandover.length(prefix: Array(encoded.prefix(8))) == encoded.count - 8)
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

    @Test func theLengthIsBounded() {
        func prefix(_ length: Int) -> [UInt8] {
            (0..<8).map { UInt8(truncatingIfNeeded: length >> (56 - 8 * $0)) }
        }
        #expect(WorkerHandover.length(prefix: prefix(WorkerHandover.bytesMaximum)) == WorkerHandover.bytesMaximum)
        #expect(WorkerHandover.length(prefix: prefix(WorkerHandover.bytesMaximum + 1)) == nil)
        #expect(WorkerHandover.length(prefix: prefix(-1)) == nil)
        #expect(WorkerHandover.length(prefix: [0]) == nil)
    }

    @Test func goesThroughTheControlChannel() throws {
        let ends = try ControlChannel.pair()
        defer { close(ends.child) }
        let bytes = try #require(Self.handover.encoded)
        #expect(unsafe bytes.withUnsafeBytes { unsafe write(ends.master, $0.baseAddress, $0.count) } == bytes.count)
        #expect(try ControlChannel.readHandover(from: ends.child) == Self.handover)
        close(ends.master)
        #expect(throws: StartFailure("the master has gone")) { try ControlChannel.readHandover(from: ends.child) }
    }

    @Test func aMalformedOneIsNotAConfiguration() throws {
        let ends = try ControlChannel.pair()
        defer { [ends.master, ends.child].forEach { _ = close($0) } }
        let bytes: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 1, 9]
        #expect(unsafe bytes.withUnsafeBytes { unsafe write(ends.master, $0.baseAddress, $0.count) } == bytes.count)
        #expect(throws: StartFailure("the master's handover is malformed")) {
            try ControlChannel.readHandover(from: ends.child)
        }
    }
}
