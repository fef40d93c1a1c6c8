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
            throws: StartFailure(
                "bind() to \(taken.address) failed (\(EADDRINUSE): Address already in use)",
                hint: "The address is that of the \"listen\" in /etc/gw/main.conf:1.")
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
        let (first, second) = (descriptors(sockets, ofWorker: 0), descriptors(sockets, ofWorker: 1))
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
        let descriptor = try #require(descriptors(sockets, ofWorker: 0).first)
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
        // Of any other address the kernel says 1. Ports that the kernel gives out may be in use on some address.
        var value: Int32?
        for _ in 0..<50 where value == nil {
            let address = SocketAddress.ipv6(.any, port: UInt16.random(in: 10000...30000))
            do {
                value = try Self.value(IPV6_V6ONLY, Int32(IPPROTO_IPV6), of: "listen \(address) \(parameters);")
            } catch {
                // Taken; another one then.
            }
        }
        #expect(value == expected)
    }

    @Test(arguments: [("", 511), ("backlog=7", 7)] as [(String, UInt32)])
    func backlog(_ parameters: String, _ expected: UInt32) throws {
        let sockets = try BoundSockets(try Self.planned("listen \(try Self.freeAddress()) \(parameters);"), workers: 1)
        defer { sockets.close() }
        var facts = tcp_info()
        var length = socklen_t(MemoryLayout<tcp_info>.size)
        let descriptor = try #require(descriptors(sockets, ofWorker: 0).first)
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
        // Three neighbouring ports that are free: try a few times, on an address that nobody else uses.
        let host = IPv4Address(127, .random(in: 1...254), .random(in: 1...254), .random(in: 1...254))
        for _ in 0..<50 where sockets == nil {
            first = try Self.freeAddress(.ipv4(host, port: 0)).port
            guard first < 65533 else { continue }
            do throws(StartFailure) {
                sockets = try BoundSockets(
                    try Self.plan("listen \(host):\(first)-\(first + 2);"), workers: 1, tries: 1)
            } catch {
                // One of them was taken.
            }
        }
        let bound = try #require(sockets)
        defer { bound.close() }
        let ports = descriptors(bound, ofWorker: 0).map { Self.localPort(of: $0) }
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

/// What a worker listens on.
private func descriptors(_ sockets: BoundSockets, ofWorker number: Int) -> [Int32] {
    sockets.sockets(ofWorker: number).map(\.socket.descriptor)
}

/// The sockets of one configuration after another.
@Suite struct SocketSuccessionTests {
    private static func planned(_ listens: String) throws -> [PlannedSocket] {
        try ConfigurationFixture.load(
            "events { } mail { auth_http 192.0.2.9; server { protocol imap; \(listens) } }"
        ).sockets
    }

    /// Addresses that were free a moment ago.
    private static func freeAddresses(_ count: Int) throws -> [SocketAddress] {
        let host = IPv4Address(127, .random(in: 1...254), .random(in: 1...254), .random(in: 1...254))
        let held = try (0..<count).map { _ in try ListeningSocket(on: .ipv4(host, port: 0)) }
        held.forEach { $0.close() }
        return held.map(\.address)
    }

    /// Whether nobody listens there any more. Descriptors would not tell: other tests get their numbers.
    private static func isFree(_ address: SocketAddress) -> Bool {
        do throws(IOError) {
            try ListeningSocket(on: address).close()
            return true
        } catch {
            return false
        }
    }

    @Test func anAddressThatStaysKeepsItsSocketAndItsNumber() throws {
        let addresses = try Self.freeAddresses(3)
        let old = try BoundSockets(try Self.planned("listen \(addresses[0]); listen \(addresses[1]);"), workers: 2)
        let new = try BoundSockets(
            try Self.planned("listen \(addresses[2]); listen \(addresses[1]) backlog=5;"), workers: 2, keeping: old)
        defer { new.close() }
        let (before, after) = (old.sockets(ofWorker: 0), new.sockets(ofWorker: 0))
        #expect(after[1].serial == before[1].serial && after[1].socket.descriptor == before[1].socket.descriptor)
        #expect(!before.map(\.serial).contains(after[0].serial), "a number is never given twice")
        old.close(exceptThoseOf: new)
        #expect(Self.isFree(addresses[0]))
        #expect(!Self.isFree(addresses[1]) && !Self.isFree(addresses[2]))
    }

    @Test func whenOneCannotBeOpenedTheOldOnesStayAndTheNewOnesGo() throws {
        let addresses = try Self.freeAddresses(2)
        let taken = try ListeningSocket(on: .ipv4(.loopback, port: 0))
        defer { taken.close() }
        let old = try BoundSockets(try Self.planned("listen \(addresses[0]);"), workers: 1)
        defer { old.close() }
        #expect(throws: StartFailure.self) {
            try BoundSockets(
                try Self.planned("listen \(addresses[1]); listen \(addresses[0]); listen \(taken.address);"),
                workers: 1, keeping: old, tries: 1)
        }
        #expect(!Self.isFree(addresses[0]))
        #expect(Self.isFree(addresses[1]), "what was opened before is closed again")
    }

    @Test func aSocketOfEachWorkerIsAddedToTheOneOfAll() throws {
        let address = try Self.freeAddresses(1)[0]
        let old = try BoundSockets(try Self.planned("listen \(address);"), workers: 2)
        let new = try BoundSockets(try Self.planned("listen \(address) reuseport;"), workers: 3, keeping: old)
        defer { new.close() }
        #expect(Set((0..<3).map { new.sockets(ofWorker: $0)[0].serial }).count == 3)
        #expect(new.sockets(ofWorker: 0)[0].serial == old.sockets(ofWorker: 0)[0].serial)
        let fewer = try BoundSockets(try Self.planned("listen \(address) reuseport;"), workers: 1, keeping: new)
        #expect(fewer.all.map(\.serial) == [old.all[0].serial])
    }

    @Test func theFileOfAVanishedUnixSocketGoes() throws {
        var template = Array("/tmp/mailgateway-test-XXXXXX".utf8CString)
        _ = unsafe mkdtemp(&template)
        let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        defer { unsafe rmdir(folder) }
        let paths = ["\(folder)/a", "\(folder)/b"]
        let old = try BoundSockets(try Self.planned("listen unix:\(paths[0]); listen unix:\(paths[1]);"), workers: 1)
        let new = try BoundSockets(try Self.planned("listen unix:\(paths[1]);"), workers: 1, keeping: old)
        #expect(old.close(exceptThoseOf: new) == [paths[0]])
        #expect(unsafe access(paths[0], F_OK) != 0 && access(paths[1], F_OK) == 0)
        #expect(new.close(keepingFiles: true).isEmpty, "they belong to the next program")
        #expect(unsafe access(paths[1], F_OK) == 0)
        unsafe unlink(paths[1])
    }

    @Test func whatTheProgramBeforeListenedOnIsTakenOverByAddress() throws {
        let addresses = try Self.freeAddresses(2)
        let (wanted, unwanted) = (try ListeningSocket(on: addresses[0]), try ListeningSocket(on: addresses[1]))
        let plain = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(plain) }
        let text = "\(wanted.descriptor);\(plain):\(unwanted.descriptor);x;9"
        let inheritance = Program.inheritance(text)
        #expect(inheritance.sockets.map(\.descriptor) == [wanted.descriptor, unwanted.descriptor])
        #expect(
            inheritance.mistakes == [
                "the inherited socket #\(plain) does not listen, ignoring it",
                "invalid socket number \"x;9\" in NGINX environment variable, ignoring the rest of the variable",
            ])
        let sockets = try BoundSockets(
            try Self.planned("listen \(addresses[0]);"), workers: 1, inherited: inheritance.sockets)
        defer { sockets.close() }
        #expect(sockets.all.map(\.socket.descriptor) == [wanted.descriptor])
        #expect(Self.isFree(addresses[1]) && !Self.isFree(addresses[0]))
    }
}
