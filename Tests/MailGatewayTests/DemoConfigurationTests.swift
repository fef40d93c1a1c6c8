import AsyncIO
import Foundation
import MailSessions
import Testing

@testable import MailGateway

/// What runs without a configuration file.
@Suite struct DemoConfigurationTests {
    private static let ports = DemoConfiguration.BackEndPorts(imap: 40001, pop3: 40002, smtp: 40003)

    @Test func theTextIsAConfigurationWithoutReproach() throws {
        let configuration = try RunOptions.parse([]).choice.loadConfiguration(demo: Self.ports)
        #expect(configuration.notices.isEmpty)
        #expect(configuration.servers.map(\.settings.mailProtocol) == [.imap, .pop3, .smtp])
        #expect(
            configuration.sockets.map { "\($0.listen.address)" }
                == ["127.0.0.1:1143", "127.0.0.1:1110", "127.0.0.1:1025"])
        let backEnds = configuration.servers.map { $0.settings.backEnd?.description }
        #expect(backEnds == ["127.0.0.1:40001", "127.0.0.1:40002", "127.0.0.1:40003"])
        #expect(configuration.servers[2].settings.proxy.xclient == .on)
    }

    @Test func aWorkerReadsTheSame() throws {
        let configuration = try RunOptions.parse(["-p", "/var/gw"]).choice.loadConfiguration(demo: Self.ports)
        #expect(try Configuration.load(from: configuration.origin).sockets == configuration.sockets)
    }

    @Test func theAccountIsTheOneOfTheCommands() throws {
        let configuration = try RunOptions.parse([]).choice.loadConfiguration(demo: Self.ports)
        guard case .accounts(let accounts) = configuration.servers[0].settings.authenticators.first else {
            Issue.record("the demo has an accounts file")
            return
        }
        #expect(accounts.count == 1)
        for (purpose, command) in DemoConfiguration.commands {
            #expect(command.contains("-u \(DemoConfiguration.account):\(DemoConfiguration.account)"), "\(purpose)")
        }
    }

    @Test func theWelcomeShowsEveryCommandOnALineOfItsOwn() throws {
        let lines = try Demo().welcome.split(separator: "\n").map { $0.drop { $0 == " " } }
        for (_, command) in DemoConfiguration.commands { #expect(lines.contains(command[...])) }
    }

    @Test func readmeShowsTheWelcomeAsItIs() throws {
        let top = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let readme = try String(contentsOf: top.appendingPathComponent("README.md"), encoding: .utf8)
        let welcome = try Demo().welcome.trimmingCharacters(in: .newlines)
        #expect(readme.contains("```\n\(welcome)\n```\n"))
    }
}
