/// One of the two halves of a relay, as the relay sees it: what comes from one side, and its way to the other.
///
/// A class to inherit from, since completions go to one (`CompletionHandler`).
class RelayHalf: CompletionHandler {
    // Safety of `unowned`: the relay owns its halves and outlives what they have in flight.
    unowned var relay: Relay?
    /// Bytes received from that side, without what TLS adds.
    var byteCount: UInt64
    /// That side's connection; the other's belongs to the other half.
    let source: Descriptor
    /// Whose stream this is.
    let side: Relay.Side
    /// Everything that the side sent before its end was delivered.
    var isFinished = false
    private var hasSentBulk = false
    /// The errno of the read that failed, which ended that side's stream like a close; 0 where none did.
    var readFailure: Int32 = 0

    /// - Parameter receivedBefore: bytes that the relay begins with, which came from this side.
    init(_ side: Relay.Side, source: Descriptor, receivedBefore: Int) {
        self.side = side
        self.source = source
        byteCount = UInt64(receivedBefore)
        super.init(())
    }

    /// Nothing is in flight and no buffer is held.
    var isIdle: Bool { preconditionFailure("a half says what it holds") }

    /// Learns where it belongs, and sends what it was given to begin with; `pump` comes next.
    func begin(in relay: Relay) { self.relay = relay }

    /// Starts whatever can go on.
    func pump(_ relay: Relay) { preconditionFailure("a half moves bytes") }

    /// Cancels what is in flight and lets go of what is held.
    func stop(in relay: Relay) { preconditionFailure("a half ends") }

    /// Moves the deadline of what is in flight.
    func setDeadline(_ deadline: Instant, in relay: Relay) { preconditionFailure("a half has deadlines") }

    /// Bulk is on its way to `target`: the first time, a target on this machine is taken out of the system's
    /// congestion control, which protects a network that these bytes never meet (docs/decisions/0009). That is for
    /// clients within the machine whose listener has others, too; logins and small messages would not be worth the call.
    func noteBulk(towards target: Descriptor, in relay: Relay) {
        guard !hasSentBulk else { return }
        hasSentBulk = true
        let kernel = relay.executor.kernel
        if kernel.peerAddress(of: target.number)?.isLoopback == true { kernel.skipCongestionControl(target.number) }
    }
}
