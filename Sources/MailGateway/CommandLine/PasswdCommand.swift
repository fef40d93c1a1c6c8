import ArgumentParser
import AsyncIO
import MailSessions

/// `mailgateway passwd`
struct PasswdCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "passwd",
        abstract: "Write an account's password into an accounts file (auth_file).",
        usage: "mailgateway passwd [options] <file> <user>\nmailgateway passwd --print [options] <user>",
        discussion: """
            The password is asked for twice on the terminal, or read as one line from standard input with --stdin; \
            it is never an argument, which everybody on the machine could see. The file is replaced as a whole, \
            keeping its owner and its mode, and a running gateway takes it over by itself.
            """)

    @Argument(help: "The file and the account's name; with --print the name alone.")
    var words: [String] = []

    @Flag(name: [.customShort("c"), .long], help: "Make the file if it is not there yet.")
    var create = false

    @Flag(name: [.customShort("n"), .long], help: "Print the line instead of writing it.")
    var print = false

    @Flag(name: .long, help: "Read the password from standard input.")
    var stdin = false

    @Option(name: .long, help: "How the password is kept; CRAM-MD5 and APOP need plain.")
    var scheme = AccountsEntry.Scheme.yescrypt

    @Option(name: .long, help: "The account's back-end: a host, host:port, address:port or a group.")
    var backend: String?

    mutating func validate() throws {
        guard words.count == (print ? 1 : 2) else {
            throw ValidationError(print ? "Give the name of the account." : "Give a file and the name of an account.")
        }
        if print, create { throw ValidationError("--print writes no file, so there is none to create.") }
    }

    mutating func run() throws {
        do throws(PasswdFailure) {
            let entry = try AccountsEntry(name: words[words.count - 1], backEnd: backend)
            if print {
                var line = try entry.line(try password(), scheme)
                defer { wipe(&line) }
                return Terminal.say(line)
            }
            // What is wrong with the file is said before anybody types a password.
            var former = try EditedAccounts(path: words[0], mayCreate: create)
            former.wipe()
            let password = try password()
            try EditedAccounts.withLock(on: former.folder) { () throws(PasswdFailure) in
                var file = try EditedAccounts(path: words[0], mayCreate: create)
                defer { file.wipe() }
                try file.put(entry, password: password, scheme)
                try file.write()
            }
        } catch {
            Terminal.write("mailgateway: \(error.text)")
            throw ExitCode(1)
        }
    }

    private func password() throws(PasswdFailure) -> Secret {
        stdin ? try PasswordPrompt.readLine() : try PasswordPrompt.askTwice()
    }
}

extension AccountsEntry.Scheme: ExpressibleByArgument {}

/// Why no password was set, in a sentence.
struct PasswdFailure: Error, Sendable, Hashable {
    let text: String

    /// A failure with a text of its own.
    init(_ text: String) { self.text = text }
}
