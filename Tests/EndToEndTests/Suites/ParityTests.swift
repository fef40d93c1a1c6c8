import Foundation
import Testing

/// The same client, auth service and back-end with nginx and with mailgateway: none of them sees a difference
/// but those that are listed.
@Suite(
    "Parity with nginx", .endToEnd,
    .enabled("nginx or its mail module is not installed") { GatewayKind.hasNginx })
struct ParityTests {
    @Test(arguments: Mail.allCases) func nobodySeesADifferenceButTheListedOnes(mail: Mail) throws {
        let exchanges = mail.parityExchanges
        let reference = try sights(of: .nginx, mail, exchanges)
        let ours = try sights(of: .mailgateway, mail, exchanges)
        for (exchange, (nginx, ours)) in zip(exchanges, zip(reference, ours)) {
            if let difference = exchange.difference {
                #expect(nginx.sight != ours.sight, "\(exchange) no longer shows \(difference)\n    \(nginx.sight)")
            } else {
                #expect(
                    nginx.sight == ours.sight, "\(exchange)\n  nginx\n    \(nginx.sight)\n  ours\n    \(ours.sight)")
                let logs = "\(exchange)\n  nginx\n    \(nginx.log)\n  ours\n    \(ours.log)"
                #expect((nginx.log == ours.log) == (exchange.logDifference == nil), "\(logs)")
            }
        }
    }

    /// Each statement alone in a small configuration, checked by both.
    @Test(arguments: ParityMistakes.Place.allCases)
    func configurationsAreReadAlike(place: ParityMistakes.Place) throws {
        try Stage.run { stage in
            let endpoint = try stage.freeEndpoint()
            func complaint(_ kind: GatewayKind, _ row: ParityMistakes.Row) throws -> String {
                let file = try stage.directory.write(
                    "mistake.conf",
                    ParityMistakes.configuration(
                        row, preamble: kind.preamble, pid: stage.directory.path("\(kind)"), endpoint: endpoint))
                let result = try stage.run(kind.command(checking: true, in: stage.directory) + [file])
                let lines = result.errors.split(separator: "\n")
                return lines.first { $0.contains("[emerg]") }.map { String($0.drop { $0 != "[" }) } ?? "accepted"
            }
            for row in ParityMistakes.all where row.place == place {
                let (nginx, ours) = (try complaint(.nginx, row), try complaint(.mailgateway, row))
                #expect((nginx == ours) == (row.difference == nil), "\(row.said)\n  nginx \(nginx)\n  ours  \(ours)")
            }
        }
    }

    private func sights(of kind: GatewayKind, _ mail: Mail, _ exchanges: [ParityExchange]) throws -> [ParityRun] {
        try Stage.run { stage in
            let director = try ParityDirector(host: stage.host)
            var configuration = try GatewayConfiguration(on: stage, auth: director.auth.endpoint)
            configuration.mail.append("timeout 20s;")
            let certificates = try Certificates(on: stage)
            try certificates.issue("gateway", ["gateway.example.test"])
            configuration.mail += certificates.directives("gateway")
            let servers = ParityServers.all.filter { $0.mail == mail }
            configuration.servers = try servers.map {
                GatewayConfiguration.Server(mail: mail, endpoint: try stage.freeEndpoint(), directives: $0.directives)
            }
            let gateway = try GatewayUnderTest(on: stage, configuration, kind: kind)
            let sights = try exchanges.map { exchange in
                let index = try #require(servers.firstIndex { $0.name == exchange.server }, "\(exchange.server)")
                return try director.play(exchange, at: gateway.configuration.servers[index].endpoint)
            }
            gateway.process.stop()
            let log = ParityLog(gateway.log)
            try #require(log.sessions.count == exchanges.count, "each session has its line")
            return zip(sights, log.sessions).map { ParityRun(sight: $0, log: $1) }
        }
    }
}

/// What one exchange left behind.
private struct ParityRun {
    let sight: ParitySight
    let log: [String]
}

/// The tables and the list of differences name the same marks, so that neither goes stale.
@Suite("Parity tables") struct ParityTableTests {
    @Test func everyMarkIsListedAndShown() {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../../docs/differences-from-nginx.md").standardizedFileURL.path
        let listed = textOfFile(path).split(separator: "\n").compactMap { line in
            line.firstMatch(of: /^\|.*\| `([a-z0-9-]+)` \|$/).map { String($0.output.1) }
        }
        let exchanges = Mail.allCases.flatMap(\.parityExchanges)
        let shown = exchanges.flatMap { [$0.difference, $0.logDifference] } + ParityMistakes.all.map(\.difference)
        #expect(Set(listed) == Set(shown.compactMap(\.self)))
        #expect(Set(listed).count == listed.count, "each mark stands in one row")
        #expect(exchanges.count > 500)
    }

    @Test func bytesAreReadAsTheNotationSays() {
        #expect(ParityText.bytes(#"a\r\n\0\x7F\p\\\{xy*2}\b{\0a}"#) == Array("a\r\n\0\u{7F}|\\xyxyAGE=".utf8))
        #expect(ParityText.shown([65, 13, 10, 0, 255]) == #"A\r\n\x00\xFF"#)
    }
}
