import AsyncIO

/// How a session begins: a greeting, where nothing has to come before it, and the wait for the client's first word.
///
/// Who says nothing costs the least here: the front-end, TLS and all that is large in a login are made once there is
/// something for them to read.
extension MailSession {
    /// What was said and heard before the login.
    struct Opening {
        /// What the client was greeted with; nil where that is still to be done.
        var greeting: Greeting?
        var heard = ByteQueue()
        /// Of whoever waits for the client first; nil where something else has to be waited for before.
        fileprivate var deadline: Instant?

        /// For the first to wait; the others have the whole of `timeout`.
        mutating func takeDeadline() -> Instant? { deadline.take() }
    }

    /// Greets the client, where that can be done at once, and waits for its first word. Inlined, for every client that
    /// says nothing holds the frames of this wait.
    @inline(__always)
    func open(_ opening: inout Opening) async throws(SessionEnd) {
        guard let deadline = try begin(&opening) else { return }
        do throws(IOError) {
            let greeting = opening.greeting?.line ?? []
            let count = try await client.exchange(greeting, into: &opening.heard, deadline: deadline)
            guard count > 0 else { throw .closed }
        } catch {
            try endInSilence(error)
        }
    }

    /// What is done without waiting; until when to wait then, nil for not at all.
    @inline(never)
    private func begin(_ opening: inout Opening) throws(SessionEnd) -> Instant? {
        if expectsProxyHeader {
            context.phase = .readingProxyHeader
        } else {
            try admit()
            if beginsWithTLS {
                context.phase = .handshaking
            } else if server.greetsAtOnce {
                context.phase = .authenticating
                opening.greeting = Greeting(of: server)
            } else {
                return nil
            }
        }
        opening.deadline = client.executor.now + server.settings.timeout
        return opening.deadline
    }

    /// What becomes of a client that has gone, or was silent for too long, without a word: the same as if whoever was to
    /// read that word had found out. It throws for itself, because an error that is made in `open` needs 100 bytes there.
    @inline(never)
    private func endInSilence(_ error: IOError) throws(SessionEnd) -> Never {
        throw switch error {
        case .closed where expectsProxyHeader: refused(ProxyProtocolReader().faultAtEnd)
        case .closed where beginsWithTLS: clientFailed(.tls(.closedInHandshake))
        default: clientFailed(error, saysFarewell: !expectsProxyHeader)
        }
    }
}

extension MailServer {
    /// Nothing has to be waited for before the greeting.
    fileprivate var greetsAtOnce: Bool {
        settings.mailProtocol != .smtp || resolver == nil && settings.greetingDelay <= .zero
    }
}
