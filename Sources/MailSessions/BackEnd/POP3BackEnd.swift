import AsyncIO

/// Logs in at a POP3 back-end with USER and PASS (RFC 1939 §7), or with AUTH (RFC 5034).
///
/// ```
/// greeting --+OK / USER--> user --+OK / PASS--> password --+OK--> over
///     +------+OK / USER, PASS--> user --+OK--> password --+OK--> over
///     +------+OK / CAPA--> capabilities --. / either, or AUTH--> authenticating --+OK--> over
/// ```
/// USER and PASS leave together where the back-end announces PIPELINING (RFC 2449 §6.6). Whoever is first to log in
/// at it asks; a refusal of CAPA is as good as a no.
///
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
        /// CAPA was asked; whether it has been agreed to, and whether what the proof needs was among the answers.
        case capabilities(BackEndProof, hasBegun: Bool, isOffered: Bool)
        /// AUTH was said, with the response or without.
        case authenticating(BackEndSASL)
        /// USER was said, and PASS follows it without waiting.
        case following(password: Secret)
        /// USER was said; without a password PASS was, too.
        case user(password: Secret?)
        case password
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .startTLS, .agreed, .secured: .startingTLS
        case .capabilities: .askingCapabilities
        case .authenticating: .sendingAuthentication
        case .following, .user: .sendingUser
        case .password: .sendingPassword
        case .over: .readingReply
        }
    }

    package static var usesOffers: Bool { true }
    package private(set) var offers: BackEndOffers?
    package var isShortening: Bool { if case .capabilities(.password, _, _) = state { true } else { false } }

    /// - Parameters:
    ///   - settings: `proxy.buffer` bounds each reply.
    ///   - offers: with PIPELINING, USER and PASS leave together; nil to ask the back-end.
    package init(credentials: BackEndCredentials, settings: ServerSettings, offers: BackEndOffers? = []) {
        self.offers = offers
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
            case .following(let password):
                state = .user(password: nil)
                return .send(POP3BackEnd.pass(password))
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
        if case .capabilities(let proof, let hasBegun, let isOffered) = state {
            return takeCapability(line, for: proof, hasBegun: hasBegun, isOffered: isOffered)
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
            return password.map(POP3BackEnd.pass)
        case .authenticating(let exchange) where !exchange.hasResponded:
            // Logged in without having been told who we are: not what is meant.
            state = .over(.invalidResponse(reply: line.excerpt))
            return nil
        case .authenticating, .password:
            state = .over(.loggedIn(reply: line.bytes))
            return nil
        case .capabilities, .agreed, .secured, .following, .over:
            return nil
        }
    }

    private mutating func begin(_ proof: BackEndProof) -> [UInt8] {
        if case .password(let password) = proof, offers != nil { return sayUser(password) }
        replies.restart()
        // Until it has answered, for a back-end that takes offence must not be asked again.
        if case .password = proof { offers = [] }
        state = .capabilities(proof, hasBegun: false, isOffered: false)
        return .line("CAPA")
    }

    /// Takes one line of the answer to CAPA, which ends with a dot (RFC 2449 §5).
    private mutating func takeCapability(
        _ line: ReplyLine, for proof: BackEndProof, hasBegun: Bool, isOffered: Bool
    ) -> [UInt8]? {
        guard hasBegun else {
            guard line.begins(with: "+OK") else { return goOn(with: proof, isOffered: false) }
            state = .capabilities(proof, hasBegun: true, isOffered: false)
            return nil
        }
        guard line.text.elementsEqual(".".utf8) else {
            state = .capabilities(proof, hasBegun: true, isOffered: isOffered || proof.isAnnounced(by: line))
            return nil
        }
        return goOn(with: proof, isOffered: isOffered)
    }

    /// Goes on when it is known whether the back-end offers what the proof needs.
    private mutating func goOn(with proof: BackEndProof, isOffered: Bool) -> [UInt8]? {
        replies.restart()
        switch proof {
        case .password(let password):
            offers = isOffered ? .pipelining : []
            return sayUser(password)
        case .exchange(let exchange) where !isOffered:
            state = .over(.mechanismNotOffered(exchange.mechanism))
            return nil
        case .exchange(var exchange):
            hasSentCredentials = true
            let command = exchange.command(Array("AUTH".utf8), limit: POP3BackEnd.commandMaximum)
            state = .authenticating(exchange)
            return command
        }
    }

    private mutating func sayUser(_ password: Secret) -> [UInt8] {
        replies.restart()
        hasSentCredentials = true
        let together = offers?.contains(.pipelining) ?? false
        state = together ? .following(password: password) : .user(password: password)
        return .line("USER ", login)
    }

    private static func pass(_ password: Secret) -> [UInt8] { .line(Array("PASS ".utf8), password) }
}

extension BackEndProof {
    /// Whether a line of the answer to CAPA announces what it needs: its mechanism (`SASL` lists them), or to a
    /// password PIPELINING.
    fileprivate func isAnnounced(by line: ReplyLine) -> Bool {
        let words = line.text.split(separator: ASCII.space).map(\.asciiUppercased)
        return switch self {
        case .password: words.first == "PIPELINING"
        case .exchange(let exchange): words.first == "SASL" && words.dropFirst().contains(exchange.mechanism)
        }
    }
}
