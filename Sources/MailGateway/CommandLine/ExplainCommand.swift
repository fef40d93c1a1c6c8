import ArgumentParser
import AsyncIO
import MailSessions

/// `mailgateway explain`
struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what would happen to a user's login: which authenticator, which back-end, and why.",
        discussion: """
            It needs no password, so it cannot ask authenticators that decide by one. Back-ends are asked whether they \
            serve; what running workers know of them is theirs. Nothing is changed.
            """)

    @Argument(help: "The login name.")
    var user: String

    @OptionGroup var options: RunOptions

    @Option(name: .long, help: "imap, pop3 or smtp: the first server of that protocol.")
    var `protocol`: String?

    @Option(name: .long, help: ArgumentHelp("The server that listens there.", valueName: "address:port"))
    var listen: String?

    mutating func validate() throws {
        guard `protocol`.map({ MailProtocol(rawValue: $0) != nil }) ?? true else {
            throw ValidationError("The protocol is imap, pop3 or smtp.")
        }
        guard listen.map({ SocketAddress($0) != nil }) ?? true else {
            throw ValidationError("--listen takes an address with a port, such as 127.0.0.1:143 or [::]:143.")
        }
    }

    mutating func run() throws {
        do throws(StartFailure) {
            let server = try server()
            let executor = RingExecutor(kernel: try KernelChoice.makeSmall())
            let user = Array(user.utf8)
            try executor.runToSuccess { () async throws(StartFailure) in
                for line in await Explanation(of: user, at: server, on: executor).lines() { Terminal.say(line) }
            }
        } catch {
            Terminal.complain(error)
            throw ExitCode(1)
        }
    }

    /// The server that is meant.
    private func server() throws(StartFailure) -> ServerConfiguration {
        let configuration: Configuration
        do throws(ConfigurationError) {
            configuration = try options.choice.loadConfiguration()
        } catch {
            throw StartFailure(error)
        }
        let (mailProtocol, address) = (
            `protocol`.flatMap { MailProtocol(rawValue: $0) }, listen.flatMap { SocketAddress($0) }
        )
        let found = configuration.servers.first { server in
            (mailProtocol.map { server.settings.mailProtocol == $0 } ?? true)
                && (address.map { address in server.listeners.contains { $0.address == address } } ?? true)
        }
        guard let found else { throw StartFailure("there is no such server in \(options.choice.shownPath)") }
        return found
    }
}
