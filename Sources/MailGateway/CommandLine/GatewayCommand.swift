import ArgumentParser
import CLinux
import Glibc

/// `mailgateway`: the program's commands.
@main
struct GatewayCommand: ParsableCommand {
    static let versionNumber = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "mailgateway",
        abstract: "A mail proxy for IMAP, POP3 and SMTP.",
        discussion: "Without a command, options are read as nginx reads them: mailgateway -h lists these.",
        version: "mailgateway \(versionNumber)",
        subcommands: [
            RunCommand.self, CheckCommand.self, StopCommand.self, QuitCommand.self, ReloadCommand.self,
            ReopenCommand.self, UpgradeCommand.self, DirectivesCommand.self, ExplainCommand.self, PasswdCommand.self,
            WorkerCommand.self, PAMHelperCommand.self, DemoBackEndCommand.self,
        ])

    /// The program's beginning: nginx's command line where the first word is one of its letters.
    static func main() {
        // Many of its processes are started as /proc/self/exe, and would be called "exe".
        _ = unsafe clinux_set_process_name("mailgateway")
        let words = Array(CommandLine.arguments.dropFirst())
        guard NginxCommandLine.isMeant(by: words) else { return main(words) }
        do throws(NginxCommandLine.Refused) {
            Glibc.exit(try NginxCommandLine(words).run())
        } catch {
            Terminal.write("mailgateway: \(error.text)")
            Glibc.exit(1)
        }
    }
}

/// `mailgateway run`
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Serve; without a configuration, a demo with a mailbox of its own.")

    @OptionGroup var options: RunOptions

    mutating func run() throws {
        throw ExitCode(Launch(choice: options.choice).run())
    }
}

/// `mailgateway check`
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read the configuration and name its mistakes; changes nothing, opens no socket, needs no root.")

    @OptionGroup var options: RunOptions

    @Flag(name: .long, help: "Print each file that was read, but for accounts.")
    var dump = false

    @Flag(name: [.short, .long], help: "Say nothing about success.")
    var quiet = false

    mutating func run() throws {
        throw ExitCode(ConfigurationCheck(choice: options.choice, dumps: dump, isQuiet: quiet).run())
    }
}

/// `mailgateway directives`
struct DirectivesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "directives", abstract: "Print the manual of all directives, or of one.")

    @Argument(help: "The name of a directive.")
    var name: String?

    mutating func run() throws {
        guard let name else { return Terminal.say(DirectiveManual.markdown()) }
        let directives = DirectiveTable.directives(named: name)
        guard directives.isEmpty else {
            return Terminal.say(directives.map(DirectiveManual.section).joined(separator: "\n"))
        }
        let likely = DirectiveTable.names(like: name).map(quoted)
        Terminal.write("mailgateway: unknown directive \(quoted(name))")
        if !likely.isEmpty { Terminal.write("mailgateway: Did you mean \(likely.joined(separator: " or "))?") }
        throw ExitCode(1)
    }
}

/// What the master starts a worker with.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Serve what a master hands over.", shouldDisplay: false)

    @Argument(help: "The inherited descriptor of the control channel.")
    var control: Int32

    @Option(name: .long, help: "The inherited descriptor over which PAM is asked.")
    var pam: Int32

    mutating func run() throws { throw ExitCode(Worker.main(control: control, pam: pam)) }
}

/// What the master starts the PAM helper with.
struct PAMHelperCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pam-helper", abstract: "Ask PAM for workers.", shouldDisplay: false)

    @Argument(help: "The inherited descriptor on which questions come.")
    var questions: Int32

    @Argument(help: "The inherited descriptor of the control channel.")
    var control: Int32

    mutating func run() throws {
        #if PAM
            throw ExitCode(PAMHelper.main(questions: questions, control: control))
        #else
            Terminal.write("mailgateway: \(PAMDirectives.missing)")
            throw ExitCode(1)
        #endif
    }
}

/// What the master starts the demo's mail server with; without descriptors it opens ports of its own
/// and says which, to be tried directly.
struct DemoBackEndCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-backend", abstract: "A small mail server for the demo.", shouldDisplay: false)

    @Argument(help: "The inherited descriptors: control channel, IMAP, POP3, SMTP.")
    var descriptors: [Int32] = []

    mutating func validate() throws {
        guard descriptors.isEmpty || descriptors.count == 4 else {
            throw ValidationError("Give the control channel's descriptor and three listening ones, or none.")
        }
    }

    mutating func run() throws {
        do throws(StartFailure) {
            try DemoBackEnd.main(descriptors: descriptors)
        } catch {
            Terminal.complain(error)
            throw ExitCode(1)
        }
    }
}
