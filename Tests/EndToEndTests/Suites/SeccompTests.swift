import Testing

/// Where the host refuses io_uring, as Docker does by default, the gateway works all the same.
@Suite("Without io_uring", .endToEnd) struct SeccompTests {
    private static let launcher = ["/usr/bin/python3", Stage.script("refuse_io_uring.py")]

    @Test func allProtocolsAreProxied() throws {
        try Site.run(backEnds: .ok, launcher: Self.launcher) { site, _ in
            for mail in Mail.allCases { try site.expectHealthy(mail) }
            #expect(site.gateway.everythingSaid.contains("epoll"))
        }
    }

    @Test(.beyondNginx) func theLogSaysWhy() throws {
        try Site.run(backEnds: .ok, launcher: Self.launcher) { site, _ in
            let lines = site.gateway.everythingSaid.split(separator: "\n").filter { $0.contains("epoll") }
            #expect(lines.contains { $0.contains("io_uring") && $0.contains("not permitted") }, "\(lines)")
        }
    }

    /// A filter may refuse what comes behind the ring's setup.
    @Test(.beyondNginx, arguments: ["io_uring_register", "io_uring_enter"])
    func oneRefusedCallIsEnough(_ call: String) throws {
        try Site.run(backEnds: .ok, launcher: Self.launcher + [call]) { site, _ in
            for mail in Mail.allCases { try site.expectHealthy(mail) }
            let lines = site.gateway.everythingSaid.split(separator: "\n").filter { $0.contains("epoll") }
            #expect(lines.contains { $0.contains("io_uring_register()") && $0.contains("not permitted") }, "\(lines)")
        }
    }

    @Test func aLargeMessageComesThrough() throws {
        try Site.run(launcher: Self.launcher) { site in
            let file = try site.stage.directory.write("message", Messages.large(subject: "large", bytes: 2_000_000))
            let endpoint = try site.gateway.endpoint(.imap)
            let arguments = [endpoint.host, "\(endpoint.port)", "ann", Account.ann.password, "append", file]
            let report = try ClientReport(site.stage.runScript("imap_client.py", arguments))
            #expect(report.messages.map(\.whole) == [try site.sha256(ofFile: file)])
        }
    }

    @Test(.beyondNginx) func forcingItIsAClearError() throws {
        try Stage.run { stage in
            let configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            let text = configuration.text(in: stage.directory, preamble: "")
                .replacing("events {", with: "events {\n    use io_uring;")
            let file = try stage.directory.write("forced.conf", text)
            let result = try stage.run(
                Self.launcher + GatewayKind.underTest.command(checking: false, in: stage.directory) + [file])
            let said = result.output + result.errors + textOfFile(stage.directory.path("gateway.log"))
            #expect(result.status == .code(1), "\(result)")
            #expect(said.contains("io_uring"), "\(said)")
        }
    }
}
