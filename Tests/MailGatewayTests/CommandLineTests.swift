import ArgumentParser
import Testing

@testable import MailGateway

/// The command line: nginx's letters for the same things.
@Suite struct CommandLineTests {
    @Test(arguments: [
        ["-c", "a.conf", "-p", "/srv", "-e", "early.log", "-g", "user nobody;"],
        ["-ca.conf", "-p/srv", "-eearly.log", "-guser nobody;"],
        [
            "--configuration", "a.conf", "--prefix", "/srv", "--error-log", "early.log", "--directives",
            "user nobody;",
        ],
    ]) func optionsMayBeWrittenInSeveralWays(words: [String]) throws {
        for name in ["run", "check"] {
            let command = try GatewayCommand.parseAsRoot([name] + words)
            let options = try #require((command as? RunCommand)?.options ?? (command as? CheckCommand)?.options)
            #expect(options.path == "a.conf")
            #expect(options.shownPath == "/srv/a.conf")
            #expect(options.earlyLog == "/srv/early.log")
            #expect(options.directives == "user nobody;")
        }
    }

    @Test func withoutOptionsTheBuiltInConfigurationIsMeant() throws {
        let options = try RunOptions.parse([])
        #expect(options.shownPath == DemoConfiguration.path)
        #expect(options.earlyLog == nil)
        #expect(try RunOptions.parse(["-e", "stderr"]).earlyLog == nil)
    }

    @Test func directivesOfTheCommandLineComeFirst() throws {
        let options = try RunOptions.parse(["-g", "worker_processes 3;"])
        let configuration = try options.loadConfiguration(demo: DemoConfiguration.placeholders)
        #expect(configuration.core.workerProcesses == .exactly(3))
    }

    @Test func childrenAreStartedByHiddenCommands() throws {
        #expect((try GatewayCommand.parseAsRoot(["worker", "9"]) as? WorkerCommand)?.control == 9)
        let demo = try GatewayCommand.parseAsRoot(["demo-backend", "3", "4", "5", "6"]) as? DemoBackEndCommand
        #expect(demo?.descriptors == [3, 4, 5, 6])
        #expect(throws: (any Error).self) { try GatewayCommand.parseAsRoot(["demo-backend", "3"]) }
        #expect(!GatewayCommand.helpMessage().contains("demo-backend"))
        #expect(!GatewayCommand.helpMessage().contains("worker"))
    }

    @Test(arguments: [["run", "-x"], ["run", "-c"], ["start"], ["worker"], ["worker", "x"]])
    func whatIsNotUnderstoodIsRefused(words: [String]) {
        #expect(throws: (any Error).self) { try GatewayCommand.parseAsRoot(words) }
    }
}
