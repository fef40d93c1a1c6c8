import AsyncIO

/// Brings an SMTP back-end to where the client believes to be: greeted, identified, logged in or
/// with the first recipient answered (nginx-mail.md §6.1).
///
/// ```
/// greeting --220--> hello --250--> [xclient --220|250--> [clientHello --250-->]]
///     |               ^   +--else, xclient auto and HELO from the client--> plainHello --250-->
///     |               +--5xx--+
///     +--XCLIENT known--> introduction --220|250--> clientHello --250-->
///     --> [authentication --235--> (--334--> our next words)]   over: our own 235
///     --> [mail --250--> recipient --any reply-->] over: the back-end's reply
/// ```
/// The bracketed parts depend on `xclient`, on the client's HELO, on `proxy_smtp_auth`, and on
/// whether the client came without authentication, which shows in the envelope's recipient.
///
/// Our own EHLO in front of XCLIENT serves to see what is offered, for XCLIENT puts the session back to where it was
/// after the greeting. Where the back-end has announced XCLIENT within the hour, that round trip is spared.
package struct SMTPBackEnd: BackEndLogin {
    package var input = ByteQueue()
    package private(set) var hasSentCredentials = false
    private var state: State
    private var replies: ReplyFramer
    /// The lines of a reply before its last.
    private var earlierLines: [UInt8] = []
    private let credentials: BackEndCredentials
    private let envelope: SMTPEnvelope
    private let client: ClientFacts
    private let serverName: String
    private let policy: XClientPolicy
    private let logsInWithPassword: Bool
    /// What proves the login; nil where nobody logs in.
    private var proof: BackEndProof?

    /// TLS is demanded and not there yet.
    private var mustStartTLS: Bool

    private enum State {
        case startTLS
        /// The back-end has agreed: the handshake is next, then all begins anew (RFC 3207 §4.2).
        case agreed, secured
        case greeting, hello, plainHello, xclient, clientHello, authentication, mail, recipient
        /// XCLIENT was said without EHLO in front.
        case introduction(known: BackEndOffers)
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .startTLS, .agreed, .secured: .startingTLS
        case .hello, .plainHello: .sendingHello
        case .xclient, .introduction: .sendingXClient
        case .clientHello: .sendingClientHello
        case .authentication: .sendingAuthentication
        case .mail: .sendingMail
        case .recipient: .sendingRecipient
        case .over: .readingReply
        }
    }

    package static var usesOffers: Bool { true }
    package private(set) var offers: BackEndOffers?
    package var isShortening: Bool { if case .introduction = state { true } else { false } }

    /// - Parameters:
    ///   - settings: `proxy.buffer` bounds each reply, all its lines together.
    ///   - offers: with XCLIENT, it is said at once; nil to remember what the reply to EHLO says of it.
    package init(
        credentials: BackEndCredentials, context: ReplyContext, settings: ServerSettings, client: ClientFacts,
        offers: BackEndOffers? = []
    ) {
        self.offers = offers
        self.credentials = credentials
        envelope = context.envelope
        self.client = client
        serverName = settings.name
        policy = settings.proxy.xclient
        logsInWithPassword = credentials.smtpAuth ?? settings.proxy.smtpAuth
        mustStartTLS = (credentials.security ?? settings.proxy.tls.security) == .startTLS
        replies = ReplyFramer(maximum: settings.proxy.buffer)
        state = .greeting
        if authenticates { proof = BackEndProof(credentials, settings.proxy) }
        if !isSendable { state = .over(.unsendableCredentials) }
    }

    /// The longest command with a response in it, CRLF included (RFC 4954 §4).
    private static let commandMaximum = 512

    package mutating func next() -> Step<Never, Never, BackEndOutcome> {
        while true {
            switch state {
            case .over(let outcome): return .finish(outcome)
            case .agreed:
                state = .secured
                return .startTLS
            case .secured:
                mustStartTLS = false
                return .send(begin())
            default: break
            }
            switch replies.next(from: &input, earlier: &earlierLines, isFollowed: SMTPBackEnd.isFollowed) {
            case .incomplete: return .receive
            case .tooLong: state = .over(.responseTooLong)
            case .line(let line):
                if let command = take(line) { return .send(command) }
            }
        }
    }

    /// Whether everything that will be replayed is one line, and what proves the login can be sent.
    private var isSendable: Bool {
        func breaksLines(_ line: [UInt8]?) -> Bool { line?.contains(where: \.breaksLines) ?? false }
        guard !breaksLines(envelope.helo), !breaksLines(envelope.mailFrom), !breaksLines(envelope.recipient)
        else { return false }
        switch proof {
        case nil: return !authenticates
        case .exchange?: return true
        case .password(let password)?:
            // RFC 4616 §2: NUL separates the parts.
            return !credentials.login.contains(ASCII.nul) && !password.contains(where: { $0 == ASCII.nul })
        }
    }

    private var authenticates: Bool { logsInWithPassword && envelope.recipient == nil }

    /// Whether the login needs to know what the back-end offers.
    private var needsOffer: Bool { if case .exchange? = proof { true } else { false } }

    /// Whether success can be believed: the back-end has heard who logs in.
    private var hasResponded: Bool { if case .exchange(let exchange)? = proof { exchange.hasResponded } else { true } }

    /// Whether a line of a reply is not its last (RFC 5321 §4.2.1).
    private static func isFollowed(_ input: ByteQueue, _ length: Int) -> Bool {
        length > 3 && input[3] == UInt8(ascii: "-") && (0..<3).allSatisfy { input[$0].isDigit }
    }

    /// Moves on by the last line of a reply; returns the command that follows.
    private mutating func take(_ line: ReplyLine) -> [UInt8]? {
        let text = line.text
        guard text.count >= 3, text.prefix(3).allSatisfy(\.isDigit), text.count == 3 || text[3] == ASCII.space else {
            state = .over(.invalidResponse(reply: line.excerpt))
            return nil
        }
        if case .authentication = state, text.begins(with: "334"), case .exchange(var exchange)? = proof,
            let answer = exchange.next()
        {
            proof = .exchange(exchange)
            earlierLines = []
            replies.restart()
            return .line([], answer)
        }
        let reply = earlierLines.isEmpty ? line.bytes : earlierLines + line.bytes
        earlierLines = []
        replies.restart()
        guard isExpected(text) else {
            if case .introduction = state, text.begins(with: "5") { return hello() }
            if case .hello = state, policy == .automatic, !envelope.isExtended, !mustStartTLS {
                // EHLO was for our question only.
                state = .plainHello
                return .line("HELO ", serverName.utf8)
            }
            if case .startTLS = state {
                state = .over(.tlsRefused(reply: line.excerpt))
            } else {
                state = .over(.invalidResponse(reply: line.excerpt))
            }
            return nil
        }
        return advance(after: reply)
    }

    private func isExpected(_ reply: ArraySlice<UInt8>) -> Bool {
        switch state {
        case .greeting, .startTLS: reply.begins(with: "220")
        case .hello, .plainHello, .clientHello, .mail: reply.begins(with: "250")
        case .xclient, .introduction: reply.begins(with: "220") || reply.begins(with: "250")
        case .authentication: reply.begins(with: "235") && hasResponded
        case .recipient, .agreed, .secured, .over: true
        }
    }

    private mutating func advance(after reply: [UInt8]) -> [UInt8]? {
        switch state {
        case .greeting:
            return begin()
        case .hello where mustStartTLS:
            state = .startTLS
            return .line("STARTTLS")
        case .startTLS:
            state = .agreed
            return nil
        case .hello:
            if offers == nil, policy != .off { offers = XClient.offers(in: reply) }
            guard let command = xclient(to: XClient.offers(in: reply)) else { return logIn(offer: reply) }
            state = .xclient
            return command
        case .introduction(let known):
            offers = known
            state = .xclient
            return advance(after: reply)
        case .xclient:
            // Mechanisms are offered to whoever says EHLO, and what was offered before XCLIENT counts no more.
            let helo = envelope.helo.flatMap { $0.isEmpty ? nil : $0 } ?? (needsOffer ? Array(serverName.utf8) : [])
            guard !helo.isEmpty else { return logIn(offer: []) }
            state = .clientHello
            return .line(envelope.isExtended || needsOffer ? "EHLO " : "HELO ", helo)
        case .plainHello, .clientHello:
            return logIn(offer: reply)
        case .authentication:
            state = .over(.loggedIn(reply: SMTPBackEnd.ownReply))
            return nil
        case .mail:
            state = .recipient
            return envelope.recipient.map { .line($0) }
        case .recipient:
            state = .over(.loggedIn(reply: reply))
            return nil
        case .agreed, .secured, .over:
            return nil
        }
    }

    /// XCLIENT, if it is to be said to a back-end that offers this.
    private func xclient(to offers: @autoclosure () -> BackEndOffers) -> [UInt8]? {
        let login = logsInWithPassword ? [] : credentials.login
        switch policy {
        case .off: return nil
        case .on: return XClient.command(client: client, login: login)
        case .automatic:
            let offers = offers()
            return offers.contains(.xclient) ? XClient.command(client: client, login: login, offers: offers) : nil
        }
    }

    /// The first command of a session.
    private mutating func begin() -> [UInt8] {
        guard let known = offers, known.contains(.xclient), !mustStartTLS, let helo = envelope.helo, !helo.isEmpty,
            let command = xclient(to: known)
        else { return hello() }
        // Until it has answered, for a back-end that takes offence must not be met with it again.
        offers = []
        state = .introduction(known: known)
        return command
    }

    private mutating func hello() -> [UInt8] {
        state = .hello
        let isExtended = policy != .off || envelope.isExtended || mustStartTLS || needsOffer
        return .line(isExtended ? "EHLO " : "HELO ", serverName.utf8)
    }

    /// - Parameter offer: the last reply to HELO or EHLO.
    private mutating func logIn(offer: [UInt8]) -> [UInt8]? {
        hasSentCredentials = true
        if envelope.recipient != nil, let mail = envelope.mailFrom {
            state = .mail
            return .line(mail)
        }
        switch proof {
        case nil:
            state = .over(.loggedIn(reply: SMTPBackEnd.ownReply))
            return nil
        case .password(let password)?:
            state = .authentication
            return .line(
                Array("AUTH PLAIN ".utf8), BackEndSASL.plain(user: [], login: credentials.login, password: password))
        case .exchange(let exchange)? where !SMTPBackEnd.offers(exchange.mechanism, offer):
            state = .over(.mechanismNotOffered(exchange.mechanism))
            return nil
        case .exchange(var exchange)?:
            state = .authentication
            let command = exchange.command(Array("AUTH".utf8), limit: SMTPBackEnd.commandMaximum)
            proof = .exchange(exchange)
            return command
        }
    }

    /// Whether a reply to EHLO lists the mechanism (RFC 4954 §3); its first line holds a name only.
    private static func offers(_ mechanism: String, _ reply: [UInt8]) -> Bool {
        reply.split(separator: ASCII.lf).dropFirst().contains { line in
            let words = line.dropFirst(4).split { $0 == ASCII.space || $0 == ASCII.cr }.map(\.asciiUppercased)
            return words.first == "AUTH" && words.dropFirst().contains(mechanism)
        }
    }

    /// What a client reads when the back-end has nothing of its own to say to it (nginx 0.7.31: 235, not 250).
    private static let ownReply = [UInt8].line("235 2.0.0 OK")
}
