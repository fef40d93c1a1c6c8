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

    // MARK: In force

    /// The value of a socket option of the only socket of `listen`.
    private static func value(_ option: Int32, _ level: Int32, of listens: String) throws -> Int32 {
        let sockets = try BoundSockets(try planned(listens), workers: 1)
        defer { sockets.close() }
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        let descriptor = try #require(sockets.descriptors(ofWorker: 0).first)
        try #require(unsafe getsockopt(descriptor, level, option, &value, &length) == 0)
        return value
    }

    /// An address with a port that was free a moment ago.
    private static func freeAddress(_ host: SocketAddress = .ipv4(.loopback, port: 0)) throws -> SocketAddress {
        let socket = try ListeningSocket(on: host)
        defer { socket.close() }
        return socket.address
    }

    @Test(
        arguments: [
            ("", SO_KEEPALIVE, SOL_SOCKET, 1), ("so_keepalive=off", SO_KEEPALIVE, SOL_SOCKET, 0),
            ("so_keepalive=on", SO_KEEPALIVE, SOL_SOCKET, 1),
            ("so_keepalive=30m::10", TCP_KEEPIDLE, Int32(IPPROTO_TCP), 1800),
            ("so_keepalive=30m::10", TCP_KEEPCNT, Int32(IPPROTO_TCP), 10),
            ("so_keepalive=:7s:", TCP_KEEPINTVL, Int32(IPPROTO_TCP), 7),
            ("reuseport", SO_REUSEPORT, SOL_SOCKET, 1), ("", SO_REUSEPORT, SOL_SOCKET, 0),
            // The kernel keeps twice what it is told, for its own needs.
            ("rcvbuf=64k", SO_RCVBUF, SOL_SOCKET, 128 << 10), ("sndbuf=32k", SO_SNDBUF, SOL_SOCKET, 64 << 10),
            ("bind", SO_ACCEPTCONN, SOL_SOCKET, 1),
        ] as [(String, Int32, Int32, Int32)])
    func theKernelSaysSo(_ parameters: String, _ option: Int32, _ level: Int32, _ expected: Int32) throws {
        #expect(try Self.value(option, level, of: "listen \(try Self.freeAddress()) \(parameters);") == expected)
    }

    @Test(arguments: [("", 1), ("ipv6only=on", 1), ("ipv6only=off", 0)] as [(String, Int32)])
    func ipv6only(_ parameters: String, _ expected: Int32) throws {
        // Of any other address the kernel says 1.
        let address = try Self.freeAddress(.ipv6(.any, port: 0))
        let value = try Self.value(IPV6_V6ONLY, Int32(IPPROTO_IPV6), of: "listen \(address) \(parameters);")
        #expect(value == expected)
    }

    @Test(arguments: [("", 511), ("backlog=7", 7)] as [(String, UInt32)])
    func backlog(_ parameters: String, _ expected: UInt32) throws {
        let sockets = try BoundSockets(try Self.planned("listen \(try Self.freeAddress()) \(parameters);"), workers: 1)
        defer { sockets.close() }
        var facts = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        let descriptor = try #require(sockets.descriptors(ofWorker: 0).first)
        try #require(unsafe getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &facts, &length) == 0)
        // Of a listening socket the kernel tells the backlog here.
        #expect(facts.tcpi_sacked == expected)
    }

    @Test func multipathWhereTheKernelHasIt() throws {
        let probe = socket(AF_INET, Int32(SOCK_STREAM.rawValue), Int32(IPPROTO_MPTCP))
        if probe >= 0 { Glibc.close(probe) }
        let sockets = try BoundSockets(
            try Self.planned("listen \(try Self.freeAddress()) multipath; listen \(try Self.freeAddress());"),
            workers: 1)
        defer { sockets.close() }
        #expect(sockets.warnings == (probe >= 0 ? [] : ["multipath is not supported on this platform, ignored"]))
        let plain = try BoundSockets(try Self.planned("listen \(try Self.freeAddress());"), workers: 1)
        defer { plain.close() }
        #expect(plain.warnings.isEmpty)
        let expected = Int32(probe >= 0 ? IPPROTO_MPTCP : IPPROTO_TCP)
        #expect(try Self.value(SO_PROTOCOL, SOL_SOCKET, of: "listen \(try Self.freeAddress()) multipath;") == expected)
    }

    @Test func aRangeOfPortsIsThatManySockets() throws {
        var first: UInt16 = 0
        var sockets: BoundSockets?
        // Three neighbouring ports that are free: try a few times.
        for _ in 0..<50 where sockets == nil {
            first = try Self.freeAddress().port
            guard first < 65533 else { continue }
            do throws(StartFailure) {
                sockets = try BoundSockets(
                    try Self.plan("listen 127.0.0.1:\(first)-\(first + 2);"), workers: 1, tries: 1)
            } catch {
                // One of them was taken.
            }
        }
        let bound = try #require(sockets)
        defer { bound.close() }
        let ports = bound.descriptors(ofWorker: 0).map { Self.localPort(of: $0) }
        #expect(ports == [first, first + 1, first + 2])
    }

    private static func plan(_ listens: String) throws(StartFailure) -> [PlannedSocket] {
        do { return try planned(listens) } catch { throw StartFailure("\(error)") }
    }

    private static func localPort(of descriptor: Int32) -> UInt16 {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        return UInt16(bigEndian: address.sin_port)
    }
}
