import AsyncIO

/// What is known of how one back-end serves: by the clients that were sent there, and by checks.
///
/// ```
/// serving --max_fails failures--> out for fail_timeout --> one client is the probe --failure--> out again
///    ^                                                                |
///    +---------------------------- success --------------------------+
/// ```
/// The bookkeeping is nginx's (`ngx_stream_upstream_free_round_robin_peer`), checks apart.
package struct BackEndHealth: Sendable, Hashable {
    /// Failures since it was last known to serve.
    private(set) var fails = 0
    private var lastFailure: Instant?
    /// The last failure, or when the count of failures began anew with a client sent there.
    private var checked: Instant?
    /// What the checks say.
    private(set) var passesChecks = true
    /// Checks in a row that contradict `passesChecks`.
    private var contradictions = 0
    /// When it came back; for `slow_start`.
    private(set) var returned: Instant?

    init() {}

    /// Whether clients found it not serving lately.
    func isFailing(_ member: BackEndGroupSettings.Member, at now: Instant) -> Bool {
        guard member.failsMaximum > 0, fails >= member.failsMaximum, let checked else { return false }
        return now - checked <= member.failTimeout
    }

    /// A client is sent there.
    mutating func isChosen(_ member: BackEndGroupSettings.Member, at now: Instant) {
        // From here to the end of another `fail_timeout` it is the only one: the probe.
        guard checked.map({ now - $0 > member.failTimeout }) ?? true else { return }
        checked = now
    }

    /// It did not serve a client; whether that takes it out.
    mutating func failed(_ member: BackEndGroupSettings.Member, at now: Instant) -> Bool {
        fails += 1
        lastFailure = now
        checked = now
        return member.failsMaximum > 0 && fails == member.failsMaximum
    }

    /// It served a client.
    mutating func served(_ member: BackEndGroupSettings.Member, at now: Instant) {
        guard let checked, lastFailure.map({ $0 < checked }) ?? true else { return }
        if member.failsMaximum > 0, fails >= member.failsMaximum { returned = now }
        fails = 0
    }

    /// A check's outcome; whether that changes what the checks say.
    mutating func take(check passed: Bool, _ settings: HealthCheckSettings, at now: Instant) -> Bool {
        guard passed != passesChecks else {
            contradictions = 0
            return false
        }
        contradictions += 1
        guard contradictions >= (passed ? settings.passesMinimum : settings.failsMaximum) else { return false }
        contradictions = 0
        passesChecks = passed
        if passed {
            returned = now
            fails = 0
        }
        return true
    }

    /// There are no checks any more.
    mutating func forgetChecks() { passesChecks = true }

    /// It is new among the others.
    mutating func arrives(at now: Instant) { returned = now }
}
