import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// `listen` in all its forms (nginx-mail.md §2.2), and the sockets that come of it.
@Suite struct ListenTests {
    private static let at = "of the \"listen\" directive"

    private func listeners(_ text: String) throws -> [ListenSettings] {
        try ConfigurationFixture.server("protocol imap;", listen: "listen \(text);").listeners
    }

    @Test(arguments: [
        ("143", ["0.0.0.0:143"]), ("*:143", ["0.0.0.0:143"]), ("127.0.0.1:143", ["127.0.0.1:143"]),
        ("[::1]:143", ["[::1]:143"]), ("[::]:143", ["[::]:143"]), ("unix:/run/x", ["unix:/run/x"]),
        ("65535", ["0.0.0.0:65535"]),
        ("143-145", ["0.0.0.0:143", "0.0.0.0:144", "0.0.0.0:145"]), ("*:143-143", ["0.0.0.0:143"]),
        ("1.2.3.4:143-144", ["1.2.3.4:143", "1.2.3.4:144"]), ("[::1]:1-2", ["[::1]:1", "[::1]:2"]),
        ("two.example:143", ["192.0.2.1:143", "[::1]:143"]),
        ("two.example:1-2", ["192.0.2.1:1", "192.0.2.1:2", "[::1]:1", "[::1]:2"]),
    ])
    func addresses(_ text: String, _ expected: [String]) throws {
        #expect(try listeners(text).map(\.address.description) == expected)
    }

    @Test(arguments: [
        Mistake("0", "invalid port in \"0\" \(at)"), Mistake("65536", "invalid port in \"65536\" \(at)"),
        Mistake("*:x", "invalid port in \"*:x\" \(at)"), Mistake("*:", "invalid port in \"*:\" \(at)"),
        Mistake("143-142", "invalid port range in \"143-142\" \(at)"),
        Mistake("1-65536", "invalid port in \"1-65536\" \(at)"), Mistake("*:1-", "invalid port in \"*:1-\" \(at)"),
        Mistake("a/b", "invalid host in \"a/b\" \(at)"), Mistake("a?b:1", "invalid host in \"a?b:1\" \(at)"),
        Mistake(":143", "no host in \":143\" \(at)"), Mistake("[]:143", "no host in \"[]:143\" \(at)"),
        Mistake("[::1:143", "invalid host in \"[::1:143\" \(at)"),
        Mistake("[::1]x", "invalid host in \"[::1]x\" \(at)"),
        Mistake("[::z]:143", "invalid IPv6 address in \"[::z]:143\" \(at)"),
        Mistake("127.0.0.1", "no port in \"127.0.0.1\" \(at)"), Mistake("[::1]", "no port in \"[::1]\" \(at)"),
        Mistake("nosuch.example:1", "host not found in \"nosuch.example:1\" \(at)"),
        Mistake("unix:", "no path in the unix domain socket in \"unix:\" \(at)"),
        Mistake(
            "unix:/\(String(repeating: "x", count: 107))",
            "too long path in the unix domain socket in \"unix:/\(String(repeating: "x", count: 107))\" \(at)"),
        Mistake("1 foo", "invalid parameter \"foo\""), Mistake("1 foo=1", "invalid parameter \"foo=1\""),
        Mistake("1 default_server", "invalid parameter \"default_server\""),
        Mistake("1 BIND", "invalid parameter \"BIND\""),
        Mistake("1 backlog=0", "invalid backlog \"backlog=0\""),
        Mistake("1 backlog=x", "invalid backlog \"backlog=x\""),
        Mistake("1 rcvbuf=1g", "invalid rcvbuf \"rcvbuf=1g\""), Mistake("1 sndbuf=", "invalid sndbuf \"sndbuf=\""),
        Mistake("1 ipv6only=oops", "invalid ipv6only flags \"oops\""),
        Mistake("1 ipv6only=x", "invalid parameter \"ipv6only=x\""),
        Mistake("1 so_keepalive=::", "invalid so_keepalive value: \"::\""),
        Mistake("1 so_keepalive=0:0:0", "invalid so_keepalive value: \"0:0:0\""),
        Mistake("1 so_keepalive=1:2", "invalid so_keepalive value: \"1:2\""),
        Mistake("1 so_keepalive=1ms::", "invalid so_keepalive value: \"1ms::\""),
        Mistake("1 multipath=on", "invalid parameter \"multipath=on\""),
        Mistake("1 proxy_protocol=on", "invalid parameter \"proxy_protocol=on\""),
        Mistake("993 ssl", "no \"ssl_certificate\" is defined for the \"listen ... ssl\" directive"),
        Mistake("1; listen *:1", "duplicate \"0.0.0.0:1\" address and port pair"),
        Mistake("1-3; listen 2", "duplicate \"0.0.0.0:2\" address and port pair"),
        Mistake("unix:/a; listen unix:/a", "duplicate \"unix:/a\" address and port pair"),
    ])
    func refused(_ row: Mistake) {
        let error = #expect(throws: ConfigurationError.self) { try listeners(row.text) }
        #expect(error?.text == row.message)
        #expect(error?.position == .file(ConfigurationFixture.path, line: 1))
    }

    @Test func `a hundred thousand addresses are accepted and one more is not`() throws {
        let rest = ParseContext.addressesMaximum - 65535
        #expect(try listeners("1-65535; listen 127.0.0.1:1-\(rest)").count == ParseContext.addressesMaximum)
        let error = #expect(throws: ConfigurationError.self) {
            try listeners("1-65535; listen 127.0.0.1:1-\(rest + 1)")
        }
        #expect(error?.text == "too many addresses")
    }

    @Test func `the longest unix path is accepted`() throws {
        let path = "/" + String(repeating: "x", count: SocketAddress.unixPathMaximum - 1)
        #expect(try listeners("unix:\(path)").map(\.address) == [.unix(path)])
    }

    @Test func options() throws {
        let plain = try listeners("143")[0].options
        #expect(plain == ListenOptions())
        #expect(plain.backlog == 511)
        let full = try listeners("[::]:143 backlog=7 rcvbuf=64k sndbuf=1m ipv6only=off reuseport")[0]
            .options
        #expect(full.backlog == 7)
        #expect(full.receiveBuffer == 64 << 10)
        #expect(full.sendBuffer == 1 << 20)
        #expect(!full.isIPv6Only)
        #expect(full.isReusePort)
        #expect(full.hasOwnSocket)
        #expect(!full.hasProxyHeaders)
        let proxied = try listeners("143 proxy_protocol")[0].options
        #expect(proxied.hasProxyHeaders)
        #expect(!proxied.hasOwnSocket)
        let multipath = try listeners("143 multipath")[0].options
        #expect(multipath.isMultipath)
        #expect(multipath.hasOwnSocket)
    }

    @Test(
        arguments: [
            ("on", .on(idle: nil, interval: nil, count: nil)), ("off", .off),
            ("30m::10", .on(idle: .seconds(1800), interval: nil, count: 10)),
            (":5:", .on(idle: nil, interval: .seconds(5), count: nil)),
            ("0:1s:0", .on(idle: nil, interval: .seconds(1), count: nil)),
        ] as [(String, ListenOptions.KeepAlive)])
    func `keep-alive`(_ text: String, _ expected: ListenOptions.KeepAlive) throws {
        #expect(try listeners("1 so_keepalive=\(text)")[0].options.keepAlive == expected)
    }

    @Test func `two servers never share an address`() {
        let text =
            "events { } mail { auth_http 192.0.2.1;\nserver { listen 143; listen [::]:143; }\nserver { listen 127.0.0.1:143;\nlisten *:143; } }"
        #expect(
            ConfigurationFixture.message(text)
                == "duplicate \"0.0.0.0:143\" address and port pair in /etc/gw/main.conf:4")
    }

    @Test(arguments: [
        ("listen 143;", "imap"), ("listen 993;", "imap"), ("listen 110;", "pop3"), ("listen 995;", "pop3"),
        ("listen 25;", "smtp"), ("listen 465;", "smtp"), ("listen 587;", "smtp"),
        ("listen 2000; listen 110; listen 25;", "pop3"),
        ("listen unix:/x; listen 25;", "smtp"), ("listen 143; protocol smtp;", "smtp"),
        ("protocol pop3; listen 143;", "pop3"),
        ("protocol pop3; protocol imap; listen 25;", "imap"), ("listen 143-200;", "imap"),
    ])
    func `the protocol is said or known by its port`(_ text: String, _ expected: String) throws {
        #expect(try ConfigurationFixture.server("", listen: text).settings.mailProtocol.rawValue == expected)
    }

    @Test func `a wildcard serves the addresses of its port unless they want their own socket`() throws {
        let configuration = try ConfigurationFixture.load(
            """
            events { } mail { auth_http 192.0.2.1;
            server { listen 127.0.0.1:143; listen 127.0.0.2:143 bind; listen 127.0.0.1:144; protocol imap; }
            server { listen 143; listen [::]:143; listen unix:/x; }
            server { listen [::1]:143; } }
            """)
        let sockets = configuration.sockets
        #expect(
            sockets.map(\.listen.address.description) == [
                "127.0.0.2:143", "127.0.0.1:144", "0.0.0.0:143", "[::]:143", "unix:/x",
            ])
        let wildcard = sockets[2]
        #expect(wildcard.route(for: .ipv4(.loopback, port: 143))?.server == 0)
        #expect(wildcard.route(for: .ipv4(IPv4Address(192, 0, 2, 3), port: 143))?.server == 1)
        #expect(sockets[3].route(for: .ipv6(.loopback, port: 143))?.server == 2)
        #expect(sockets[0].route(for: .ipv4(IPv4Address(127, 0, 0, 2), port: 143))?.server == 0)
    }
}
