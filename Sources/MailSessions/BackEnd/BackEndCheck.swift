import AsyncIO

/// Asks a back-end whether it serves: its greeting, what it can do, and goodbye; no credential is involved.
///
/// ```
/// greeting --> [capabilities --> startTLS --> handshake -->] capabilities --> goodbye
/// ```
/// The capabilities are IMAP's CAPABILITY, POP3's CAPA (which a server need not know, RFC 2449 §5) and SMTP's EHLO.
/// With `proxy_ssl starttls` they are asked for within TLS.
package struct BackEndCheck: Dialogue {
    package var input = ByteQueue()
    private var state = State.greeting
    private var replies: ReplyFramer
    private let mailProtocol: MailProtocol
    private let serverName: String
    private var mustStartTLS: Bool

    private enum State {
        case greeting
        /// SMTP: EHLO comes before STARTTLS.
        case hello
        case startTLS
        /// The back-end has agreed: the handshake is next.
        case agreed, secured
        case capabilities
        /// POP3: the lines of CAPA's answer, ended by a dot.
        case capabilityLines
        case over(BackEndCheckOutcome)
    }

    /// - Parameter settings: `proxy.buffer` bounds the greeting, and each answer.
    package init(settings: ServerSettings) {
        mailProtocol = settings.mailProtocol
        serverName = settings.name
        mustStartTLS = settings.proxy.tls.security == .startTLS
        replies = ReplyFramer(maximum: settings.proxy.buffer)
    }

    package mutating func resume(_ answer: Never) {}

    package mutating func next() -> Step<Never, Never, BackEndCheckOutcome> {
        while true {
            switch state {
            case .over(let outcome): return .finish(outcome)
            case .agreed:
                state = .secured
                mustStartTLS = false
                return .startTLS
            case .secured: return .send(askForCapabilities())
            default: break
            }
            switch replies.next(from: &input) {
            case .incomplete: return .receive
            case .tooLong: state = .over(.refused([]))
            case .line(let line):
                if let command = take(line) { return .send(command) }
            }
        }
    }

    /// Moves on by one line; returns what is said to it.
    private mutating func take(_ line: ReplyLine) -> [UInt8]? {
        switch judge(line) {
        case .more: return nil
        case .bad:
            state = .over(.refused(line.excerpt))
            return nil
        case .good: break
        }
        replies.restart()
        switch state {
        case .greeting where mustStartTLS && mailProtocol != .smtp:
            return beginTLS()
        case .greeting:
            if !mustStartTLS { return askForCapabilities() }
            state = .hello
            return .line("EHLO \(serverName)")
        case .hello:
            return beginTLS()
        case .startTLS:
            state = .agreed
            return nil
        case .capabilities where mailProtocol == .pop3 && line.begins(with: "+OK"):
            state = .capabilityLines
            return nil
        case .capabilities, .capabilityLines:
            state = .over(.serves)
            return .line(mailProtocol == .imap ? "c2 LOGOUT" : "QUIT")
        case .agreed, .secured, .over:
            return nil
        }
    }

    private mutating func beginTLS() -> [UInt8] {
        state = .startTLS
        return switch mailProtocol {
        case .imap: .line("c0 STARTTLS")
        case .pop3: .line("STLS")
        case .smtp: .line("STARTTLS")
        }
    }

    private mutating func askForCapabilities() -> [UInt8] {
        state = .capabilities
        return switch mailProtocol {
        case .imap: .line("c1 CAPABILITY")
        case .pop3: .line("CAPA")
        case .smtp: .line("EHLO \(serverName)")
        }
    }

    private enum Judgement {
        case good, bad
        /// Another line decides.
        case more
    }

    private func judge(_ line: ReplyLine) -> Judgement {
        switch mailProtocol {
        case .imap:
            if case .greeting = state { return line.begins(with: "* OK") ? .good : .bad }
            if line.begins(with: "* ") { return line.begins(with: "* BYE") ? .bad : .more }
            let expected: StaticString = if case .startTLS = state { "C0 OK" } else { "C1 OK" }
            return line.begins(with: expected) ? .good : .bad
        case .pop3:
            if case .capabilityLines = state { return line.text.elementsEqual(".".utf8) ? .good : .more }
            if case .capabilities = state, line.begins(with: "-ERR") { return .good }
            return line.begins(with: "+OK") ? .good : .bad
        case .smtp:
            let text = line.text
            let expected: StaticString =
                switch state {
                case .greeting, .startTLS: "220"
                default: "250"
                }
            guard line.begins(with: expected) else { return .bad }
            return text.dropFirst(3).first == UInt8(ascii: "-") ? .more : .good
        }
    }
}

/// What a check has found out.
package enum BackEndCheckOutcome: Sendable, Equatable {
    case serves
    /// It said something else than a server says that serves; one line, bounded, control bytes replaced.
    case refused([UInt8])
}
