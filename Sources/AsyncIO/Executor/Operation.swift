import Glibc

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
/// or write (`payload`, `address`) belongs to the operation until the last completion: cancelling asks
/// the kernel and then waits, it never abandons.
// Safety: touched only on its executor's thread, which `RingExecutor.start` asserts.
@safe
package final class Operation: @unchecked Sendable {
    /// What is asked of the kernel.
    package enum Request: Sendable {
        /// Accept connections until cancelled; each completion carries one descriptor.
        case acceptMany
        /// Connect to `address`.
        case connect
        /// Receive once into one lent buffer. `expectsSilence`: nothing is there yet, wait before trying.
        case receive(expectsSilence: Bool)
        /// Receive into lent buffers, one per completion, until cancelled or ended.
        case receiveMany
        /// Receive once into as many lent buffers as hold `limit` bytes.
        case receiveBundle(limit: Int, expectsSilence: Bool)
        /// Send all of `payload`.
        case send
        /// Send all the pieces of `vector`, which lie in lent buffers.
        case sendVector
        /// Wait until one of the poll(2) events holds.
        case poll(events: UInt32)
        /// Nothing but the deadline.
        case timer
    }

    /// Who is told about completions of an operation that no task awaits.
    package protocol Handler: AnyObject {
        /// Runs on the executor's thread, outside any task; `operation` is idle again unless `completion.more`.
        func completed(_ operation: Operation, _ completion: Completion)
    }

    /// Place in the table, and how often it was reused; together the kernel's `user_data`.
    let index: UInt32
    var generation: UInt32 = 1

    package internal(set) var descriptor: Int32 = -1
    package internal(set) var request: Request = .timer
    package internal(set) var inFlight = false
    /// The executor's turn in which it was started.
    package internal(set) var turn: UInt64 = 0
    /// Cancelled or timed out; the kernel was asked, its last completion is still to come.
    var ending: Ending?
    /// Stands in epoll's list for the next turn.
    var isToBeAttempted = false
    /// Waiting for lent buffers to return.
    var isStarved = false

    /// Bytes to send, owned and wiped at the end; nil for other requests.
    var payload: UnsafeMutableRawBufferPointer?
    /// How much of `payload` or `vector` the kernel has taken.
    var sent = 0
    /// Pieces to send; they lie in lent buffers that the handler gives back after completion.
    package internal(set) var vector: [LentBytes] = []
    /// iovec and msghdr of a `sendVector`, allocated at submission, freed at completion.
    var message: UnsafeMutableRawPointer?
    /// Where to connect, in the kernel's form.
    var address: KernelAddress?

    /// The wheel's links: neighbours in a slot, by table index; -1 for none.
    var deadline = Instant.never
    var slot: Int32 = -1
    var previous: Int32 = -1
    var following: Int32 = -1

    var continuation: UnsafeContinuation<Completion, Never>?
    var handler: (any Handler)?
    /// The scope that cancels it; the scope lists it while it is in flight.
    var scope: CancellationScope?

    enum Ending { case cancelled, timedOut }

    init(index: UInt32) { self.index = index }

    /// What the kernel gives back in a completion.
    var userData: UInt64 { UInt64(generation) << 32 | UInt64(index) }

    /// The bytes still to be sent.
    var unsentLength: Int {
        let total = unsafe payload?.count ?? vector.reduce(0) { $0 + $1.length }
        return total - sent
    }

    /// Receives into lent buffers, and so can find none.
    var wantsBuffers: Bool {
        switch request {
        case .receive, .receiveMany, .receiveBundle: true
        default: false
        }
    }

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

    /// Takes a copy of `bytes` as what is to be sent.
    func adopt(payload bytes: [UInt8]) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        unsafe copy.copyBytes(from: bytes)
        unsafe payload = copy
    }

    /// Frees and wipes what the kernel no longer needs.
    func releaseMemory() {
        if let payload = unsafe payload {
            // Lines towards back-ends hold passwords.
            if let base = payload.baseAddress { unsafe explicit_bzero(base, payload.count) }
            unsafe payload.deallocate()
            unsafe self.payload = nil
        }
        if let message = unsafe message {
            unsafe message.deallocate()
            unsafe self.message = nil
        }
        sent = 0
        if !vector.isEmpty { vector = [] }
        if address != nil { address = nil }
    }
}

/// How one step of an operation ended.
package struct Completion: Sendable {
    /// Bytes, a descriptor or poll events; below zero a negated errno.
    package var result: Int32
    /// The first of the lent buffers that hold what was received; its successors by `BufferPool.following`.
    package var buffer: UInt16?
    /// Further completions of the same operation will come.
    package var more: Bool

    package init(result: Int32, buffer: UInt16? = nil, more: Bool = false) {
        self.result = result
        self.buffer = buffer
        self.more = more
    }

    static let cancelled = Completion(result: -ECANCELED)

    /// The result, or the failure of `call`.
    package func value(of call: IOError.SystemCall) throws(IOError) -> Int {
        if result >= 0 { return Int(result) }
        switch -result {
        case ECANCELED: throw .cancelled
        case ETIME: throw .timedOut
        case let code: throw .system(call, code: code)
        }
    }
}
