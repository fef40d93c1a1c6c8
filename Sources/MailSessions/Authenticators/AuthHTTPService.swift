import AsyncIO

/// One `auth_http` at work in one worker: where it is, the connections to it that are kept, and whether
/// it failed lately. Servers that use the same one share it.
package actor AuthHTTPService {
    package nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe executor.asUnownedSerialExecutor() }

    /// How long one that failed comes after those that did not: a login must not wait for a dead service
    /// each time anew.
    package static let failurePause = Duration.seconds(10)

    package nonisolated let settings: AuthHTTPSettings
    nonisolated let template: AuthHTTPTemplate
    package nonisolated let kept: KeptConnections
    private let executor: RingExecutor
    /// nil where the configuration has addresses in numbers.
    private let host: HostAddresses?
    /// Its address may change.
    nonisolated var isNamed: Bool { host != nil }
    private var failedUntil: Instant?

    /// - Parameters:
    ///   - resolver: of the settings' name servers; without it the system is asked, on a thread of `names`.
    package init(
        _ settings: AuthHTTPSettings, resolver: Resolver? = nil, names: BlockingPool? = nil, on executor: RingExecutor
    ) {
        self.settings = settings
        template = AuthHTTPTemplate(settings)
        self.executor = executor
        kept = KeptConnections(maximum: settings.keepAlive, on: executor)
        var source: HostAddresses.Source?
        if let resolver {
            source = .resolver(resolver, timeout: settings.resolverTimeout)
        } else if let names {
            source = .blocking(names, SystemResolver.addresses)
        }
        if let name = settings.hostName, let source, let port = settings.addresses.first?.port {
            host = HostAddresses(of: name, port: port, knownAs: settings.addresses, from: source, on: executor)
        } else {
            host = nil
        }
    }

    /// Where it is now, in the order to try, at least one; and why it is not known better, if that is so.
    func addresses(in scope: CancellationScope) async -> (addresses: [SocketAddress], failure: DNSFailure?) {
        await host?.current(in: scope) ?? (settings.addresses, nil)
    }

    /// Whether it failed lately.
    var isFailing: Bool { failedUntil.map { executor.now < $0 } ?? false }

    /// It did not answer.
    func fail() { failedUntil = executor.now + AuthHTTPService.failurePause }

    /// It answered.
    func recover() { failedUntil = nil }
}
