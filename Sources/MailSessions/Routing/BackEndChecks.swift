import AsyncIO

/// The checks of one group in one worker (`health_check`): all members in turn, from its first use to its end.
package struct BackEndChecks: Sendable {
    /// What they have found out.
    package enum Event: Sendable, Equatable {
        case recovered(SocketAddress)
        case lost(SocketAddress, BackEndProbe.Failure)
        /// A member's name could not be looked up.
        case unresolved(String, DNSFailure)
    }

    package let group: BackEndGroup
    private let probe: BackEndProbe
    private let report: @Sendable (Event) -> Void
    private let scope: CancellationScope

    /// - Parameters:
    ///   - probe: on behalf of a server that uses the group.
    ///   - report: is told what changes.
    ///   - scope: cancelled to end them.
    package init(
        of group: BackEndGroup, by probe: BackEndProbe, in scope: CancellationScope,
        report: @escaping @Sendable (Event) -> Void
    ) {
        self.group = group
        self.probe = probe
        self.scope = scope
        self.report = report
    }

    /// Checks until the scope is cancelled; nothing where the group has no `health_check`.
    package func run() async {
        guard let settings = group.settings.check else { return }
        // Workers that start together do not ask together.
        var pause = settings.interval * Double.random(in: 0...1)
        while true {
            do throws(IOError) {
                try await scope.executor.sleep(until: scope.executor.now + pause, scope: scope)
            } catch {
                // Cancelled: there is nothing to tell.
                return
            }
            // Whom nobody uses may speak another protocol.
            if await group.isInUse { await checkAll(settings) }
            pause = settings.interval * Double.random(in: 0.9...1.1)
        }
    }

    private func checkAll(_ settings: HealthCheckSettings) async {
        let deadline = scope.executor.now + settings.timeout
        for (name, failure) in await group.refresh(until: deadline, in: scope) { report(.unresolved(name, failure)) }
        let peers = await group.peers
        await withDiscardingTaskGroup { tasks in
            for peer in peers where !group.settings.members[peer.member].isDown {
                tasks.addTask { await check(peer, settings, deadline) }
            }
        }
    }

    private func check(
        _ peer: BackEndBalancer.Peer, _ settings: HealthCheckSettings, _ deadline: Instant
    ) async {
        let failure = await probe.failure(
            of: peer.address, host: group.settings.members[peer.member].hostName, login: settings.login,
            deadline: deadline, scope: scope)
        switch failure {
        // These say nothing about the member.
        case .io(.cancelled)?, .io(.noPlace)?: return
        case let failure?:
            if await group.take(check: false, of: peer.id) { report(.lost(peer.address, failure)) }
        case nil:
            if await group.take(check: true, of: peer.id) { report(.recovered(peer.address)) }
        }
    }
}
