/// What a session sees of a relay, whatever its sides speak.
package protocol Relaying: AnyObject {
    /// Cancelled to end it.
    var scope: CancellationScope { get }
    /// Relays until the end, and resumes `waiter` then.
    func begin(_ waiter: consuming Waiter<Void>)
    /// How it ended; nil before.
    var end: Relay.End? { get }
    /// The first failure to read, which ended that side's stream like a close; nil where there was none.
    var sourceFailure: (side: Relay.Side, code: Int32)? { get }
    /// Bytes received from the client, without what TLS adds.
    var received: UInt64 { get }
    /// Bytes sent to the client, or on their way when the relay broke; without what TLS adds.
    var sent: UInt64 { get }
}

extension Relay: Relaying {}

extension Relaying {
    /// Relays until the end.
    package func run() async { await Waiter.wait { begin($0) } }
}
