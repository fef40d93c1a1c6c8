import AsyncIO

/// A front-end that is led by its client's commands: what IMAP, POP3 and SMTP share, written once.
///
/// The protocol's own part reads a command and answers it; errors, SASL, verdicts and TLS are here.
package protocol CommandFrontEnd: FrontEnd {
    /// The client's side of a new session.
    /// - Parameters:
    ///   - isSecure: the connection began with TLS.
    ///   - greeting: what the client was greeted with already; nil where that is still to be done.
    init(settings: ServerSettings, isSecure: Bool, salts: SaltFactory, greeting: Greeting?)

    /// What is not the protocol's own.
    var progress: LoginProgress { get set }

    /// The reply to a command that cannot be understood or is not allowed, CRLF included.
    var invalidCommandReply: [UInt8] { get }
    /// What precedes a SASL challenge.
    var challengePrefix: String { get }
    /// For the back-end, after the login.
    var replyContext: ReplyContext { get }

    /// Does what comes before the first command: greets, and whatever has to come before that.
    mutating func greet()
    /// Reads and answers one command; false if it is not complete yet.
    mutating func readCommand() -> Bool
    /// Goes back to the state in which a login can begin.
    mutating func forgetPartialLogin()
    /// The reply to refused credentials; `text` is one clean line.
    func refusal(text: [UInt8], code: [UInt8]?) -> [UInt8]
    /// The reply to credentials of a client that has reached a limit, whatever they are worth; CRLF included.
    func refusal(by limit: ClientLimit) -> [UInt8]
}

extension CommandFrontEnd {
    /// The client's side of a session in which nothing was said yet.
    package init(settings: ServerSettings, isSecure: Bool, salts: SaltFactory) {
        self.init(settings: settings, isSecure: isSecure, salts: salts, greeting: nil)
    }

    package mutating func next() -> Step<LoginAttempt, FrontEndNote, FrontEndOutcome> {
        while true {
            if let action = progress.takeAction() { return action }
            switch progress.stage {
            case .greeting: greet()
            case .commands: guard readCommand() else { return .receive }
            case .response(let exchange): guard readResponse(exchange) else { return .receive }
            case .acknowledgement(let mechanism, let refusal):
                guard readAcknowledgement(of: refusal, mechanism) else { return .receive }
            case .verdict: preconditionFailure("a verdict is given before the next step")
            case .over(let outcome): return .finish(outcome)
            }
        }
    }

    package mutating func resume(_ verdict: Verdict) {
        guard case .verdict = progress.stage else { preconditionFailure("a verdict answers a question") }
        switch verdict {
        case .accept: progress.stage = .over(.accepted(replyContext))
        case .unavailable: failTemporarily()
        case .limited(let limit): end(.limited, saying: refusal(by: limit))
        case .refuse(let text, let code, let wait, let challenge):
            let reply = refusal(text: text.withoutControls, code: code?.withoutControls)
            let wait = wait ?? .zero
            if wait > .zero { progress.act(.pause(wait)) }
            refuse(RefusedLogin(reply: reply, isLast: wait <= .zero), challenge)
        }
    }

    /// The client's password may be right. In the words of the standards it is told so, and may try again
    /// over this connection, as often as it may make mistakes.
    private mutating func failTemporarily() {
        guard progress.settings.errorTexts == .rfc else {
            return end(.unavailable, saying: farewell(.internalError))
        }
        let reply = progress.settings.mailProtocol.temporaryFailure(replyContext)
        forgetPartialLogin()
        guard !progress.countError() else { return end(.unavailable, saying: reply) }
        say(reply)
        progress.stage = .commands
    }

    private mutating func refuse(_ login: RefusedLogin, _ challenge: [UInt8]?) {
        forgetPartialLogin()
        guard let mechanism = progress.bearer,
            let challenge = challenge ?? progress.settings.errorTexts.bearerChallenge
        else { return conclude(login) }
        say(.line(Array(challengePrefix.utf8) + challenge))
        progress.stage = .acknowledgement(mechanism, login)
    }

    private mutating func conclude(_ login: RefusedLogin) {
        guard !login.isLast else { return end(.refused, saying: login.reply) }
        say(login.reply)
        progress.stage = .commands
    }

    package mutating func forgetPartialLogin() {}

    package mutating func goOn(by settings: ServerSettings) { progress.goOn(by: settings) }

    /// Whether commands are to be noted with `trace`.
    var isTracing: Bool { progress.settings.tracesCommands }

    /// Notes a command; `excerpt` holds no credential.
    mutating func trace(_ excerpt: [UInt8]) { progress.act(.note(.command(excerpt: excerpt))) }

    /// Sends a reply, CRLF included.
    mutating func say(_ reply: [UInt8]) { progress.act(.send(reply)) }

    /// Sends a reply, to which CRLF is added.
    mutating func say(_ reply: String) { say(.line(reply)) }

    /// Sends the last reply and ends.
    mutating func end(_ outcome: FrontEndOutcome, saying reply: [UInt8]) {
        say(reply)
        progress.stage = .over(outcome)
    }

    /// Answers what is no valid command here. `isCounted` for what the parser rejects, as opposed to
    /// what is wrong only now or in its content (nginx-mail.md §3.5).
    mutating func reject(isCounted: Bool) {
        progress.stage = .commands
        forgetPartialLogin()
        guard isCounted, progress.countError() else { return say(invalidCommandReply) }
        endInViolation(.tooManyErrors)
    }

    /// Notes what cannot go on, and ends with the usual reply.
    mutating func endInViolation(_ note: FrontEndNote) {
        progress.act(.note(note))
        end(.violation, saying: invalidCommandReply)
    }

    /// Agrees to TLS. What came behind the command in clear is dropped, not executed (CVE-2011-0411).
    mutating func startTLS(saying reply: [UInt8]) {
        input.removeAll()
        forgetPartialLogin()
        say(reply)
        progress.startTLS()
    }

    /// Hands credentials over; nothing is read until the verdict.
    mutating func submit(_ credentials: Credentials) {
        let isSMTP = progress.settings.mailProtocol == .smtp
        progress.ask(credentials, envelope: isSMTP ? replyContext.envelope : nil)
    }
}

// SASL.
extension CommandFrontEnd {
    /// Begins what `AUTH` or `AUTHENTICATE` asks for.
    mutating func authenticate(_ arguments: [Secret]) {
        guard let request = SASLRequest(arguments), request.mechanism.isAccepted(by: progress.settings.mechanisms)
        else { return reject(isCounted: false) }
        var exchange = SASLExchange(request.mechanism, salts: &progress.salts)
        let step = exchange.begin(request.initialResponse)
        follow(exchange, step)
    }

    /// Reads one line as the response to a challenge; false if it is not complete yet.
    private mutating func readResponse(_ exchange: SASLExchange) -> Bool {
        guard let frame = progress.lines.next(in: input, maximum: progress.settings.clientBuffer) else { return false }
        switch frame {
        // An excerpt of a response would be one of a credential.
        case .tooLong: endInViolation(.tooLongCommand(excerpt: []))
        case .malformed(_, let length):
            input.consume(length)
            reject(isCounted: true)
        case .line(let content, let length):
            if isTracing { trace(Array("***".utf8)) }
            let response = input.secret(in: 0..<content)
            input.consume(length)
            var exchange = exchange
            let step = exchange.respond(response)
            follow(exchange, step)
        }
        return true
    }

    /// Reads the client's answer to the challenge that said why its token was refused; false if it is not
    /// complete yet. Any other answer is no valid command, as in freenginx.
    private mutating func readAcknowledgement(of login: RefusedLogin, _ mechanism: BearerMechanism) -> Bool {
        guard let frame = progress.lines.next(in: input, maximum: progress.settings.clientBuffer) else { return false }
        switch frame {
        case .tooLong: endInViolation(.tooLongCommand(excerpt: []))
        case .malformed(_, let length), .line(_, let length):
            if isTracing { trace(Array("***".utf8)) }
            let isExpected = frame.content.map { input[0..<$0] == mechanism.acknowledgement } ?? false
            input.consume(length)
            if isExpected {
                conclude(login)
            } else if login.isLast {
                end(.refused, saying: invalidCommandReply)
            } else {
                reject(isCounted: frame.isMalformed)
            }
        }
        return true
    }

    private mutating func follow(_ exchange: SASLExchange, _ step: SASLExchange.Progress) {
        switch step {
        case .challenge(let text):
            progress.stage = .response(exchange)
            say(.line(Array(challengePrefix.utf8) + text))
        case .credentials(let credentials): submit(credentials)
        case .failed(let note):
            if let note { progress.act(.note(note)) }
            reject(isCounted: false)
        }
    }
}
