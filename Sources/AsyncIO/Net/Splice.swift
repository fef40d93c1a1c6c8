import Glibc

/// Moves the bulk of one direction through a pipe, from socket to socket, without ever seeing it.
///
/// ```
///   source readable ──▶ fill the pipe ──▶ drain it ──▶ empty: wait for the source; silent for long: over
///                                            │   ▲
///                                            ▼   └──────┐
///                                   the target is full: wait for it; for long: over, the rest copied out
/// ```
/// Nothing is copied here: the pages that the source's packets arrived in leave with the target's. Whoever
/// waits in here holds a pipe, of which there are few, so waits are short.
final class Splice: CompletionHandler {
    /// How a splice ends; the direction goes on as before it.
    enum End {
        /// The source has nothing more at present, or nothing that goes through a pipe: a receive finds out.
        case silence
        /// Reading failed, with a negated errno, which counts as the source's end.
        case sourceFailed(Int32)
        /// The target keeps us waiting; what was in the pipe is here.
        case slowTarget([UInt8])
        /// Writing failed, with a negated errno.
        case failed(Int32)
        /// By the end of the relay.
        case stopped
    }

    /// The source's silence after which the pipe is of more use elsewhere.
    private static let silenceNanoseconds: UInt64 = 20_000_000

    private let pipe: Pipe
    // Safety of `unowned`: the direction holds its splice until `spliceEnded`, and outlives it.
    private unowned let direction: RelayDirection
    private let target: Descriptor
    private unowned var relay: Relay?
    /// The wait for one of the sockets.
    private var waiting: Operation?

    /// A transfer through `pipe`, which is empty and comes from the executor's pool.
    init(through pipe: Pipe, for direction: RelayDirection, to target: Descriptor) {
        self.pipe = pipe
        self.target = target
        self.direction = direction
        super.init(())
    }

    /// Begins; ends by `spliceEnded`, perhaps at once.
    func begin(in relay: Relay) {
        self.relay = relay
        move(relay, isReadable: false)
    }

    /// Ends it, soon: `spliceEnded` says when.
    func stop(in relay: Relay) {
        if let waiting { relay.executor.cancel(waiting) }
    }

    /// Once through the pipe. What has arrived meanwhile waits for the next turn: others come first, and the more
    /// that moves at once, the fewer wake-ups the receiver costs.
    /// - Parameter isReadable: a poll has said that the source has something.
    private func move(_ relay: Relay, isReadable: Bool) {
        if pipe.count == 0 {
            let moved = pipe.fill(from: direction.source.number)
            switch moved {
            case 1...: direction.spliced(moved, in: relay)
            case -Int(EAGAIN) where !isReadable: return wait(for: direction.source, POLLIN, relay)
            // splice(2) does not get past TCP's urgent mark, and says in front of it that the stream ends where that
            // ends behind it. A receive gets past it, and knows the end.
            case 0, -Int(EAGAIN): return end(.silence, relay)
            default: return end(.sourceFailed(Int32(moved)), relay)
            }
        }
        let moved = pipe.drain(to: target.number)
        guard moved >= 0 || moved == -Int(EAGAIN) else { return end(.failed(Int32(moved)), relay) }
        if pipe.count > 0 {
            wait(for: target, POLLOUT, relay)
        } else {
            wait(for: direction.source, POLLIN, relay)
        }
    }

    private func wait(for descriptor: Descriptor, _ event: Int32, _ relay: Relay) {
        let patience = event == POLLIN ? Splice.silenceNanoseconds : RelayDirection.slownessNanoseconds
        waiting = relay.executor.start(
            .poll(events: UInt32(event)), on: descriptor.number,
            deadline: min(relay.nextDeadline, relay.executor.now.advanced(byNanoseconds: patience)),
            scope: relay.scope, handler: self)
    }

    override func completed(_ operation: Operation, _ completion: Completion) {
        guard let relay else { return }
        waiting = nil
        switch completion.result {
        case _ where relay.isEnding || relay.scope.isCancelled, -ECANCELED: end(.stopped, relay)
        case -ETIME: end(pipe.count > 0 ? .slowTarget(pipe.takeAll()) : .silence, relay)
        // An empty pipe waits for the source, a full one for the target.
        default: move(relay, isReadable: true)
        }
    }

    private func end(_ end: End, _ relay: Relay) {
        relay.executor.kernel.pipes?.giveBack(pipe)
        direction.spliceEnded(end, in: relay)
    }
}
