import AsyncIO

/// Brings an SMTP back-end to where the client believes to be: greeted, identified, logged in or
/// with the first recipient answered (nginx-mail.md §6.1).
///
/// ```
/// greeting --220--> hello --250--> [xclient --220|250--> [clientHello --250-->]]
///                     +--else, xclient auto and HELO from the client--> plainHello --250-->
///     --> [authentication --235--> (--334--> our next words)]   over: our own 235
///     --> [mail --250--> recipient --any reply-->] over: the back-end's reply
/// ```
/// The bracketed parts depend on `xclient`, on the client's HELO, on `proxy_smtp_auth`, and on
/// whether the client came without authentication, which shows in the envelope's recipient.
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
    private let proxy: ProxySettings
    /// What the login needs SASL for, beside a password; nil where nobody logs in or a password does.
    private var exchange: BackEndSASL?

    /// TLS is demanded and not there yet.
    private var mustStartTLS: Bool

    private enum State {
        case startTLS
        /// The back-end has agreed: the handshake is next, then all begins anew (RFC 3207 §4.2).
        case agreed, secured
        case greeting, hello, plainHello, xclient, clientHello, authentication, mail, recipient
        case over(BackEndOutcome)
    }

    package var activity: BackEndActivity {
        switch state {
        case .greeting: .awaitingGreeting
        case .startTLS, .agreed, .secured: .startingTLS
        case .hello, .plainHello: .sendingHello
        case .xclient: .sendingXClient
        case .clientHello: .sendingClientHello
        case .authentication: .sendingAuthentication
        case .mail: .sendingMail
        case .recipient: .sendingRecipient
        case .over: .readingReply
        }
    }

    /// - Parameter settings: `proxy.buffer` bounds each reply, all its lines together.
    package init(
        credentials: BackEndCredentials, context: ReplyContext, settings: ServerSettings, client: ClientFacts
    ) {
        self.credentials = credentials
        envelope = context.envelope
        self.client = client
        serverName = settings.name
        proxy = settings.proxy
        mustStartTLS = (credentials.security ?? settings.proxy.tls.security) == .startTLS
        replies = ReplyFramer(maximum: settings.proxy.buffer)
        state = .greeting
        guard isSendable else {
            state = .over(.unsendableCredentials)
            return
        }
        if authenticates, case .exchange(let exchange)? = BackEndProof(credentials, proxy) { self.exchange = exchange }
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
                return .send(hello())
            default: break
            }
            switch replies.next(from: &input) {
            case .incomplete: return .receive
            case .tooLong: state = .over(.responseTooLong)
            case .line(let line):
                if let command = take(line) { return .send(command) }
            }
        }
    }

    /// Whether everything that will be replayed is one line, and a password is there where one is needed.
    private var isSendable: Bool {
        let lines = [envelope.helo, envelope.mailFrom, envelope.recipient].compactMap { $0 }
        guard !lines.contains(where: { $0.contains(where: \.breaksLines) }) else { return false }
        guard authenticates else { return true }
        switch BackEndProof(credentials, proxy) {
        case nil: return false
        case .exchange?: return true
        case .password(let password)?:
            // RFC 4616 §2: NUL separates the parts.
            return !credentials.login.contains(ASCII.nul) && !password.contains(where: { $0 == ASCII.nul })
        }
    }

    private var logsInWithPassword: Bool { credentials.smtpAuth ?? proxy.smtpAuth }

    private var authenticates: Bool { logsInWithPassword && envelope.recipient == nil }

    /// Moves on by one line; returns the command that follows a whole reply.
    private mutating func take(_ line: ReplyLine) -> [UInt8]? {
        let text = Array(line.text)
        guard text.count >= 3, text.prefix(3).allSatisfy(\.isDigit),
            text.count == 3 || text[3] == ASCII.space || text[3] == UInt8(ascii: "-")
        else {
            state = .over(.invalidResponse(reply: line.excerpt))
            return nil
        }
        guard text.count == 3 || text[3] == ASCII.space else {
            earlierLines += line.bytes
            return nil
        }
        if case .authentication = state, text.starts(with: Array("334".utf8)), let answer = exchange?.next() {
            earlierLines = []
            replies.restart()
            return .line([], answer)
        }
        let reply = earlierLines + line.bytes
        earlierLines = []
        replies.restart()
        guard isExpected(String(decoding: text.prefix(3), as: UTF8.self)) else {
            if case .hello = state, proxy.xclient == .automatic, !envelope.isExtended, !mustStartTLS {
                // EHLO was for our question only.
                state = .plainHello
                return .line("HELO \(serverName)")
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

    private func isExpected(_ code: String) -> Bool {
        switch state {
        case .greeting, .startTLS: code == "220"
        case .hello, .plainHello, .clientHello, .mail: code == "250"
        case .xclient: code == "220" || code == "250"
        case .authentication: code == "235" && exchange?.hasResponded != false
        case .recipient, .agreed, .secured, .over: true
        }
    }

    private mutating func advance(after reply: [UInt8]) -> [UInt8]? {
        switch state {
        case .greeting:
            return hello()
        case .hello where mustStartTLS:
            state = .startTLS
            return .line("STARTTLS")
        case .startTLS:
            state = .agreed
            return nil
        case .hello:
            guard let command = introduction(offer: reply) else { return logIn(offer: reply) }
            state = .xclient
            return .line(command)
        case .xclient:
            // Mechanisms are offered to whoever says EHLO, and what was offered before XCLIENT counts no more.
            let needsOffer = exchange != nil
            let helo = envelope.helo.flatMap { $0.isEmpty ? nil : $0 } ?? (needsOffer ? Array(serverName.utf8) : [])
            guard !helo.isEmpty else { return logIn(offer: []) }
            state = .clientHello
            return .line(Array("\(envelope.isExtended || needsOffer ? "EHLO" : "HELO") ".utf8) + helo)
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

    /// XCLIENT, if it is to be said after this reply to EHLO.
    private func introduction(offer reply: [UInt8]) -> [UInt8]? {
        let login = logsInWithPassword ? [] : credentials.login
        switch proxy.xclient {
        case .off: return nil
        case .on: return XClient.command(client: client, login: login)
        case .automatic:
            return XClient.attributes(offeredBy: reply).flatMap {
                XClient.command(client: client, login: login, attributes: $0)
            }
        }
    }

    private mutating func hello() -> [UInt8] {
        state = .hello
        let isExtended = proxy.xclient != .off || envelope.isExtended || mustStartTLS || exchange != nil
        return .line("\(isExtended ? "EHLO" : "HELO") \(serverName)")
    }

    /// - Parameter offer: the last reply to HELO or EHLO.
    private mutating func logIn(offer: [UInt8]) -> [UInt8]? {
        hasSentCredentials = true
        if envelope.recipient != nil, let mail = envelope.mailFrom {
            state = .mail
            return .line(mail)
        }
        if var exchange {
            guard SMTPBackEnd.offers(exchange.mechanism, offer) else {
                state = .over(.mechanismNotOffered(exchange.mechanism))
                return nil
            }
            state = .authentication
            let command = exchange.command(Array("AUTH".utf8), limit: SMTPBackEnd.commandMaximum)
            self.exchange = exchange
            return command
        }
        guard authenticates, let password = credentials.password else {
            state = .over(.loggedIn(reply: SMTPBackEnd.ownReply))
            return nil
        }
        state = .authentication
        return .line(
            Array("AUTH PLAIN ".utf8), BackEndSASL.plain(user: [], login: credentials.login, password: password))
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
