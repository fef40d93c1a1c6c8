/// One request to the kernel, from its submission to its last completion.
///
/// ```
///   idle --start--> inFlight --completion without `more`--> idle
///                      | cancel / deadline
///                      v
///                   inFlight, ending --the same completion--> idle
/// ```
/// Operations live in the executor's `OperationTable` and are reused; `user_data` is table index and
/// generation, so that a late completion can never meet its successor. What the kernel may still read
/// (`outgoing`) belongs to the operation until the last completion: cancelling asks the kernel and
/// then waits, it never abandons. A silent session is two of these, so each byte here counts.
// Safety: touched only on its executor's thread, which `RingExecutor.begin` asserts.
@safe
package final class Operation: @unchecked Sendable {
    /// What is asked of the kernel.
    package enum Request: Sendable {
        /// Accept connections until cancelled; each completion carries one descriptor.
        case acceptMany
        /// Connect to `outgoing.address`.
        case connect
        /// Receive once into one lent buffer. `expectsSilence`: nothing is there yet, wait before trying.
        case receive(expectsSilence: Bool)
        /// Receive into lent buffers, one per completion, until cancelled or ended.
        case receiveMany
        /// Receive once into as many lent buffers as hold `limit` bytes.
        case receiveBundle(limit: UInt32)
        /// Send all of `outgoing.payload`.
        case send
        /// Send all the pieces of `outgoing.vector`, which lie in lent buffers.
        case sendVector
        /// Wait until one of the poll(2) events holds.
        case poll(events: UInt32)
        /// Nothing but the deadline.
        case timer
    }

    /// Cancelled or timed out; the kernel was asked, the last completion is still to come.
    enum Ending { case cancelled, timedOut }

    /// Who is told of its completions.
    // Safety: the executor takes a task out before it resumes it, so none is resumed twice.
    @safe
    enum Listener {
        case nobody
        case handler(CompletionHandler)
        case task(UnsafeContinuation<Completion, Never>)
    }

    /// What it waits for while the kernel does not have it.
    enum Queue { case none, turn, buffers, outbox }

    // In an order that leaves no gaps: 88 bytes are what malloc has a size for, one more would cost sixteen.

    /// What it sends, or where it connects; nil for other requests.
    var outgoing: Outgoing?
    /// When it ends unless it is over by then.
    var deadline = Instant.never
    /// The scope that cancels it, while it is in flight.
    var scope: CancellationScope?
    var listener = Listener.nobody
    var ending: Ending?
    package internal(set) var inFlight = false
    /// Epoll's list for the next turn, or one of the executor's: those that wait for lent buffers to return, or for
    /// something to be said before them.
    var queue = Queue.none
    package internal(set) var request: Request = .timer
    /// The executor's turn in which it was started, its lowest bits.
    var turn: UInt8 = 0
    /// The timer wheel's links: slot, and neighbours in it by table index; -1 for none.
    var slot: Int16 = -1
    var previous: Int32 = -1
    var following: Int32 = -1
    /// The next one that its scope cancels, by table index; -1 for none.
    var nextInScope: Int32 = -1
    /// Place in the table, and how often it was reused; together the kernel's `user_data`.
    let index: UInt32
    var generation: UInt32 = 1
    package internal(set) var descriptor: Int32 = -1

    init(index: UInt32) { self.index = index }

    /// What the kernel gives back in a completion.
    var userData: UInt64 { UInt64(generation) << 32 | UInt64(index) }

    /// Receives into lent buffers, and so can find none.
    var wantsBuffers: Bool {
        switch request {
        case .receive, .receiveMany, .receiveBundle: true
        default: false
        }
    }

    var isAccept: Bool { if case .acceptMany = request { true } else { false } }

    /// Sends, from memory of its own or from lent buffers.
    var isSend: Bool {
        switch request {
        case .send, .sendVector: true
        default: false
        }
    }

    /// Sends from lent buffers, and so keeps them from others.
    var isSendingLentBytes: Bool {
        if case .sendVector = request { return true }
        return false
    }

    /// Bytes still to be sent.
    var unsentLength: Int { outgoing?.rest ?? 0 }
}
