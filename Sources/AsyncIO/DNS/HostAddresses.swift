/// The addresses of one host name, looked up again while they are asked for.
///
/// There are always some: those known before stay until others are found, so that a name server that
/// fails takes nobody's service away.
package actor HostAddresses {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// Who is asked.
    package enum Source: Sendable {
        /// Name servers, each question for at most `timeout`.
        case resolver(Resolver, timeout: Duration)
        /// A function that blocks, on a thread of a pool.
        case blocking(BlockingPool, @Sendable (String) -> Result<[SocketAddress], DNSFailure>)
    }

    /// The longest an asker waits for newer addresses; what comes later is for the next one.
    package static let patience = Duration.seconds(1)
    /// How long addresses count that come without a time of their own.
    package static let systemValidity = Duration.seconds(30)
    /// Between two questions at least, whatever the answers say, and after a failure.
    package static let pause = Duration.seconds(5)

    private let name: String
    private let port: UInt16
    private let source: Source
    private let executor: RingExecutor
    private var addresses: [SocketAddress]
    /// When they are to be looked up again; at first with the first question, for they may be as old as the process.
    private var expires: Instant
    private var isAsking = false
    private var failure: DNSFailure?

    /// - Parameter addresses: what the name stood for when the configuration was read; at least one.
    package init(
        of name: String, port: UInt16, knownAs addresses: [SocketAddress], from source: Source,
        on executor: RingExecutor
    ) {
        precondition(!addresses.isEmpty, "a name of the configuration has an address")
        self.name = name
        self.port = port
        self.addresses = addresses
        self.source = source
        self.executor = executor
        expires = executor.now
    }

    /// The addresses to try, in that order, and once for each time why no newer ones were found.
    package func current(in scope: CancellationScope) async -> (addresses: [SocketAddress], failure: DNSFailure?) {
        if executor.now >= expires, !isAsking { await refresh(in: scope) }
        defer { failure = nil }
        return (addresses, failure)
    }

    private func refresh(in scope: CancellationScope) async {
        isAsking = true
        switch source {
        case .resolver(let resolver, let timeout):
            let deadline = executor.now + min(timeout, HostAddresses.patience)
            do throws(DNSFailure) {
                let answer = try await resolver.answer(ofHost: name, deadline: deadline, scope: scope)
                take(.success(answer.addresses), validity: answer.lifetime)
            } catch {
                take(.failure(error), validity: .zero)
            }
        case .blocking(let pool, let lookUp):
            let isStarted = pool.start(on: executor, { [name] in lookUp(name) }) { result in
                self.assumeIsolated { $0.take(result, validity: HostAddresses.systemValidity) }
            }
            if !isStarted { take(.failure(.overloaded), validity: .zero) }
        }
    }

    private func take(_ result: Result<[SocketAddress], DNSFailure>, validity: Duration) {
        isAsking = false
        expires = executor.now + max(validity, HostAddresses.pause)
        switch result {
        case .success(let found): addresses = found.map { $0.withPort(port) }
        // Whoever is cancelled says nothing about the name.
        case .failure(.cancelled): expires = executor.now
        case .failure(let failure): self.failure = failure
        }
    }
}
