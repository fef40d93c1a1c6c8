import ArgumentParser
import Glibc
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
            let options = try #require(
                (command as? RunCommand)?.options.choice ?? (command as? CheckCommand)?.options.choice)
            #expect(options.path == "a.conf")
            #expect(options.shownPath == "/srv/a.conf")
            #expect(options.earlyLog == "/srv/early.log")
            #expect(options.directives == "user nobody;")
        }
    }

    /// A worker reads the configuration again when it may be in another directory.
    @Test func whatIsReadAgainDoesNotDependOnTheDirectory() throws {
        let here = Program.currentDirectory
        let options = try RunOptions.parse(["-c", "a.conf"]).choice.absolute
        #expect(options.shownPath == "\(here)/a.conf")
        #expect(try RunOptions.parse(["-c", "a.conf", "-p", "sub"]).choice.absolute.shownPath == "\(here)/sub/a.conf")
        #expect(try RunOptions.parse(["-c", "a.conf", "-p", "/srv"]).choice.absolute.shownPath == "/srv/a.conf")
        let demo = try RunOptions.parse(["-g", "error_log x.log;"]).choice.absolute
        let configuration = try demo.loadConfiguration(demo: DemoConfiguration.placeholders)
        #expect(configuration.core.logs.map(\.target).contains(.file("\(here)/x.log")))
    }

    @Test func withoutOptionsTheBuiltInConfigurationIsMeant() throws {
        let options = try RunOptions.parse([]).choice
        #expect(options.shownPath == DemoConfiguration.path)
        #expect(options.earlyLog == nil)
        #expect(try RunOptions.parse(["-e", "stderr"]).choice.earlyLog == nil)
    }

    @Test func directivesOfTheCommandLineComeFirst() throws {
        let options = try RunOptions.parse(["-g", "worker_processes 3;"]).choice
        let configuration = try options.loadConfiguration(demo: DemoConfiguration.placeholders)
        #expect(configuration.core.workerProcesses == .exactly(3))
    }

    @Test func childrenAreStartedByHiddenCommands() throws {
        #expect((try GatewayCommand.parseAsRoot(["worker", "9", "--pam", "4"]) as? WorkerCommand)?.control == 9)
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

/// nginx's own command line.
@Suite struct NginxCommandLineTests {
    private static let file = ConfigurationChoice(
        path: "/etc/x", prefix: "/srv", errorLog: "e.log", directives: "user a;")

    @Test(arguments: [
        ["-c", "/etc/x", "-p", "/srv", "-e", "e.log", "-g", "user a;"],
        ["-c/etc/x", "-p/srv", "-ee.log", "-guser a;"],
        ["-qc/etc/x", "-p/srv", "-ee.log", "-qg", "user a;"],
        ["-c", "/other", "-c", "/etc/x", "-p/srv", "-ee.log", "-guser a;"],
    ])
    func withoutAnActionItRuns(words: [String]) throws {
        let line = try NginxCommandLine(words)
        #expect(line.choice == Self.file)
        #expect(line.action == .run)
    }

    @Test func lettersMayBeBundled() throws {
        let choice = ConfigurationChoice(path: "f")
        func check(_ dumps: Bool, _ isQuiet: Bool) -> NginxCommandLine.Action {
            .check(ConfigurationCheck(choice: choice, dumps: dumps, isQuiet: isQuiet))
        }
        #expect(try NginxCommandLine(["-tcf"]).action == check(false, false))
        #expect(try NginxCommandLine(["-tq", "-cf"]).action == check(false, true))
        #expect(try NginxCommandLine(["-qT", "-c", "f"]).action == check(true, true))
        #expect(try NginxCommandLine(["-tT", "-s", "stop", "-cf"]).action == check(true, false))
    }

    @Test(arguments: [("stop", GatewayRequest.stop), ("quit", .quit), ("reload", .reload), ("reopen", .reopen)])
    func signals(word: String, request: GatewayRequest) throws {
        #expect(try NginxCommandLine(["-s", word]).action == .request(request))
        #expect(try NginxCommandLine(["-s\(word)"]).action == .request(request))
    }

    @Test(arguments: [
        (["-v"], NginxCommandLine.Action.showVersion), (["-V"], .showBuild), (["-h"], .showHelp), (["-?"], .showHelp),
        (["-tv"], .showVersion), (["-vV"], .showBuild), (["-Vh"], .showHelp),
    ])
    func informationComesFirst(words: [String], action: NginxCommandLine.Action) throws {
        #expect(try NginxCommandLine(words).action == action)
    }

    @Test(arguments: [
        (["-x"], "invalid option: \"x\""), (["-tx"], "invalid option: \"x\""),
        (["-t", "file"], "invalid option: \"file\""),
        (["-c"], "option \"-c\" requires file name"), (["-tc"], "option \"-c\" requires file name"),
        (["-e"], "option \"-e\" requires file name"), (["-p"], "option \"-p\" requires directory name"),
        (["-g"], "option \"-g\" requires parameter"), (["-s"], "option \"-s\" requires parameter"),
        (["-s", "start"], "invalid option: \"-s start\""), (["-supgrade"], "invalid option: \"-s upgrade\""),
    ])
    func whatIsNotUnderstoodIsRefusedInNginxsWords(words: [String], text: String) {
        #expect(throws: NginxCommandLine.Refused(text: text)) { try NginxCommandLine(words) }
    }

    @Test func commandsAndLongOptionsAreNotMeant() {
        for words in [[], ["run", "-c", "x"], ["--help"], ["--version"], ["check"]] {
            #expect(!NginxCommandLine.isMeant(by: words))
        }
        #expect(NginxCommandLine.isMeant(by: ["-t"]))
    }

    @Test(arguments: [
        (["stop"], GatewayRequest.stop, SIGTERM), (["quit"], .quit, SIGQUIT), (["reload"], .reload, SIGHUP),
        (["reopen"], .reopen, SIGUSR1), (["upgrade"], .upgrade, SIGUSR2),
    ])
    func theCommandsSendNginxsSignals(words: [String], request: GatewayRequest, signal: Int32) throws {
        let command = try GatewayCommand.parseAsRoot(words + ["-c", "x"])
        let found = try #require(command as? any RequestCommand)
        #expect(type(of: found).request == request && found.options.choice.path == "x")
        #expect(request.signal == signal)
    }
}

/// The program's own file, by the name it was started with.
@Suite struct ProgramTests {
    @Test func isFoundAsAShellFindsIt() {
        #expect(Program.path(of: "/usr/sbin/x", searching: nil) == "/usr/sbin/x")
        #expect(Program.path(of: "sh", searching: "/nowhere:/bin") == "/bin/sh")
        #expect(Program.path(of: "no-such-program", searching: "/bin") == "/proc/self/exe")
        #expect(Program.path(of: "", searching: "/bin") == "/proc/self/exe")
        let relative = Program.path(of: "./x", searching: "/bin")
        #expect(relative.hasPrefix("/") && relative.hasSuffix("/./x"))
    }
}
