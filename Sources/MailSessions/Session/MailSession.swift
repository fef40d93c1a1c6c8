import AsyncIO

/// One client's stay, from the accepted connection to the end of the relay.
///
/// ```
///   PROXY header → TLS → greeting → authenticating ⇄ asking the authenticator → connecting → logging in → relaying → end
/// ```
/// One task serves it: `logIn`, with its deep calls, then the wait for the relay, for hours, in as shallow a stack as can
/// be (docs/decisions/0003). What is not needed any more is let go.
package actor MailSession {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe client.scope.unownedExecutor }
    /// The one of the address, then the one that the client asks for by name.
    var server: MailServer
    /// Servers to ask for, until the client has its own.
    var named: NamedServers?
    let client: Socket
    /// Where it is counted (`limit_conn`), by zone.
    var places: [String: SharedPlace] = [:]
    private let start: Instant
    /// From the login to the end.
    private var relay: Relay?
    var context: SessionContext
    /// `listen … proxy_protocol`: a PROXY header comes first, or nothing does.
    private let expectsProxyHeader: Bool
    /// `listen … ssl`: nothing is said in clear.
    let beginsWithTLS: Bool

    /// A session for the client that `connection` leads to; nothing happens before `logIn`. Cancelling `scope` ends it.
    package init(
        number: UInt64, connection: Descriptor, listener: SocketAddress, expectsProxyHeader: Bool = false,
        beginsWithTLS: Bool = false, server: MailServer, named: NamedServers? = nil, scope: CancellationScope
    ) {
        self.expectsProxyHeader = expectsProxyHeader
        self.beginsWithTLS = beginsWithTLS
        let executor = scope.executor
        client = Socket(connection, scope: CancellationScope(on: executor, within: scope))
        start = executor.now
        self.server = server
        self.named = named
        let address = client.peerAddress ?? .unix("")
        context = SessionContext(
            number: number, mailProtocol: server.settings.mailProtocol,
            client: address, listener: listener)
    }

    /// Greets the client and logs it in at its back-end; whether it is to be relayed then. If not, the session is over.
    package func logIn() async -> Bool {
        report(.connected)
        do throws(SessionEnd) {
            prepareRelay(try await establish())
            return true
        } catch {
            report(.ended(error))
            return false
        }
    }

    /// Relays between client and back-end after a successful `logIn`, and resumes `waiter` at the end; then comes
    /// `conclude`. Two calls with the wait between them, so that the task which waits need not be in either; both
    /// are made on the executor's thread.
    package nonisolated func beginRelay(_ waiter: consuming Waiter<Void>) {
        var waiter: Waiter<Void>? = consume waiter
        assumeIsolated { session in
            guard let relay = session.relay, let waiter = waiter.take() else {
                preconditionFailure("relayed before the login")
            }
            relay.begin(waiter)
        }
    }

    /// The whole of it, in one task.
    package func run() async {
        guard await logIn() else { return }
        await Waiter.wait { beginRelay($0) }
        conclude()
    }

    // What a session works out without waiting is, where it needs large values for it, in functions that are not
    // inlined: those values would otherwise be in the frame of a function that waits (docs/performance.md).

    @inline(never)
    func report(_ event: SessionEvent) { server.observer.observe(event, in: context) }

    // MARK: Login

    /// What a login leaves to the relay.
    struct Login: Sendable {
        var backEnd: Socket
        /// Read from the client behind its login: the back-end's.
        var toBackEnd: [UInt8]
        /// The back-end's reply to the login, and what came with it.
        var toClient: [UInt8]
    }

    @inline(__always)
    private func establish() async throws(SessionEnd) -> Login {
        var early = ByteQueue()
        let addresses = expectsProxyHeader ? try await receiveProxyHeader(&early) : nil
        var facts = factsOfClient(at: context.client, addresses)
        try checkAccess()
        try checkConnectionLimits()
        if beginsWithTLS { try await secureClient(early.takeAll(), &facts) }
        if server.settings.mailProtocol == .smtp, server.resolver != nil { try await findName(&facts) }
        // By their own types, for what runs a dialogue is much faster where it knows which one; and made where they are
        // used, for three of them would be in this frame.
        let request =
            switch server.settings.mailProtocol {
            case .imap: try await converse(IMAPFrontEnd.self, with: &facts, early)
            case .pop3: try await converse(POP3FrontEnd.self, with: &facts, early)
            case .smtp: try await converse(SMTPFrontEnd.self, with: &facts, early)
            }
        let deadline = client.executor.now + server.settings.timeout
        do throws(SessionEnd) {
            return try await logInAtBackEnd(request, facts, deadline)
        } catch {
            // A password that was changed, or a user who was moved elsewhere: what is remembered may be over.
            if error == .unavailable { await server.authenticator.forget(request.attempt, of: facts) }
            throw error
        }
    }

    // MARK: Who the client is

    /// What is known of the client before it speaks, by the rules of `server`; the address it came to is asked for only
    /// where it is told on.
    /// - Parameters:
    ///   - peer: the other end of the connection.
    ///   - addresses: of a PROXY header.
    @inline(never)
    func factsOfClient(at peer: SocketAddress, _ addresses: ClientFacts.ProxyAddresses?) -> ClientFacts {
        let isBelieved = addresses != nil && server.settings.realIPFrom.contains(peer)
        context.client = isBelieved ? addresses?.source ?? peer : peer
        let isTold = server.settings.proxy.proxyProtocol != nil
        var facts = ClientFacts(
            address: context.client, localAddress: isTold ? client.localAddress ?? context.listener : context.listener)
        facts.proxyAddresses = addresses
        return facts
    }

    /// - Parameter early: gets what came behind the header.
    private func receiveProxyHeader(_ early: inout ByteQueue) async throws(SessionEnd) -> ClientFacts.ProxyAddresses? {
        context.phase = .readingProxyHeader
        defer { context.phase = .greeting }
        var reader = ProxyProtocolReader()
        let outcome: ProxyProtocolOutcome
        do throws(IOError) {
            outcome = try await Conversation(over: client, timeout: server.settings.timeout).run(&reader)
        } catch .closed {
            outcome = .refused(reader.faultAtEnd)
        } catch {
            // Whoever sends no header speaks no mail protocol yet, and gets no farewell in it.
            throw clientFailed(error, saysFarewell: false)
        }
        swap(&early, &reader.input)
        switch outcome {
        case .addresses(let addresses): return addresses
        case .unknown: return nil
        case .refused(let fault):
            report(.proxyHeaderRefused(fault))
            throw .violation
        }
    }

    @inline(never)
    private func checkAccess() throws(SessionEnd) {
        guard !server.settings.access.admit(context.client) else { return }
        report(.accessDenied)
        sayFarewell(.denied)
        throw .denied
    }

    /// SMTP: asks for the client's name, for which the greeting waits.
    private func findName(_ facts: inout ClientFacts) async throws(SessionEnd) {
        defer { context.phase = .greeting }
        do throws(IOError) {
            try await lookUpName(&facts)
        } catch {
            throw clientFailed(error)
        }
    }

    /// SMTP: asks the server's resolver for the client's name, if it has one.
    func lookUpName(_ facts: inout ClientFacts) async throws(IOError) {
        guard server.settings.mailProtocol == .smtp, let resolver = server.resolver else { return }
        let lookup = ClientNameLookup(
            resolver: resolver, timeout: server.settings.resolverTimeout, scope: client.scope)
        facts.hostName = try await lookup.name(of: context.client) { failure in
            if case .hostName = failure {
                context.phase = .resolvingHostName
            } else {
                context.phase = .resolvingAddress
            }
            report(.clientNameFailed(failure))
        }
    }

    // MARK: The client

    /// A login that the authenticator has accepted; one for all who wait with it.
    final class Request: Sendable {
        let attempt: LoginAttempt
        /// Not `configured`: what is configured is known by then.
        let backEnd: BackEndChoice
        let credentials: BackEndCredentials
        /// What the front-end knows that the back-end needs.
        let context: ReplyContext
        /// What the client has said behind it.
        let leftover: [UInt8]

        init(attempt: LoginAttempt, backEnd: BackEndChoice, credentials: BackEndCredentials) {
            self.attempt = attempt
            self.backEnd = backEnd
            self.credentials = credentials
            context = ReplyContext()
            leftover = []
        }

        /// The same, once the front-end is done.
        @inline(never)
        init(_ accepted: Request, context: ReplyContext, leftover: [UInt8]) {
            attempt = accepted.attempt
            backEnd = accepted.backEnd
            credentials = accepted.credentials
            self.context = context
            self.leftover = leftover
        }
    }

    /// - Parameter early: what the client has said already.
    private func converse<Front: CommandFrontEnd>(
        _ type: Front.Type, with facts: inout ClientFacts, _ early: consuming ByteQueue
    ) async throws(SessionEnd) -> Request {
        var frontEnd = Front(for: server, isSecure: beginsWithTLS)
        frontEnd.input = early
        var accepted: Request?
        context.phase = .authenticating
        let outcome: FrontEndOutcome
        do throws(IOError) {
            outcome = try await Conversation(over: client, timeout: server.settings.timeout).run(
                &frontEnd, note: { take($0) },
                startTLS: { (frontEnd, deadline) async throws(IOError) in
                    guard try await startTLS(&facts, deadline) else { return nil }
                    frontEnd.goOn(by: server.settings)
                    return server.settings.timeout
                },
                answer: { (attempt) async throws(IOError) in
                    if let limit = limitReached(by: attempt) { return .limited(limit) }
                    let (verdict, delay) = count(try await decide(attempt, facts, &accepted), on: attempt)
                    if delay > .zero {
                        try await client.executor.sleep(until: client.executor.now + delay, scope: client.scope)
                    }
                    return verdict
                })
        } catch {
            throw clientFailed(error)
        }
        switch outcome {
        case .accepted(let context):
            guard let accepted else { preconditionFailure("accepted by nobody") }
            return Request(accepted, context: context, leftover: frontEnd.input.takeAll())
        case .quit: throw .quit
        case .unavailable: throw .unavailable
        case .limited:
            await linger()
            throw .limited
        case .refused:
            await linger()
            throw .refused
        case .violation:
            await linger()
            throw .violation
        }
    }

    @inline(never)
    private func take(_ note: FrontEndNote) {
        if case .rejectedBeforeGreeting = note { context.phase = .delayingGreeting }
        report(.note(note))
    }

    @inline(never)
    func clientFailed(_ error: IOError, saysFarewell: Bool = true) -> SessionEnd {
        switch error {
        case .timedOut:
            report(.clientFailed(error))
            if saysFarewell { sayFarewell(.timeout) }
            return .timedOut
        case .cancelled:
            if saysFarewell { sayFarewell(.shutdown) }
            return .cancelled
        default:
            report(.clientFailed(error))
            return .clientFailed(error)
        }
    }

    /// Says why the client must go, if it can be said: never in clear to a client of TLS.
    @inline(never)
    func sayFarewell(_ reason: Farewell) {
        guard !beginsWithTLS || client.handle.tls != nil else { return }
        client.sendAtOnce(server.farewell(reason))
    }

    @inline(__always)
    private func decide(
        _ attempt: LoginAttempt, _ facts: ClientFacts, _ accepted: inout Request?
    ) async throws(IOError) -> Verdict {
        context.phase = .askingAuthenticator
        defer { context.phase = .authenticating }
        guard let attempt = identified(attempt, facts) else { return .refuse(text: MailSession.certificateMissing) }
        let decision: LoginDecision
        do throws(AuthenticatorFailure) {
            decision = try await server.authenticator.decide(attempt, of: facts, in: client.scope) { failure in
                report(.authenticatorFailed(failure))
            }
        } catch {
            return try verdict(after: error)
        }
        return try verdict(on: attempt, decision, &accepted)
    }

    private static let certificateMissing = Array("No verified SSL certificate".utf8)

    /// The attempt with the name that the client's certificate proves, where that is its password; nil where none does.
    @inline(never)
    private func identified(_ attempt: LoginAttempt, _ facts: ClientFacts) -> LoginAttempt? {
        guard let attempt = attempt.identified(by: facts.tls, server.settings.clientIdentity) else {
            report(.loginRefused(text: MailSession.certificateMissing))
            return nil
        }
        context.login = attempt.login
        return attempt
    }

    @inline(never)
    private func verdict(
        on attempt: LoginAttempt, _ decision: LoginDecision, _ accepted: inout Request?
    ) throws(IOError) -> Verdict {
        switch decision {
        case .accept(let choice, var credentials):
            let isClients = credentials.password.map { !$0.isEmpty && $0 == attempt.password } ?? false
            credentials.areClients = isClients && server.settings.proxy.master == nil
            do throws(AuthenticatorFailure) {
                accepted = Request(attempt: attempt, backEnd: try backEnd(choice), credentials: credentials)
            } catch {
                return try verdict(after: error)
            }
            context.login = credentials.login
            return .accept
        case .refuse(let text, let code, let wait, let challenge):
            report(.loginRefused(text: text))
            return .refuse(text: text, code: code, wait: wait, challenge: challenge)
        case .unknown: preconditionFailure("the chain knows whoever nobody knows")
        }
    }

    @inline(never)
    private func verdict(after failure: AuthenticatorFailure) throws(IOError) -> Verdict {
        // The end of the worker is no fault of the authenticator's.
        if failure.isCancellation { throw .cancelled }
        report(.authenticatorFailed(failure))
        return .unavailable
    }

    private func backEnd(_ choice: BackEndChoice) throws(AuthenticatorFailure) -> BackEndChoice {
        guard case .configured = choice else { return choice }
        guard let backEnd = server.settings.backEnd else { throw .noBackEnd }
        return backEnd
    }

    /// The longest a client that was refused is listened to, so that it can read why it was sent away:
    /// closing with bytes unread would make the kernel drop the reply on its way.
    static let lingerTime = Duration.seconds(1)
    private static let lingerBytes = 256 * 1024

    func linger() async {
        client.shutdownSending()
        let deadline = client.executor.now + MailSession.lingerTime
        var discarded = 0
        var input = ByteQueue()
        while discarded < MailSession.lingerBytes {
            do throws(IOError) {
                let count = try await client.receive(into: &input, deadline: deadline)
                if count == 0 { return }
                discarded += count
                input.removeAll()
            } catch {
                // Whatever it is, the session is over and has said so.
                return
            }
        }
    }

    // MARK: Relay

    private func prepareRelay(_ login: Login) {
        context.phase = .relaying
        named = nil
        report(.loggedIn)
        relay = Relay(
            client: client, backEnd: login.backEnd, timeout: server.settings.proxy.timeout,
            toBackEnd: login.toBackEnd, toClient: login.toClient)
    }

    /// Reports how the relay ended: the last that happens in a session.
    package nonisolated func conclude() {
        assumeIsolated { session in
            guard let relay = session.relay else { preconditionFailure("concluded without a relay") }
            if let failure = relay.sourceFailure {
                session.report(.relaySourceFailed(failure.side, .system(.recv, code: failure.code)))
            }
            session.report(
                .ended(
                    .relayed(
                        relay.end ?? .cancelled, received: relay.received, sent: relay.sent,
                        duration: session.client.executor.now - session.start)))
        }
    }
}
