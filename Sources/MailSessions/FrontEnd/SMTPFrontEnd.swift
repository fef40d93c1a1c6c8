import AsyncIO

/// The client's side of SMTP before the login, or before the first recipient where no login is asked
/// for (RFC 5321 §4.1, RFC 3207, RFC 4954).
package struct SMTPFrontEnd: LineFrontEnd {
    /// Most arguments of a command (nginx-mail.md §3.3).
    private static let argumentsMaximum = 11

    package var input = ByteQueue()
    package var progress: LoginProgress
    private var envelope = SMTPEnvelope()
    /// The pause in front of the greeting was made.
    private var hasDelayedGreeting = false

    package init(settings: ServerSettings, isSecure: Bool, salts: SaltFactory, greeting: Greeting?) {
        progress = LoginProgress(settings: settings, isSecure: isSecure, salts: salts, isGreeted: greeting != nil)
    }

    package var challengePrefix: String { "334 " }

    package var invalidCommandReply: [UInt8] { .line("500 5.5.1 Invalid command") }

    package var replyContext: ReplyContext {
        var context = ReplyContext()
        context.envelope = envelope
        return context
    }

    package func refusal(text: [UInt8], code: [UInt8]?) -> [UInt8] {
        let code = code.flatMap { SMTPFrontEnd.isFailure($0) ? $0 : nil }
        switch progress.settings.errorTexts {
        case .nginx: return .line((code ?? Array("535 5.7.0".utf8)) + [ASCII.space] + text)
        case .rfc: return MailProtocol.smtp.wrongCredentials(replyContext, text: text, code: code)
        }
    }

    package func refusal(by limit: ClientLimit) -> [UInt8] {
        // RFC 5321 §3.8: 421, for the connection ends; RFC 3463 §3.8: a matter of policy.
        switch limit {
        case .connections: .line("421 4.7.0 \(progress.settings.name) Too many connections")
        case .logins: .line("421 4.7.0 \(progress.settings.name) Too many failed logins, try again later")
        }
    }

    package func farewell(_ reason: Farewell) -> [UInt8] {
        switch reason {
        case .timeout: .line("421 4.4.2 \(progress.settings.name) Connection timed out")
        case .busy: .line("421 4.3.2 \(progress.settings.name) Too many connections")
        case .shutdown: .line("421 4.3.2 \(progress.settings.name) Server shutting down")
        case .internalError: .line("451 4.3.2 Internal server error")
        case .limited: refusal(by: .connections)
        // RFC 5321 §3.1: in place of the greeting, for good.
        case .denied: .line("554 5.7.1 Access denied")
        case .certificateError: .line("421 4.7.1 SSL certificate error")
        case .certificateMissing: .line("421 4.7.1 No required SSL certificate")
        }
    }

    /// Greets; with `smtp_greeting_delay` after a silence, which clients that do not wait break.
    package mutating func greet() {
        let settings = progress.settings
        if settings.greetingDelay > .zero {
            guard input.isEmpty else { return rejectBeforeGreeting() }
            guard hasDelayedGreeting else {
                hasDelayedGreeting = true
                return progress.act(.pauseUnlessInput(settings.greetingDelay))
            }
        }
        say(progress.makeGreeting().line)
        progress.stage = .commands
    }

    /// A recipient that was refused is forgotten; the sender stays for the next one.
    package mutating func forgetPartialLogin() { envelope.recipient = nil }

    package mutating func obey(_ command: CommandLine) {
        guard command.argumentCount <= SMTPFrontEnd.argumentsMaximum else { return reject(isCounted: true) }
        switch command.verb {
        case "HELO", "EHLO": hello(command)
        case "AUTH": auth(command.arguments)
        case "MAIL": mail(command)
        case "RCPT": recipient(command)
        case "RSET":
            forgetMail()
            say("250 2.0.0 OK")
        case "NOOP": say("250 2.0.0 OK")
        case "QUIT": end(.quit, saying: .line("221 2.0.0 Bye"))
        case "STARTTLS" where progress.offersTLS:
            // What was said in clear counts no more (RFC 3207 §4.2).
            envelope.helo = nil
            forgetMail()
            startTLS(saying: .line("220 2.0.0 Start TLS"))
        // Known, not served, and no sign of a broken client.
        case "STARTTLS", "DATA", "VRFY", "EXPN", "HELP": reject(isCounted: false)
        default: reject(isCounted: true)
        }
    }

    private mutating func hello(_ command: CommandLine) {
        guard command.argumentCount == 1 else { return say("501 5.5.4 Invalid argument") }
        forgetMail()
        envelope.helo = command.arguments[0].bytes
        guard command.verb == "EHLO" else { return say("250 \(progress.settings.name)") }
        envelope.isExtended = true
        say(extendedHelloReply)
    }

    private mutating func auth(_ arguments: [Secret]) {
        guard !progress.demandsTLS else { return reject(isCounted: false) }
        guard !arguments.isEmpty else { return say("501 5.5.4 Invalid argument") }
        // RFC 4954 §4: not during a mail transaction.
        guard envelope.mailFrom == nil else { return say("503 5.5.1 Bad sequence of commands") }
        authenticate(arguments)
    }

    private mutating func mail(_ command: CommandLine) {
        guard progress.settings.mechanisms.contains(.none) else {
            let excerpt = command.text.bytes.prefix(FrontEndNote.excerptMaximum)
            progress.act(.note(.rejected(excerpt: Array(excerpt))))
            return say("530 5.7.1 Authentication required")
        }
        // RFC 3207 §4; nginx-mail.md §13 row 9.
        guard !progress.demandsTLS else { return say("530 5.7.0 Must issue a STARTTLS command first") }
        guard envelope.mailFrom == nil else { return say("503 5.5.1 Bad sequence of commands") }
        guard command.argumentCount > 0 else { return say("501 5.5.4 Invalid argument") }
        envelope.mailFrom = command.text.bytes
        say("250 2.0.0 OK")
    }

    private mutating func recipient(_ command: CommandLine) {
        guard envelope.mailFrom != nil else { return say("503 5.5.1 Bad sequence of commands") }
        guard command.argumentCount > 0 else { return say("501 5.5.4 Invalid argument") }
        envelope.recipient = command.text.bytes
        submit(Credentials(method: .none, login: [], password: Secret([])))
    }

    private mutating func rejectBeforeGreeting() {
        let length = input.firstIndex(of: ASCII.lf).map { $0 + 1 } ?? input.count
        progress.act(.note(.rejectedBeforeGreeting(excerpt: FrontEndNote.excerpt(of: input, length: length))))
        end(.violation, saying: .line("503 5.5.0 Improper use of SMTP command pipelining"))
    }

    private mutating func forgetMail() {
        envelope.mailFrom = nil
        envelope.recipient = nil
    }

    /// Name, configured words, then what can be done now (nginx-mail.md §4.4).
    private var extendedHelloReply: [UInt8] {
        var reply: [UInt8] = []
        reply.reserveCapacity(256)
        var lastLine = 0
        func add(_ line: String) {
            lastLine = reply.count
            reply.append("250-")
            reply.append(contentsOf: line.utf8)
            reply.endLine()
        }
        add(progress.settings.name)
        for capability in progress.settings.capabilities { add(capability) }
        if !progress.demandsTLS, let mechanisms = SASLMechanism.list(by: progress.settings.mechanisms, in: .smtp) {
            add("AUTH" + mechanisms)
        }
        if progress.offersTLS { add("STARTTLS") }
        reply[lastLine + 3] = ASCII.space
        return reply
    }

    /// Whether `code` begins a reply that refuses, for a client must never read success in a failure.
    private static func isFailure(_ code: [UInt8]) -> Bool {
        guard code.count >= 3, code.count == 3 || code[3] == ASCII.space else { return false }
        return (code[0] == UInt8(ascii: "4") || code[0] == UInt8(ascii: "5")) && code[1].isDigit && code[2].isDigit
    }
}
