import AsyncIO

/// Logs in at an IMAP back-end with the client's own tag, so that the reply fits the client's command.
///
/// ```
/// greeting --* OK--> userContinuation --+--> passwordContinuation --+--> result --tag OK--> over
///     |                                                                    ^
///     +-- * OK, LITERAL+ or LITERAL- announced: all three lines at once ---+
/// ```
/// Credentials travel as literals, which need no escaping (security-checklist C5), and only a NUL
/// cannot be in one (RFC 9051 §9, CHAR8). Untagged lines may come at any place, as SmarterMail and
/// Gmail send them; they reach the client in front of the tagged line.
package struct IMAPBackEnd: BackEndLogin {
    package var input = ByteQueue()
    private var state: State
    private var replies: ReplyFramer
    private var untagged: [UInt8] = []
    private let tag: [UInt8]
    private let login: [UInt8]

    /// TLS is demanded before the login.
    private let startsTLS: Bool
    /// Of our own STARTTLS; the client's tag is for its login.
    private static let startTLSTag = "tls"

    private enum State {
        case greeting(password: Secret)
        case startTLS(password: Secret)
        /// The back-end has agreed: the handshake is next.
        case agreed(password: Secret)
        case secured(password: Secret)
        case userContinuation(password: Secret)
        case passwordContinuation(password: Secret)
        case result
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .startTLS, .agreed, .secured: .startingTLS
        case .userContinuation: .sendingLogin
        case .passwordContinuation: .sendingUser
        case .result: .sendingPassword
        case .over: .readingReply
        }
    }

    /// - Parameter settings: `proxy.buffer` bounds the greeting, and all that follows it together.
    package init(credentials: BackEndCredentials, context: ReplyContext, settings: ServerSettings) {
        tag = context.tag
        login = credentials.login
        startsTLS = (credentials.security ?? settings.proxy.tls.security) == .startTLS
        replies = ReplyFramer(maximum: settings.proxy.buffer)
        if let password = credentials.password, !password.contains(where: { $0 == ASCII.nul }),
            !login.contains(ASCII.nul)
        {
            state = .greeting(password: password)
        } else {
            state = .over(.unsendableCredentials)
        }
    }

    package mutating func next() -> Step<Never, Never, BackEndOutcome> {
        while true {
            switch state {
            case .over(let outcome): return .finish(outcome)
            case .agreed(let password):
                state = .secured(password: password)
                return .startTLS
            case .secured(let password):
                // What it announced in clear counts no more.
                replies.restart()
                return .send(command(with: password, literals: .synchronisingOnly))
            case .greeting, .startTLS, .userContinuation, .passwordContinuation, .result: break
            }
            switch replies.next(from: &input) {
            case .incomplete: return .receive
            case .tooLong: state = .over(.responseTooLong)
            case .line(let line):
                if let answer = take(line) { return .send(answer) }
            }
        }
    }

    /// Moves on by one line; returns what has to be said to it.
    private mutating func take(_ line: ReplyLine) -> [UInt8]? {
        switch state {
        case .greeting(let password) where line.begins(with: "* OK") && startsTLS:
            replies.restart()
            state = .startTLS(password: password)
            return .line("\(IMAPBackEnd.startTLSTag) STARTTLS")
        case .startTLS(let password):
            if line.begins(with: "TLS OK") {
                state = .agreed(password: password)
            } else if !line.begins(with: "* ") || line.begins(with: "* BYE") {
                state = .over(.tlsRefused(reply: line.excerpt))
            }
            return nil
        case .greeting(let password) where line.begins(with: "* OK"):
            replies.restart()
            return command(with: password, literals: LiteralSupport(greeting: line))
        case .userContinuation(let password) where line.begins(with: "+"):
            state = .passwordContinuation(password: password)
            return login + Array(" ".utf8) + literal(password.count, synchronising: true)
        case .passwordContinuation(let password) where line.begins(with: "+"):
            state = .result
            return .line([], password)
        case .userContinuation, .passwordContinuation, .result:
            if line.begins(with: "* "), !line.begins(with: "* BYE") {
                untagged += line.bytes
            } else if case .result = state, isTaggedOK(line) {
                state = .over(.loggedIn(reply: untagged + line.bytes))
            } else {
                state = .over(.invalidResponse(reply: line.excerpt))
            }
            return nil
        case .greeting:
            state = .over(.invalidResponse(reply: line.excerpt))
            return nil
        case .agreed, .secured, .over:
            return nil
        }
    }

    private func isTaggedOK(_ line: ReplyLine) -> Bool {
        line.text.starts(with: tag) && line.text.dropFirst(tag.count).prefix(3).asciiUppercased == " OK"
    }

    private mutating func command(with password: Secret, literals: LiteralSupport) -> [UInt8] {
        let verb = tag + Array(" LOGIN ".utf8)
        guard literals.allows(login.count), literals.allows(password.count) else {
            state = .userContinuation(password: password)
            return verb + literal(login.count, synchronising: true)
        }
        state = .result
        let user = literal(login.count, synchronising: false) + login + Array(" ".utf8)
        return .line(verb + user + literal(password.count, synchronising: false), password)
    }

    /// The announcement of a literal, line end included.
    private func literal(_ count: Int, synchronising: Bool) -> [UInt8] {
        .line("{\(count)\(synchronising ? "" : "+")}")
    }
}

/// Which literals a server takes without being asked first (RFC 7888).
private enum LiteralSupport {
    case synchronisingOnly
    /// LITERAL-: up to 4096 bytes.
    case short
    /// LITERAL+.
    case any

    /// Reads the capabilities a greeting may carry: `* OK [CAPABILITY IMAP4rev1 LITERAL+] ready`.
    init(greeting: ReplyLine) {
        let marker = "[CAPABILITY "
        self = .synchronisingOnly
        let rest = greeting.text.dropFirst("* OK ".utf8.count)
        guard ReplyLine(bytes: Array(rest)).begins(with: marker) else { return }
        let words = rest.dropFirst(marker.utf8.count).prefix { $0 != UInt8(ascii: "]") }
        for word in words.split(separator: ASCII.space) {
            switch word.asciiUppercased {
            case "LITERAL+": self = .any
            case "LITERAL-": if case .synchronisingOnly = self { self = .short }
            default: break
            }
        }
    }

    /// Whether a literal of `count` bytes may be sent unasked.
    func allows(_ count: Int) -> Bool {
        switch self {
        case .synchronisingOnly: false
        case .short: count <= 4096
        case .any: true
        }
    }
}
