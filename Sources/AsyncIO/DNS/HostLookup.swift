/// Who is asked for the addresses of hosts while a worker runs.
package enum HostLookup: Sendable {
    /// Name servers, each question for at most `timeout`.
    case resolver(Resolver, timeout: Duration)
    case system(SystemHosts)

    /// The addresses of a host with port 0, in the order to try, at least one; cancelling `scope` ends the wait.
    package func answer(
        ofHost name: String, deadline: Instant, scope: CancellationScope
    ) async throws(DNSFailure) -> DNSAnswer {
        switch self {
        case .resolver(let resolver, let timeout):
            let limit = min(deadline, scope.executor.now + timeout)
            return try await resolver.answer(ofHost: name, deadline: limit, scope: scope)
        case .system(let hosts):
            return try await hosts.answer(ofHost: name, deadline: deadline, scope: scope)
        }
    }
}
