import AsyncIO
import Glibc
import Testing

@testable import MailGateway

/// The listening sockets of a configuration.
@Suite struct BoundSocketsTests {
    private static func planned(_ listens: String) throws -> [PlannedSocket] {
        try ConfigurationFixture.load(
            "events { } mail { auth_http 192.0.2.9; server { protocol imap; \(listens) } }"
        ).sockets
    }

    @Test func aTakenPortIsNamedAsInNginx() throws {
        let taken = try ListeningSocket(on: .ipv4(.loopback, port: 0))
        defer { taken.close() }
        let planned = try Self.planned("listen \(taken.address);")
        #expect(
            throws: StartFailure("bind() to \(taken.address) failed (\(EADDRINUSE): Address already in use)")
        ) { try BoundSockets(planned, workers: 1, tries: 1) }
    }

    @Test func workersShareASocketUnlessItIsAReusePortOne() throws {
        let free = try ListeningSocket(on: .ipv4(.loopback, port: 0))
        let other = try ListeningSocket(on: .ipv4(.loopback, port: 0))
        free.close()
        other.close()
        let sockets = try BoundSockets(
            try Self.planned("listen \(free.address); listen \(other.address) reuseport;"), workers: 2)
        defer { sockets.close() }
        let (first, second) = (sockets.descriptors(ofWorker: 0), sockets.descriptors(ofWorker: 1))
        #expect(first.count == 2)
        #expect(first[0] == second[0])
        #expect(first[1] != second[1])
    }

    @Test func theOptionsOfListenBecomeThoseOfTheSocket() throws {
        let planned = try Self.planned(
            "listen 127.0.0.1:1 backlog=7 rcvbuf=8k sndbuf=16k so_keepalive=30m::10; listen 127.0.0.1:2;")
        let options = ListeningSocket.Options(planned[0].listen.options)
        var expected = ListeningSocket.Options()
        #expect(ListeningSocket.Options(planned[1].listen.options) == expected)
        expected.backlog = 7
        expected.receiveBuffer = 8192
        expected.sendBuffer = 16384
        expected.keepAlive = ListeningSocket.KeepAlive(isOn: true, idle: 1800, interval: nil, count: 10)
        #expect(options == expected)
    }
}
