import AsyncIO

/// Logs in at an IMAP back-end with the client's own tag, so that the reply fits the client's command.
///
/// ```
/// greeting --* OK--> userContinuation --+--> passwordContinuation --+--> result --tag OK--> over
///     |                                                                    ^
///     +-- * OK, LITERAL+ or LITERAL- announced: all three lines at once ---+
///     +-- what needs SASL --> [capabilities] --> authenticating --tag OK--> over
/// ```
/// Credentials travel as literals, which need no escaping (security-checklist C5), and only a NUL
/// cannot be in one (RFC 9051 §9, CHAR8). Untagged lines may come at any place, as SmarterMail and
/// Gmail send them; they reach the client in front of the tagged line.
package struct IMAPBackEnd: BackEndLogin {
    package var input = ByteQueue()
    package private(set) var hasSentCredentials = false
    private var state: State
    private var replies: ReplyFramer
    private var untagged: [UInt8] = []
    private let tag: [UInt8]
    private let login: [UInt8]

    /// TLS is demanded before the login.
    private let startsTLS: Bool
    /// Of our own STARTTLS and CAPABILITY; the client's tag is for its login.
    private static let startTLSTag = "tls"
    private static let capabilityTag = "cap"

    private enum State {
        case greeting(BackEndProof)
        case startTLS(BackEndProof)
        /// The back-end has agreed: the handshake is next.
        case agreed(BackEndProof)
        case secured(BackEndProof)
        /// CAPABILITY was asked.
        case capabilities(BackEndSASL, IMAPCapabilities)
        /// AUTHENTICATE was said, with the response or without.
        case authenticating(BackEndSASL)
        case userContinuation(password: Secret)
        case passwordContinuation(password: Secret)
        case result
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .startTLS, .agreed, .secured: .startingTLS
        case .capabilities: .askingCapabilities
        case .authenticating: .sendingAuthentication
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
        switch BackEndProof(credentials, settings.proxy) {
        case .password(let password)?
        where password.contains(where: { $0 == ASCII.nul }) || login.contains(ASCII.nul):
            state = .over(.unsendableCredentials)
        case let proof?: state = .greeting(proof)
        case nil: state = .over(.unsendableCredentials)
        }
    }

    package mutating func next() -> Step<Never, Never, BackEndOutcome> {
        while true {
            switch state {
            case .over(let outcome): return .finish(outcome)
            case .agreed(let proof):
                state = .secured(proof)
                return .startTLS
            case .secured(let proof):
                // What it announced in clear counts no more.
                return .send(logIn(with: proof, IMAPCapabilities()))
            case .greeting, .startTLS, .capabilities, .authenticating, .userContinuation, .passwordContinuation,
                .result:
                break
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
        case .greeting(let proof) where line.begins(with: "* OK") && startsTLS:
            replies.restart()
            state = .startTLS(proof)
            return .line("\(IMAPBackEnd.startTLSTag) STARTTLS")
        case .startTLS(let proof):
            if line.begins(with: "TLS OK") {
                state = .agreed(proof)
            } else if !line.begins(with: "* ") || line.begins(with: "* BYE") {
                state = .over(.tlsRefused(reply: line.excerpt))
            }
            return nil
        case .greeting(let proof) where line.begins(with: "* OK"):
            return logIn(with: proof, IMAPCapabilities(greeting: line))
        case .capabilities(let exchange, let offer): return takeCapabilities(line, exchange, offer)
        case .authenticating(var exchange) where line.begins(with: "+"):
            guard let answer = exchange.next() else {
                state = .over(.invalidResponse(reply: line.excerpt))
                return nil
            }
            state = .authenticating(exchange)
            return .line([], answer)
        case .userContinuation(let password) where line.begins(with: "+"):
            state = .passwordContinuation(password: password)
            var line = login
            line.append(ASCII.space)
            line.append(literal: password.count, isSynchronising: true)
            return line
        case .passwordContinuation(let password) where line.begins(with: "+"):
            state = .result
            return .line([], password)
        case .authenticating, .userContinuation, .passwordContinuation, .result:
            if line.begins(with: "* "), !line.begins(with: "* BYE") {
                untagged += line.bytes
            } else if isLastStep, isTaggedOK(line) {
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
        line.text.starts(with: tag) && line.text.dropFirst(tag.count).begins(with: " OK")
    }

    /// All of the login was sent.
    private var isLastStep: Bool {
        switch state {
        case .result: true
        case .authenticating(let exchange): exchange.hasResponded
        default: false
        }
    }

    /// The first command of the login.
    private mutating func logIn(with proof: BackEndProof, _ offer: IMAPCapabilities) -> [UInt8] {
        replies.restart()
        switch proof {
        case .password(let password): return command(with: password, offer)
        case .exchange(let exchange) where offer.offers(exchange.mechanism): return authenticate(exchange, offer)
        // A greeting need not say everything.
        case .exchange(let exchange):
            state = .capabilities(exchange, IMAPCapabilities())
            return .line("\(IMAPBackEnd.capabilityTag) CAPABILITY")
        }
    }

    private mutating func takeCapabilities(
        _ line: ReplyLine, _ exchange: BackEndSASL, _ offer: IMAPCapabilities
    ) -> [UInt8]? {
        var offer = offer
        if line.begins(with: "CAP OK") {
            replies.restart()
            if offer.offers(exchange.mechanism) { return authenticate(exchange, offer) }
            state = .over(.mechanismNotOffered(exchange.mechanism))
        } else if line.begins(with: "CAP ") {
            state = .over(.mechanismNotOffered(exchange.mechanism))
        } else if line.begins(with: "* "), !line.begins(with: "* BYE") {
            offer.take(line)
            state = .capabilities(exchange, offer)
        } else {
            state = .over(.invalidResponse(reply: line.excerpt))
        }
        return nil
    }

    private mutating func authenticate(_ exchange: BackEndSASL, _ offer: IMAPCapabilities) -> [UInt8] {
        hasSentCredentials = true
        var exchange = exchange
        let command = exchange.command(
            tag + Array(" AUTHENTICATE".utf8), limit: offer.contains(.initialResponses) ? .max : 0)
        state = .authenticating(exchange)
        return command
    }

    private mutating func command(with password: Secret, _ offer: IMAPCapabilities) -> [UInt8] {
        hasSentCredentials = true
        var line: [UInt8] = []
        // Enough for all, for growing would leave a password in freed memory.
        line.reserveCapacity(tag.count + login.count + password.count + 64)
        line += tag
        line.append(" LOGIN ")
        guard offer.allowsLiteral(login.count), offer.allowsLiteral(password.count) else {
            state = .userContinuation(password: password)
            line.append(literal: login.count, isSynchronising: true)
            return line
        }
        state = .result
        line.append(literal: login.count, isSynchronising: false)
        line += login
        line.append(ASCII.space)
        line.append(literal: password.count, isSynchronising: false)
        line.append(password)
        line.endLine()
        return line
    }
}

extension [UInt8] {
    /// Appends the announcement of a literal, line end included.
    fileprivate mutating func append(literal count: Int, isSynchronising: Bool) {
        append(ASCII.openBrace)
        append(decimal: count)
        if !isSynchronising { append(ASCII.plus) }
        append(ASCII.closeBrace)
        endLine()
    }
}
