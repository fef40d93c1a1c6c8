import AsyncIO

/// Logs in at a POP3 back-end with USER and PASS (RFC 1939 §7), or with AUTH (RFC 5034).
///
/// ```
/// greeting --+OK / USER--> user --+OK / PASS--> password --+OK--> over
///     +------+OK / CAPA--> capabilities --. / AUTH--> authenticating --+OK--> over
/// ```
/// CR, LF and NUL would become lines of their own, so such credentials are never sent
/// (security-checklist C5, nginx-mail.md §13 row 3).
package struct POP3BackEnd: BackEndLogin {
    package var input = ByteQueue()
    package private(set) var hasSentCredentials = false
    private var state: State
    private var replies: ReplyFramer
    private let login: [UInt8]

    /// TLS is demanded before the login.
    private let startsTLS: Bool

    private enum State {
        case greeting(BackEndProof)
        case startTLS(BackEndProof)
        /// The back-end has agreed: the handshake is next.
        case agreed(BackEndProof)
        case secured(BackEndProof)
        /// CAPA was asked; whether it has been agreed to, and whether the mechanism was among the answers.
        case capabilities(BackEndSASL, hasBegun: Bool, isOffered: Bool)
        /// AUTH was said, with the response or without.
        case authenticating(BackEndSASL)
        case user(password: Secret)
        case password
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .startTLS, .agreed, .secured: .startingTLS
        case .capabilities: .askingCapabilities
        case .authenticating: .sendingAuthentication
        case .user: .sendingUser
        case .password: .sendingPassword
        case .over: .readingReply
        }
    }

    /// - Parameter settings: `proxy.buffer` bounds each reply.
    package init(credentials: BackEndCredentials, settings: ServerSettings) {
        login = credentials.login
        startsTLS = (credentials.security ?? settings.proxy.tls.security) == .startTLS
        replies = ReplyFramer(maximum: settings.proxy.buffer)
        switch BackEndProof(credentials, settings.proxy) {
        case .password(let password)?
        where password.contains(where: \.breaksLines) || login.contains(where: \.breaksLines):
            state = .over(.unsendableCredentials)
        case let proof?: state = .greeting(proof)
        case nil: state = .over(.unsendableCredentials)
        }
    }

    /// The longest command with a response in it, CRLF included (RFC 5034 §4).
    private static let commandMaximum = 255

    package mutating func next() -> Step<Never, Never, BackEndOutcome> {
        while true {
            switch state {
            case .over(let outcome): return .finish(outcome)
            case .agreed(let proof):
                state = .secured(proof)
                return .startTLS
            case .secured(let proof): return .send(begin(proof))
            case .greeting, .startTLS, .capabilities, .authenticating, .user, .password: break
            }
            switch replies.next(from: &input) {
            case .incomplete: return .receive
            case .tooLong: state = .over(.responseTooLong)
            case .line(let line):
                if let answer = take(line) { return .send(answer) }
            }
        }
    }

    /// Moves on by one reply; returns the command that follows it.
    private mutating func take(_ line: ReplyLine) -> [UInt8]? {
        if case .capabilities(let exchange, let hasBegun, let isOffered) = state {
            return takeCapability(line, exchange, hasBegun: hasBegun, isOffered: isOffered)
        }
        replies.restart()
        if case .authenticating(var exchange) = state, line.begins(with: "+ ") || line.text.elementsEqual("+".utf8),
            let answer = exchange.next()
        {
            state = .authenticating(exchange)
            return .line([], answer)
        }
        guard line.begins(with: "+OK") else {
            if case .startTLS = state {
                state = .over(.tlsRefused(reply: line.excerpt))
            } else {
                state = .over(.invalidResponse(reply: line.excerpt))
            }
            return nil
        }
        switch state {
        case .greeting(let proof) where startsTLS:
            state = .startTLS(proof)
            return .line("STLS")
        case .startTLS(let proof):
            state = .agreed(proof)
            return nil
        case .greeting(let proof):
            return begin(proof)
        case .user(let password):
            state = .password
            return .line(Array("PASS ".utf8), password)
        case .authenticating(let exchange) where !exchange.hasResponded:
            // Logged in without having been told who we are: not what is meant.
            state = .over(.invalidResponse(reply: line.excerpt))
            return nil
        case .authenticating, .password:
            state = .over(.loggedIn(reply: line.bytes))
            return nil
        case .capabilities, .agreed, .secured, .over:
            return nil
        }
    }

    private mutating func begin(_ proof: BackEndProof) -> [UInt8] {
        replies.restart()
        switch proof {
        case .password(let password):
            hasSentCredentials = true
            state = .user(password: password)
            return .line("USER ", login)
        case .exchange(let exchange):
            state = .capabilities(exchange, hasBegun: false, isOffered: false)
            return .line("CAPA")
        }
    }

    /// Takes one line of the answer to CAPA, which ends with a dot (RFC 2449 §5); `SASL` lists mechanisms.
    private mutating func takeCapability(
        _ line: ReplyLine, _ exchange: BackEndSASL, hasBegun: Bool, isOffered: Bool
    ) -> [UInt8]? {
        guard hasBegun else {
            let isAgreed = line.begins(with: "+OK")
            state =
                isAgreed
                ? .capabilities(exchange, hasBegun: true, isOffered: false)
                : .over(.mechanismNotOffered(exchange.mechanism))
            return nil
        }
        guard line.text.elementsEqual(".".utf8) else {
            let words = line.text.split(separator: ASCII.space).map(\.asciiUppercased)
            let isListed = words.first == "SASL" && words.dropFirst().contains(exchange.mechanism)
            state = .capabilities(exchange, hasBegun: true, isOffered: isOffered || isListed)
            return nil
        }
        replies.restart()
        guard isOffered else {
            state = .over(.mechanismNotOffered(exchange.mechanism))
            return nil
        }
        hasSentCredentials = true
        var exchange = exchange
        let command = exchange.command(Array("AUTH".utf8), limit: POP3BackEnd.commandMaximum)
        state = .authenticating(exchange)
        return command
    }
}
