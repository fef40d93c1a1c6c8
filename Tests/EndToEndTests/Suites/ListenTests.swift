import Glibc
import Testing

/// `listen` in force: which addresses are served, and by which server.
@Suite("listen", .endToEnd) struct ListenEndToEndTests {
    private static var canUnshare: Bool { unsafe geteuid() == 0 && access("/usr/bin/unshare", X_OK) == 0 }

    @Test func theAddressAClientCameToChoosesTheServer() throws {
        let free = try FreePorts.onAllAddresses()
        try Site.run(
            backEnds: .ok,
            adjust: { configuration in
                configuration.servers[0].endpoint = free
                let host = configuration.servers[1].endpoint.host
                configuration.servers[1].endpoint = Endpoint(host: host, port: free.port)
            }
        ) { site, _ in
            let wildcard = site.gateway.configuration.servers[0]
            let guest = site.gateway.configuration.servers[1]
            let elsewhere = try RawClient(Endpoint(host: "127.0.0.1", port: wildcard.endpoint.port))
            #expect(try elsewhere.line().hasPrefix(wildcard.mail.greetingPrefix))
            let here = try RawClient(guest.endpoint)
            #expect(try here.line().hasPrefix(guest.mail.greetingPrefix))
            #expect(guest.mail != wildcard.mail)
        }
    }

    @Test func aUnixSocketIsServedToEverybodyAndRemoved() throws {
        var path = ""
        try Stage.run { stage in
            let auth = try AuthService(on: stage, servers: [:])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            path = stage.directory.path("mail.socket")
            configuration.servers[0].directives.append("listen unix:\(path);")
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let client = try RawClient(unix: path)
            #expect(try client.line().hasPrefix(configuration.servers[0].mail.greetingPrefix))
            var status = stat()
            #expect(unsafe stat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o666)
            _ = try client.ask(configuration.servers[0].mail == .imap ? "a1 LOGIN ann x" : "USER ann")
            #expect(try auth.requests.first?["Client-IP"] == "unix:")
            gateway.process.signal(SIGTERM)
            _ = try gateway.process.waitForExit(within: .seconds(10))
            #expect(unsafe access(path, F_OK) != 0, "the file is gone")
        }
    }

    @Test(.beyondNginx, .enabled("needs root and namespaces") { Self.canUnshare })
    func multipathIsIgnoredAloudWhereTheKernelRefusesIt() throws {
        try Stage.run { stage in
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.servers = [configuration.servers[0]]
            // In a network of its own nothing but the wildcard is there to bind.
            configuration.servers[0].endpoint = Endpoint(host: "0.0.0.0", port: configuration.servers[0].endpoint.port)
            configuration.servers[0].parameters = "multipath"
            let plain = "echo 0 > /proc/sys/net/mptcp/enabled; exec \"$0\" \"$@\""
            let gateway = try GatewayUnderTest(
                on: stage, configuration, launcher: ["/usr/bin/unshare", "--net", "/bin/sh", "-c", plain])
            #expect(gateway.log.contains("[emerg] "))
            #expect(gateway.log.contains("multipath is not supported on this platform, ignored"))
        }
    }
}
