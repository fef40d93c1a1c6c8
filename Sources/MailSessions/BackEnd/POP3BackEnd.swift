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

    private enum State {
        case greeting(password: Secret)
        case user(password: Secret)
        case password
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .user: .sendingUser
        case .password: .sendingPassword
        case .over: .readingReply
        }
    }

    /// - Parameter settings: `proxy.buffer` bounds each reply.
    package init(credentials: BackEndCredentials, settings: ServerSettings) {
        login = credentials.login
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
            if case .over(let outcome) = state { return .finish(outcome) }
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
            state = .over(.invalidResponse(reply: line.excerpt))
            return nil
        }
        switch state {
        case .greeting(let password):
            state = .user(password: password)
            return .line(Array("USER ".utf8) + login)
        case .user(let password):
            state = .password
            return .line(Array("PASS ".utf8), password)
        case .password:
            state = .over(.loggedIn(reply: line.bytes))
            return nil
        case .over:
            return nil
        }
    }
}
