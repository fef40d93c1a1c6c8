import AsyncIO

/// Logs in at a POP3 back-end with USER and PASS (RFC 1939 §7).
///
/// ```
/// greeting --+OK / USER--> user --+OK / PASS--> password --+OK--> over
/// ```
/// CR, LF and NUL would become lines of their own, so such credentials are never sent
/// (security-checklist C5, nginx-mail.md §13 row 3).
package struct POP3BackEnd: BackEndLogin {
    package var input = ByteQueue()
    private var state: State
    private var replies: ReplyFramer
    private let login: [UInt8]

    /// TLS is demanded before the login.
    private let startsTLS: Bool

    private enum State {
        case greeting(password: Secret)
        case startTLS(password: Secret)
        /// The back-end has agreed: the handshake is next.
        case agreed(password: Secret)
        case secured(password: Secret)
        case user(password: Secret)
        case password
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .startTLS, .agreed, .secured: .startingTLS
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
        if let password = credentials.password,
            !password.contains(where: \.breaksLines), !login.contains(where: \.breaksLines)
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
            case .secured(let password): return .send(begin(password))
            case .greeting, .startTLS, .user, .password: break
            }
            switch replies.next(from: &input) {
            case .incomplete: return .receive
            case .tooLong: state = .over(.responseTooLong)
            case .line(let line):
                replies.restart()
                if let answer = take(line) { return .send(answer) }
            }
        }
    }

    /// Moves on by one reply; returns the command that follows it.
    private mutating func take(_ line: ReplyLine) -> [UInt8]? {
        guard line.begins(with: "+OK") else {
            if case .startTLS = state {
                state = .over(.tlsRefused(reply: line.excerpt))
            } else {
                state = .over(.invalidResponse(reply: line.excerpt))
            }
            return nil
        }
        switch state {
        case .greeting(let password) where startsTLS:
            state = .startTLS(password: password)
            return .line("STLS")
        case .startTLS(let password):
            state = .agreed(password: password)
            return nil
        case .greeting(let password):
            return begin(password)
        case .user(let password):
            state = .password
            return .line(Array("PASS ".utf8), password)
        case .password:
            state = .over(.loggedIn(reply: line.bytes))
            return nil
        case .agreed, .secured, .over:
            return nil
        }
    }

    private mutating func begin(_ password: Secret) -> [UInt8] {
        state = .user(password: password)
        return .line(Array("USER ".utf8) + login)
    }
}
