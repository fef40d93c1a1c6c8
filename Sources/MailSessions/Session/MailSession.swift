import AsyncIO

/// One client's stay, from the accepted connection to the end of the relay.
///
/// ```
///   greeting → authenticating ⇄ asking the authenticator → connecting → logging in → relaying → end
/// ```
/// The login, with its deep calls, runs in a child task, so that its stack is given back; what waits
/// for hours afterwards is `relay` alone.
package actor MailSession {
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe client.executor.asUnownedSerialExecutor()
    }
    let server: MailServer
    private let client: Socket
    private let observer: any SessionObserver
    private var context: SessionContext

    /// A session for the client that `connection` leads to; nothing happens before `run`.
    package init(
        number: UInt64, connection: Descriptor, listener: SocketAddress, server: MailServer,
        executor: RingExecutor, observer: any SessionObserver
    ) {
        client = Socket(connection, scope: CancellationScope(on: executor))
        self.server = server
        self.observer = observer
        context = SessionContext(
            number: number, mailProtocol: server.settings.mailProtocol,
            client: client.peerAddress ?? .unix(""), listener: listener)
    }

    /// Serves the client to the end, which the observer is told of. Cancelling the task ends it early.
    package func run() async {
        report(.connected)
        await withCancellation(of: client.scope) {
            let end: SessionEnd =
                switch await logInApart() {
                case .success(let login): await relay(login)
                case .failure(let end): end
                }
            report(.ended(end))
        }
    }

    func report(_ event: SessionEvent) { observer.observe(event, in: context) }

    // MARK: Login

    /// What a login leaves to the relay.
    struct Login: Sendable {
        var backEnd: Socket
        /// Read from the client behind its login: the back-end's.
        var toBackEnd: [UInt8]
        /// The back-end's reply to the login, and what came with it.
        var toClient: [UInt8]
    }

    private func logInApart() async -> Result<Login, SessionEnd> {
        await withTaskGroup(of: Result<Login, SessionEnd>.self) { group in
            group.addTask { await self.logIn() }
            return await group.next() ?? .failure(.cancelled)
        }
    }

    private func logIn() async -> Result<Login, SessionEnd> {
        do throws(SessionEnd) {
            let salts = SaltFactory(serverName: server.settings.name) { _ in .fresh }
            let request = try await converse(server.frontEnd(salts: salts))
            let deadline = client.executor.now + server.settings.timeout
            let backEnd = try await reach(request, deadline)
            let login = server.backEndLogin(request.credentials, request.context, facts)
            return .success(try await logIn(login, at: backEnd, request, deadline))
        } catch {
            return .failure(error)
        }
    }

    /// What is known of the client; the address it came to is asked for only where it is told on.
    private var facts: ClientFacts {
        let isTold = server.settings.proxy.proxyProtocol != nil
        return ClientFacts(
            address: context.client, localAddress: isTold ? client.localAddress ?? context.listener : context.listener)
    }

    // MARK: The client

    /// A login that the authenticator has accepted.
    private struct Request {
        var backEnd: SocketAddress
        var credentials: BackEndCredentials
        var context: ReplyContext
        var leftover: [UInt8]
    }

    private func converse(_ frontEnd: some FrontEnd) async throws(SessionEnd) -> Request {
        var frontEnd = frontEnd
        var accepted: (backEnd: SocketAddress, credentials: BackEndCredentials)?
        context.phase = .authenticating
        let outcome: FrontEndOutcome
        do throws(IOError) {
            outcome = try await Conversation(over: client, timeout: server.settings.timeout).run(
                &frontEnd, note: { report(.note($0)) },
                answer: { (attempt) async throws(IOError) in try await decide(attempt, &accepted) })
        } catch {
            throw clientFailed(error)
        }
        switch outcome {
        case .accepted(let context):
            guard let accepted else { preconditionFailure("accepted by nobody") }
            return Request(
                backEnd: accepted.backEnd, credentials: accepted.credentials, context: context,
                leftover: frontEnd.input.takeAll())
        case .quit: throw .quit
        case .refused: throw .refused
        case .unavailable: throw .unavailable
        case .violation:
            await linger()
            throw .violation
        }
    }

    private func clientFailed(_ error: IOError) -> SessionEnd {
        switch error {
        case .timedOut:
            report(.clientFailed(error))
            client.sendAtOnce(server.farewell(.timeout))
            return .timedOut
        case .cancelled:
            client.sendAtOnce(server.farewell(.shutdown))
            return .cancelled
        default:
            report(.clientFailed(error))
            return .clientFailed(error)
        }
    }

    private func decide(
        _ attempt: LoginAttempt, _ accepted: inout (backEnd: SocketAddress, credentials: BackEndCredentials)?
    ) async throws(IOError) -> Verdict {
        context.phase = .askingAuthenticator
        context.login = attempt.login
        defer { context.phase = .authenticating }
        do throws(AuthenticatorFailure) {
            switch try await server.authenticator.decide(attempt, of: facts, in: client.scope) {
            case .accept(let backEnd, let credentials):
                accepted = (backEnd, credentials)
                context.login = credentials.login
                return .accept
            case .refuse(let text, let code, let wait):
                report(.loginRefused(text: text))
                return .refuse(text: text, code: code, wait: wait)
            }
        } catch {
            // The end of the worker is no fault of the authenticator's.
            if case .unreachable(_, .cancelled) = error { throw .cancelled }
            report(.authenticatorFailed(error))
            return .unavailable
        }
    }

    /// The longest a client that broke the rules is listened to, so that it can read why it was sent away:
    /// closing with bytes unread would make the kernel drop the reply on its way.
    private static let lingerTime = Duration.seconds(1)
    private static let lingerBytes = 256 * 1024

    private func linger() async {
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

    // MARK: The back-end

    private func reach(_ request: Request, _ deadline: Instant) async throws(SessionEnd) -> Socket {
        context.phase = .connectingToBackEnd
        context.backEnd = request.backEnd
        do throws(IOError) {
            let socket = try await Dialer.connect(
                to: request.backEnd, deadline: deadline, scope: client.scope, budget: server.connections)
            if let version = server.settings.proxy.proxyProtocol {
                try await socket.send(ProxyProtocolHeader.bytes(version, for: facts), deadline: deadline)
            }
            return socket
        } catch {
            throw backEndFailed(.io(error))
        }
    }

    private func logIn(
        _ login: some BackEndLogin, at socket: Socket, _ request: Request, _ deadline: Instant
    ) async throws(SessionEnd) -> Login {
        context.phase = .loggingInAtBackEnd
        var login = login
        let outcome: BackEndOutcome
        do throws(IOError) {
            let conversation = Conversation(over: socket, timeout: server.settings.timeout, deadline: deadline)
            outcome = try await conversation.run(&login)
        } catch {
            throw backEndFailed(.io(error))
        }
        switch outcome {
        case .loggedIn(let reply):
            return Login(backEnd: socket, toBackEnd: request.leftover, toClient: reply + login.input.takeAll())
        case .invalidResponse(let reply):
            let isPassedOn = server.settings.proxy.passesErrorMessage
            throw backEndFailed(
                .invalidResponse(reply, isPassedOn: isPassedOn), saying: isPassedOn ? .line(reply) : nil)
        case .responseTooLong: throw backEndFailed(.responseTooLong)
        case .unsendableCredentials: throw backEndFailed(.unsendableCredentials)
        }
    }

    private func backEndFailed(_ failure: BackEndFailure, saying reply: [UInt8]? = nil) -> SessionEnd {
        if case .io(.cancelled) = failure {
            client.sendAtOnce(server.farewell(.shutdown))
            return .cancelled
        }
        report(.backEndFailed(failure))
        client.sendAtOnce(reply ?? server.farewell(.internalError))
        return .unavailable
    }

    // MARK: Relay

    private func relay(_ login: Login) async -> SessionEnd {
        context.phase = .relaying
        report(.loggedIn)
        let relay = Relay(
            client: client, backEnd: login.backEnd, limits: Relay.Limits(timeout: server.settings.proxy.timeout))
        let result = await relay.run(toBackEnd: login.toBackEnd, toClient: login.toClient)
        return .relayed(result.end, received: result.received, sent: result.sent)
    }
}
