import AsyncIO

/// The client's side of POP3 before the login (RFC 1939 §4 and §7, RFC 2449, RFC 2595 §4, RFC 5034).
///
/// `USER` opens a login that only `PASS` completes; every command that is refused closes it again.
package struct POP3FrontEnd: LineFrontEnd {
    /// Between commands.
    private enum State: Sendable {
        case start
        /// `USER` was accepted.
        case user([UInt8])
    }

    /// Most arguments of a command, other than USER and PASS whose argument may hold spaces.
    private static let argumentsMaximum = 3

    package var input = ByteQueue()
    package var progress: LoginProgress
    private var state = State.start
    /// Of the greeting, for APOP; nil where nothing needs it.
    private var greetingSalt: [UInt8]?

    package init(settings: ServerSettings, isSecure: Bool, salts: SaltFactory, greeting: Greeting?) {
        progress = LoginProgress(settings: settings, isSecure: isSecure, salts: salts, isGreeted: greeting != nil)
        greetingSalt = greeting?.salt
    }

    package var challengePrefix: String { "+ " }

    package var invalidCommandReply: [UInt8] { .line("-ERR invalid command") }

    package var replyContext: ReplyContext { ReplyContext() }

    package func refusal(text: [UInt8], code: [UInt8]?) -> [UInt8] {
        switch progress.settings.errorTexts {
        case .nginx: .line(Array("-ERR ".utf8) + text)
        case .rfc: MailProtocol.pop3.wrongCredentials(replyContext, text: text)
        }
    }

    package func refusal(by limit: ClientLimit) -> [UInt8] {
        switch limit {
        // RFC 2449 §8.1.2: the mailbox is in use.
        case .connections: .line("-ERR [IN-USE] Too many connections")
        case .logins: .line("-ERR [SYS/TEMP] Too many failed logins, try again later")
        }
    }

    package func farewell(_ reason: Farewell) -> [UInt8] {
        switch reason {
        case .timeout: .line("-ERR Connection timed out")
        // RFC 3206 §4: temporary, and no reason to ask for another password.
        case .busy: .line("-ERR [SYS/TEMP] Too many connections")
        case .shutdown: .line("-ERR [SYS/TEMP] Server shutting down")
        case .internalError: .line("-ERR internal server error")
        case .denied: .line("-ERR Access denied")
        case .limited: .line("-ERR [SYS/TEMP] Too many connections")
        case .certificateError: .line("-ERR SSL certificate error")
        case .certificateMissing: .line("-ERR No required SSL certificate")
        }
    }

    package mutating func greet() {
        let greeting = progress.makeGreeting()
        greetingSalt = greeting.salt
        say(greeting.line)
        progress.stage = .commands
    }

    package mutating func forgetPartialLogin() { state = .start }

    package mutating func obey(_ command: CommandLine) {
        let takesSpaces = command.verb == "USER" || command.verb == "PASS"
        guard takesSpaces || command.argumentCount <= POP3FrontEnd.argumentsMaximum else {
            return reject(isCounted: true)
        }
        switch (command.verb, state) {
        case ("NOOP", _): say("+OK")
        case ("QUIT", _): end(.quit, saying: .line("+OK"))
        case ("CAPA", _): say(capabilityReply)
        case ("USER", .start) where !progress.demandsTLS: begin(login: command.remainder.bytes)
        case ("PASS", .user(let login)): logIn(login, password: command.remainder)
        case ("APOP", .start) where !progress.demandsTLS: apop(command.arguments)
        case ("AUTH", .start) where !progress.demandsTLS && command.argumentCount == 0: say(mechanismsReply)
        case ("AUTH", .start) where !progress.demandsTLS: authenticate(command.arguments)
        case ("STLS", .start) where progress.offersTLS: startTLS(saying: .line("+OK"))
        case ("USER", _), ("PASS", _), ("APOP", _), ("AUTH", _), ("STLS", _): reject(isCounted: false)
        default: reject(isCounted: true)
        }
    }

    private mutating func begin(login: [UInt8]) {
        guard !login.isEmpty, Credentials.admits(login: login) else { return reject(isCounted: false) }
        state = .user(login)
        say("+OK")
    }

    private mutating func logIn(_ login: [UInt8], password: Secret) {
        guard !password.isEmpty else { return reject(isCounted: false) }
        submit(Credentials(method: .plain, login: login, password: password))
    }

    private mutating func apop(_ arguments: [Secret]) {
        guard progress.settings.mechanisms.contains(.apop), let salt = greetingSalt, arguments.count == 2,
            Credentials.admits(login: arguments[0].bytes)
        else { return reject(isCounted: false) }
        submit(Credentials(method: .apop, login: arguments[0].bytes, password: arguments[1], salt: salt))
    }

    private var mechanisms: [String] {
        SASLMechanism.offered(by: progress.settings.mechanisms, in: .pop3).map(\.rawValue)
    }

    private var mechanismsReply: [UInt8] {
        (["+OK methods supported:"] + mechanisms + ["."]).flatMap { [UInt8].line($0) }
    }

    /// Configured words, then what can be done now (nginx-mail.md §4.4).
    private var capabilityReply: [UInt8] {
        var lines = ["+OK Capability list follows"]
        lines += progress.settings.capabilities.filter { !(progress.demandsTLS && $0 == "USER") }
        if !progress.demandsTLS { lines.append((["SASL"] + mechanisms).joined(separator: " ")) }
        // That codes in brackets mean something (RFC 2449 §6.4, RFC 3206 §6).
        if progress.settings.errorTexts == .rfc {
            lines += ["RESP-CODES", "AUTH-RESP-CODE"].filter { !progress.settings.capabilities.contains($0) }
        }
        // Behind USER it is too late for STLS.
        if case .start = state, progress.offersTLS { lines.append("STLS") }
        return (lines + ["."]).flatMap { [UInt8].line($0) }
    }
}
