import ArgumentParser

/// `mailgateway`: the program's commands.
@main
struct GatewayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailgateway",
        abstract: "A mail proxy for IMAP, POP3 and SMTP.",
        version: "mailgateway 0.1.0",
        subcommands: [RunCommand.self, CheckCommand.self, WorkerCommand.self, DemoBackEndCommand.self])
}

/// `mailgateway run`
struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Serve; without a configuration, a demo with a mailbox of its own.")

    @OptionGroup var options: RunOptions

    mutating func run() throws {
        throw ExitCode(Launch(options: options).run())
    }
}

/// `mailgateway check`
struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Read the configuration and name its mistakes; changes nothing, opens no socket, needs no root.")

    @OptionGroup var options: RunOptions

    mutating func run() throws {
        do throws(ConfigurationError) {
            let notices = try options.loadConfiguration(demo: DemoConfiguration.placeholders).notices
            for notice in notices where notice.level >= .warn { Terminal.complain(notice.level, notice.description) }
        } catch {
            Terminal.complain(StartFailure(error))
            Terminal.write("mailgateway: configuration file \(options.shownPath) test failed")
            throw ExitCode(1)
        }
        Terminal.write("mailgateway: the configuration file \(options.shownPath) syntax is ok")
        Terminal.write("mailgateway: configuration file \(options.shownPath) test is successful")
    }
}

/// What the master starts a worker with.
struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Serve what a master hands over.", shouldDisplay: false)

    @Argument(help: "The inherited descriptor of the control channel.")
    var control: Int32

    mutating func run() throws { throw ExitCode(Worker.main(control: control)) }
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
