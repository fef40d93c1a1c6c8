import AsyncIO

/// The client's side of IMAP before the login (RFC 3501 §6.1–6.2, RFC 2595, RFC 2971, RFC 7888).
///
/// Answers what needs no mailbox and hands `LOGIN` and `AUTHENTICATE` on. The tag of the command at
/// hand is kept for the reply that comes later, perhaps from the back-end.
package struct IMAPFrontEnd: CommandFrontEnd {
    package var input = ByteQueue()
    package var progress: LoginProgress
    private var commands: IMAPCommandFramer
    /// Of the command at hand; nil before the first and where none could be read.
    private var tag: [UInt8]?

    package init(settings: ServerSettings, isSecure: Bool, salts: SaltFactory, greeting: Greeting?) {
        progress = LoginProgress(settings: settings, isSecure: isSecure, salts: salts, isGreeted: greeting != nil)
        commands = IMAPCommandFramer(maximum: settings.clientBuffer, bareLineFeed: settings.bareLineFeed)
    }

    package var challengePrefix: String { "+ " }

    package var invalidCommandReply: [UInt8] { tagged("BAD invalid command") }

    package var replyContext: ReplyContext {
        var context = ReplyContext()
        context.tag = tag ?? []
        return context
    }

    package func refusal(text: [UInt8], code: [UInt8]?) -> [UInt8] {
        switch progress.settings.errorTexts {
        case .nginx: tagged(Array("NO ".utf8) + text)
        case .rfc: MailProtocol.imap.wrongCredentials(replyContext, text: text)
        }
    }

    package func refusal(by limit: ClientLimit) -> [UInt8] {
        // RFC 5530 §3: no reason to ask for another password.
        switch limit {
        case .connections: tagged("NO [LIMIT] Too many connections")
        case .logins: tagged("NO [LIMIT] Too many failed logins, try again later")
        }
    }

    package func farewell(_ reason: Farewell) -> [UInt8] {
        switch reason {
        case .timeout: .line("* BYE Connection timed out")
        case .busy: .line("* BYE [UNAVAILABLE] Too many connections")
        case .shutdown: .line("* BYE Server shutting down")
        case .internalError: .line("* BAD internal server error")
        case .denied: .line("* BYE Access denied")
        case .limited: .line("* BYE [LIMIT] Too many connections")
        case .certificateError: .line("* BYE SSL certificate error")
        case .certificateMissing: .line("* BYE No required SSL certificate")
        }
    }

    package mutating func goOn(by settings: ServerSettings) {
        progress.goOn(by: settings)
        commands = IMAPCommandFramer(maximum: settings.clientBuffer, bareLineFeed: settings.bareLineFeed)
    }

    package mutating func greet() {
        say(progress.makeGreeting().line)
        progress.stage = .commands
    }

    package mutating func readCommand() -> Bool {
        guard let event = commands.next(from: &input) else { return false }
        if isTracing { trace(event.traced) }
        switch event {
        case .continuation(let command) where !isAllowed(command.verb):
            // Not even asked for: the literal would be a password in clear.
            commands.abandon()
            tag = command.tag
            reject(isCounted: false)
        case .continuation: say("+ OK")
        case .command(let command):
            tag = command.tag
            obey(command)
        case .rejected(let tag, let endsSession):
            self.tag = tag
            if endsSession { end(.violation, saying: invalidCommandReply) } else { reject(isCounted: true) }
        case .tooLong(let tag, let excerpt):
            self.tag = tag
            endInViolation(.tooLongCommand(excerpt: excerpt))
        case .foreign(let excerpt):
            tag = nil
            endInViolation(.foreignProtocol(excerpt: excerpt))
        }
        return true
    }

    private mutating func obey(_ command: IMAPCommand) {
        guard isAllowed(command.verb) else { return reject(isCounted: false) }
        switch command.verb {
        case .capability: complete(after: capabilityReply)
        case .noop: say(tagged("OK completed"))
        // Whatever a client says of itself stays here: back-ends believe it of proxies (RFC 2971 §4,
        // security-checklist C9).
        case .id: complete(after: .line("* ID NIL"))
        case .logout: end(.quit, saying: .line("* BYE") + tagged("OK completed"))
        case .startTLS: startTLS(saying: tagged("OK completed"))
        case .login: logIn(command.arguments)
        case .authenticate: authenticate(command.arguments)
        }
    }

    /// Whether the verb may be used now.
    private func isAllowed(_ verb: IMAPCommand.Verb) -> Bool {
        switch verb {
        case .capability, .noop, .logout, .id: true
        case .startTLS: progress.offersTLS
        case .login, .authenticate: !progress.demandsTLS
        }
    }

    private mutating func logIn(_ arguments: [Secret]) {
        guard arguments.count == 2, !arguments[0].isEmpty, Credentials.admits(login: arguments[0].bytes) else {
            return reject(isCounted: false)
        }
        submit(Credentials(method: .plain, login: arguments[0].bytes, password: arguments[1]))
    }

    private mutating func complete(after untagged: [UInt8]) { say(untagged + tagged("OK completed")) }

    private func tagged(_ text: String) -> [UInt8] { tagged(text.utf8) }

    private func tagged(_ text: some Collection<UInt8>) -> [UInt8] {
        var line = tag ?? [UInt8(ascii: "*")]
        line.append(ASCII.space)
        line.append(contentsOf: text)
        line.endLine()
        return line
    }

    /// Configured words, then what can be done now (nginx-mail.md §4.4).
    private var capabilityReply: [UInt8] {
        let settings = progress.settings
        var words = ["*", "CAPABILITY"] + settings.capabilities
        if progress.demandsTLS {
            words += ["STARTTLS", "LOGINDISABLED"]
        } else {
            words += SASLMechanism.offered(by: settings.mechanisms, in: .imap).map { "AUTH=\($0.rawValue)" }
            if progress.offersTLS { words.append("STARTTLS") }
        }
        return .line(words.joined(separator: " "))
    }
}
