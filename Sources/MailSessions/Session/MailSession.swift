import AsyncIO

/// One client's stay, from the accepted connection to the end of the relay.
///
/// ```
///   PROXY header → TLS → greeting → authenticating ⇄ asking the authenticator → connecting → logging in → relaying → end
/// ```
/// One task serves it: `logIn`, with its deep calls, then the wait for the relay, for hours. Who says nothing, before the
/// login or behind it, is waited for in as shallow a stack as can be (docs/decisions/0003). What is not needed any more is
/// let go.
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
    let expectsProxyHeader: Bool
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
            var opening = Opening()
            // Whoever did not come to its front-end may have said a password all the same.
            defer { opening.heard.removeAll() }
            try await open(&opening)
            try await establish(&opening)
            return true
        } catch {
            reportEnd(error)
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

    @inline(never)
    private func reportEnd(_ end: SessionEnd) { report(.ended(end)) }

    // MARK: Login

    /// What a login leaves to the relay.
    struct Login: Sendable {
        var backEnd: Socket
        /// Read from the client behind its login: the back-end's.
        var toBackEnd: [UInt8]
        /// The back-end's reply to the login, and what came with it.
        var toClient: [UInt8]
    }

    /// The stages of a login, to the relay. What is large in it is in the frames of this function and of those that it calls;
    /// it is not inlined, so that clients of which nothing has come yet do without.
    @inline(never)
    private func establish(_ opening: inout Opening) async throws(SessionEnd) {
        let addresses = expectsProxyHeader ? try await receiveProxyHeader(&opening) : nil
        var facts = factsOfClient(at: context.client, addresses)
        if expectsProxyHeader { try admit() }
        if beginsWithTLS { try await secureClient(&opening, &facts) }
        if server.settings.mailProtocol == .smtp, server.resolver != nil { try await findName(&facts) }
        // By their own types, for what runs a dialogue is much faster where it knows which one; and made where they are
        // used, for three of them would be in this frame.
        let request =
            switch server.settings.mailProtocol {
            case .imap: try await converse(IMAPFrontEnd.self, with: &facts, &opening)
            case .pop3: try await converse(POP3FrontEnd.self, with: &facts, &opening)
            case .smtp: try await converse(SMTPFrontEnd.self, with: &facts, &opening)
            }
        let deadline = client.executor.now + server.settings.timeout
        do throws(SessionEnd) {
            prepareRelay(try await logInAtBackEnd(request, facts, deadline))
        } catch {
            // A password that was changed, or a user who was moved elsewhere: what is remembered may be over.
            if error == .unavailable {
                await server.authenticator.forget(request.attempt, of: facts)
                await linger()
            }
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

    /// - Parameter opening: what came behind the header is left there.
    private func receiveProxyHeader(
        _ opening: inout Opening
    ) async throws(SessionEnd) -> ClientFacts.ProxyAddresses? {
        defer { context.phase = .greeting }
        var reader = ProxyProtocolReader()
        defer { reader.input.removeAll() }
        swap(&opening.heard, &reader.input)
        let outcome: ProxyProtocolOutcome
        do throws(IOError) {
            outcome = try await Conversation(
                over: client, timeout: server.settings.timeout, deadline: opening.takeDeadline()
            ).run(&reader)
        } catch .closed {
            outcome = .refused(reader.faultAtEnd)
        } catch {
            // Whoever sends no header speaks no mail protocol yet, and gets no farewell in it.
            throw clientFailed(error, saysFarewell: false)
        }
        swap(&opening.heard, &reader.input)
        switch outcome {
        case .addresses(let addresses): return addresses
        case .unknown: return nil
        case .refused(let fault): throw refused(fault)
        }
    }

    @inline(never)
    func refused(_ fault: ProxyProtocolFault) -> SessionEnd {
        report(.proxyHeaderRefused(fault))
        return .violation
    }

    /// Sends clients away that may not be here, by address.
    @inline(never)
    func admit() throws(SessionEnd) {
        guard server.settings.access.admit(context.client) else {
            report(.accessDenied)
            sayFarewell(.denied)
            throw .denied
        }
        try checkConnectionLimits()
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
