/// The machine's own resolver, asked off the ring; what it says is kept for a while.
///
/// A question that is being asked already is not asked again: whoever has it too waits for the same answer, each
/// with a deadline of its own.
package actor SystemHosts {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    private let executor: RingExecutor
    private let pool: BlockingPool
    private let lookUp: @Sendable (String) -> Result<[SocketAddress], DNSFailure>
    private var cache = ExpiringCache<DNSQuestion, DNSAnswer>(maximum: Resolver.answersMaximum)
    private var pending: [DNSQuestion: DNSQuery] = [:]

    /// - Parameters:
    ///   - pool: whose threads wait; no more questions than its queue holds are asked at once.
    ///   - lookUp: blocks until it knows.
    package init(
        on executor: RingExecutor, pool: BlockingPool,
        lookUp: @escaping @Sendable (String) -> Result<[SocketAddress], DNSFailure> = SystemResolver.addresses
    ) {
        self.executor = executor
        self.pool = pool
        self.lookUp = lookUp
    }

    /// The addresses of a host with port 0, in the order the system prefers; at least one.
    package func answer(
        ofHost name: String, deadline: Instant, scope: CancellationScope
    ) async throws(DNSFailure) -> DNSAnswer {
        // Of all families; the kind only tells the key from others.
        let question = DNSQuestion(name, .ipv4)
        if let known = cache.value(of: question, at: executor.now) { return known }
        let query = if let asked = pending[question] { asked } else { try ask(question) }
        await query.wait(until: deadline, scope: scope)
        switch query.result {
        case .success(let answer): return answer
        case .failure(let failure): throw failure
        case nil: throw scope.isCancelled ? .cancelled : .timedOut
        }
    }

    private func ask(_ question: DNSQuestion) throws(DNSFailure) -> DNSQuery {
        let query = DNSQuery(question, on: executor)
        let isStarted = pool.start(on: executor, { [lookUp] in lookUp(question.name) }) { result in
            self.assumeIsolated { $0.take(result, of: question) }
        }
        guard isStarted else { throw .overloaded }
        pending[question] = query
        return query
    }

    private func take(_ result: Result<[SocketAddress], DNSFailure>, of question: DNSQuestion) {
        let query = pending.removeValue(forKey: question)
        let answer = result.map { addresses in
            var answer = DNSAnswer()
            answer.addresses = addresses
            answer.lifetime = HostAddresses.systemValidity
            return answer
        }
        if case .success(let answer) = answer {
            cache.keep(answer, of: question, for: answer.lifetime, at: executor.now)
        }
        query?.finish(answer)
    }
}
