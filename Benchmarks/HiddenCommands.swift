import ArgumentParser
import CYardstick
import Glibc

/// Becomes another program after tying itself to the parent's life and to some cores.
struct Tied: ParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    @Option var parent: Int32
    @Option var signal: Int32
    @Option var cores: String
    @Argument(parsing: .postTerminator) var command: [String]

    func run() throws {
        guard linux_signal_on_parent_death(signal) == 0 else { throw HarnessError.system("prctl", errno) }
        // The parent may have died before the request stood.
        guard getppid() == parent else { throw HarnessError("the parent is gone") }
        try Cores.bind(to: cores.split(separator: ",").compactMap { Int($0) })
        guard let program = command.first else { throw HarnessError("nothing to run") }
        unsafe withArgumentVector(command) { _ = unsafe execv(program, $0) }
        throw HarnessError.system("execv \(program)", errno)
    }
}

/// The load generator (`LoadGenerator`).
struct Load: ParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    @Option(name: .customLong("protocol")) var mailProtocol: LoadProtocol
    @Option var security: LoadSecurity
    @Option var work: LoadWork
    @Option var sessions: Int
    @Option var transferBytes: Int
    @Option var port: UInt16
    @Option var milliseconds: Int

    func run() throws {
        let plan = LoadPlan(
            mailProtocol: mailProtocol, security: security, work: work, sessions: sessions,
            transferBytes: transferBytes)
        do {
            try LoadGenerator(plan: plan, port: port, milliseconds: milliseconds).run()
        } catch {
            // The parent takes any line that it did not wait for as the reason of the failure.
            Announcement.write("\(error)")
            throw ExitCode.failure
        }
    }
}

/// The mail servers (`BackEndFarm`).
struct BackEnds: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "back-ends", shouldDisplay: false)

    @Option var host: UInt8
    @Argument(help: "The ports of IMAP, POP3 and SMTP; the kernel chooses without them.") var ports: [UInt16] = []

    func run() throws {
        try BackEndFarm(host: host, ports: ports).run()
    }
}

/// The authentication service (`AuthService`).
struct Auth: ParsableCommand {
    static let configuration = CommandConfiguration(shouldDisplay: false)

    @Argument(help: "The ports of the IMAP, POP3 and SMTP back-ends.") var backEnds: [UInt16]

    func run() throws {
        try AuthService(backEnds: backEnds).run()
    }
}
