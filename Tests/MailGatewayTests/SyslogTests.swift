import AsyncIO
import Glibc
import MailSessions
import Testing

@testable import MailGateway

/// `error_log syslog:`: what goes over the wire, and that nothing waits or fails for a server that is away.
@Suite struct SyslogTests {
    /// A server in a directory of its own.
    private final class Server {
        let folder: String
        private(set) var descriptor: Int32 = -1

        init() throws {
            var template = Array("/tmp/mailgateway-syslog-XXXXXX".utf8CString)
            precondition(unsafe mkdtemp(&template) != nil, "a temporary directory")
            folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit {
            stop()
            unsafe rmdir(folder)
        }

        var path: String { "\(folder)/log" }

        func start() {
            descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
            let status = unsafe withUnsafePointer(to: address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                }
            }
            precondition(status == 0, "the path is free")
        }

        func stop() {
            close(descriptor)
            unsafe unlink(path)
        }

        /// The datagrams that have come.
        func lines() -> [String] { SyslogTests.datagrams(on: descriptor) }
    }

    private static func datagrams(on descriptor: Int32) -> [String] {
        var lines: [String] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe recv(descriptor, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { return lines }
            lines.append(String(decoding: chunk[..<count], as: UTF8.self))
        }
    }

    private static func settings(_ parameters: String) throws -> LogSettings {
        let configuration = try ConfigurationFixture.load("events { } error_log syslog:\(parameters) debug;")
        return try #require(configuration.core.logs.first)
    }

    @Test(
        arguments: [
            ("", #"<187>\w{3} [ \d]\d \d\d:\d\d:\d\d mail\.example\.org nginx: "#),
            (",nohostname", #"<187>\w{3} [ \d]\d \d\d:\d\d:\d\d nginx: "#),
            (",facility=mail,tag=My_Tag1", #"<19>\w{3} [ \d]\d \d\d:\d\d:\d\d mail\.example\.org My_Tag1: "#),
            (",severity=debug,facility=kern", #"<3>\w{3} [ \d]\d \d\d:\d\d:\d\d mail\.example\.org nginx: "#),
        ])
    func `a line is wrapped as nginx wraps it`(_ parameters: String, _ header: String) throws {
        let server = try Server()
        server.start()
        let log = try Log([try Self.settings("server=unix:\(server.path)\(parameters)")])
        log.write(.error, connection: 7, "message\r\n")
        let lines = server.lines()
        #expect(lines.count == 1)
        let form = try Regex(header + #"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#\d+: \*7 message  "#)
        #expect(try form.wholeMatch(in: lines.first ?? "") != nil, "\(lines)")
    }

    @Test func `each level has its severity`() throws {
        let server = try Server()
        server.start()
        let log = try Log([try Self.settings("server=unix:\(server.path),facility=user")])
        for level in LogLevel.allCases { log.write(level, "x") }
        #expect(server.lines().map { $0.prefix { $0 != ">" } } == (8...15).reversed().map { "<\($0)" })
    }

    @Test func `a server that comes back is found again, and hears how much it missed`() throws {
        let server = try Server()
        let log = try Log([try Self.settings("server=unix:\(server.path)")])
        log.write(.error, "lost")
        server.start()
        log.write(.error, "first")
        let early = server.lines()
        try #require(early.count == 2)
        #expect(early[0].hasSuffix(": 1 log line was dropped"))
        #expect(early[1].hasSuffix(": first"))
        server.stop()
        log.write(.error, "lost")
        log.write(.error, "lost")
        server.start()
        log.write(.error, "second")
        let lines = server.lines()
        try #require(lines.count == 2)
        #expect(lines[0].hasSuffix(": 2 log lines were dropped"))
        #expect(lines[1].hasSuffix(": second"))
    }

    @Test func `a server that does not read is not waited for`() throws {
        let server = try Server()
        server.start()
        let log = try Log([try Self.settings("server=unix:\(server.path)")])
        for _ in 0..<2000 { log.write(.error, String(repeating: "x", count: 1900)) }
        let taken = server.lines().count
        #expect(taken > 0 && taken < 2000)
        log.write(.error, "after")
        #expect(server.lines().map { $0.contains("log lines were dropped") } == [true, false])
    }

    @Test(arguments: ["127.0.0.1", "[::1]"]) func `over UDP`(host: String) throws {
        let isIPv6 = host.hasPrefix("[")
        let receiver = socket(isIPv6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(receiver) }
        let port = try #require(Self.bindToLoopback(receiver, isIPv6: isIPv6))
        let log = try Log([try Self.settings("server=\(host):\(port)")])
        log.write(.warn, "by datagram")
        var entry = pollfd(fd: receiver, events: Int16(POLLIN), revents: 0)
        try #require(unsafe poll(&entry, 1, 5000) == 1)
        #expect(Self.datagrams(on: receiver).map { $0.hasSuffix(": by datagram") } == [true])
    }

    @Test func `nobody there over UDP does not hurt`() throws {
        let free = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        let port = try #require(Self.bindToLoopback(free, isIPv6: false))
        close(free)
        let log = try Log([try Self.settings("server=127.0.0.1:\(port)")])
        for _ in 0..<5 { log.write(.error, "to nobody") }
    }

    @Test func `the parameters, typed`() throws {
        let all = try Self.settings("server=two.example,tag=\(String(repeating: "a", count: 32)),nohostname")
        guard case .syslog(let settings) = all.target else {
            Issue.record("a syslog")
            return
        }
        #expect(settings.server == .ipv4(IPv4Address(192, 0, 2, 1), port: 514))
        #expect(settings.tag.utf8.count == 32)
        #expect(settings.hostName == nil)
        #expect(SyslogSettings.facilities.count == 24)
        #expect(settings.facility == 23)
        #expect(all.level == .debug)
    }

    @Test func `the day is padded with a space`() {
        #expect(LogFile.syslogTime(1_791_000_000).wholeMatch(of: /[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d/) != nil)
        #expect(LogFile.syslogTime(1_790_900_000 - 86_400 * 5).utf8.count == 15)
    }

    /// The port it got.
    private static func bindToLoopback(_ descriptor: Int32, isIPv6: Bool) -> UInt16? {
        var storage = sockaddr_storage()
        return unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            let raw = UnsafeMutableRawPointer(pointer)
            if isIPv6 {
                var address = sockaddr_in6()
                address.sin6_family = sa_family_t(AF_INET6)
                address.sin6_addr = in6addr_loopback
                unsafe raw.storeBytes(of: address, as: sockaddr_in6.self)
            } else {
                var address = sockaddr_in()
                address.sin_family = sa_family_t(AF_INET)
                address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
                unsafe raw.storeBytes(of: address, as: sockaddr_in.self)
            }
            var length = socklen_t(isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
            return unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> UInt16? in
                guard unsafe bind(descriptor, address, length) == 0,
                    unsafe getsockname(descriptor, address, &length) == 0
                else { return nil }
                // The port stands in the same place in both.
                return UInt16(bigEndian: unsafe raw.load(fromByteOffset: 2, as: UInt16.self))
            }
        }
    }
}
