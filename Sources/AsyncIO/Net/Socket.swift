import Glibc

/// One connected stream socket: the way bytes come and go while a task awaits them.
///
/// A descriptor seen by one session: operations end early when the session's `scope` is cancelled.
/// The descriptor is closed with its last reference; an operation in flight is always awaited, so
/// none can be in flight then.
package struct Socket: Sendable {
    /// Shared, so that a kept-alive connection can pass from one session to the next.
    package let handle: Descriptor
    package let scope: CancellationScope

    package init(_ handle: Descriptor, scope: CancellationScope) {
        self.handle = handle
        self.scope = scope
    }

    /// Takes over a descriptor that holds a place in `budget`.
    package init(adopting descriptor: Int32, scope: CancellationScope, place budget: ConnectionBudget? = nil) {
        self.init(Descriptor(adopting: descriptor, of: scope.executor, place: budget), scope: scope)
    }

    package var executor: RingExecutor { scope.executor }
    package var descriptor: Int32 { handle.number }

    /// The other end's address; nil when it has gone already.
    package var peerAddress: SocketAddress? { executor.kernel.peerAddress(of: descriptor) }

    /// Our own address on this connection.
    package var localAddress: SocketAddress? { executor.kernel.localAddress(of: descriptor) }

    /// Appends what arrives to `queue`, at most one lent buffer's worth; returns the count, 0 at the end of the stream.
    package func receive(into queue: inout ByteQueue, deadline: Instant) async throws(IOError) -> Int {
        let completion = await executor.perform(
            .receive(expectsSilence: false), on: descriptor, deadline: deadline, scope: scope)
        return try take(completion, into: &queue)
    }

    /// Sends all of `bytes`; the kernel's copy is wiped afterwards.
    package func send(_ bytes: [UInt8], deadline: Instant) async throws(IOError) {
        guard !bytes.isEmpty else { return }
        let completion = await executor.perform(
            .send, on: descriptor, deadline: deadline, scope: scope,
            outgoing: Outgoing(copying: bytes))
        _ = try completion.value(of: .send)
    }

    /// Sends `bytes` and receives the peer's answer, both handed to the kernel in one call.
    ///
    /// As `receive`, with the send's failure in place of the receive's when both fail.
    package func exchange(
        _ bytes: [UInt8], into queue: inout ByteQueue, deadline: Instant
    ) async throws(IOError) -> Int {
        guard !bytes.isEmpty else { return try await receive(into: &queue, deadline: deadline) }
        guard !scope.isCancelled else { throw .cancelled }
        let sending = BackgroundSend()
        sending.operation = executor.start(
            .send, on: descriptor, deadline: deadline, scope: scope, handler: sending,
            outgoing: Outgoing(copying: bytes))
        let completion = await executor.perform(
            .receive(expectsSilence: true), on: descriptor, deadline: deadline, scope: scope)
        if completion.result > 0 {
            // Copied out at once: the send may wait for long, and a lent buffer must not wait with it.
            let count = try take(completion, into: &queue)
            let sent = await sending.completion()
            // What was cut off must not be followed by more; a peer that has gone shows when it is read next.
            if sent.result == -ETIME || sent.result == -ECANCELED { _ = try sent.value(of: .send) }
            return count
        }
        // Who has ended its stream may still read; after a failure nobody does.
        if completion.result < 0, let operation = sending.operation { executor.cancel(operation) }
        let sent = await sending.completion()
        let isCancelledByUs = sent.result == -ECANCELED && !scope.isCancelled
        if sent.result < 0, !isCancelledByUs { _ = try sent.value(of: .send) }
        return try take(completion, into: &queue)
    }

    /// Sends what the kernel takes of `bytes` at once, and no more: for a last word, also after cancellation.
    package func sendAtOnce(_ bytes: [UInt8]) { executor.kernel.sendAtOnce(bytes, on: descriptor) }

    /// Ends our side of the stream (FIN); what the peer still sends can be received.
    package func shutdownSending() { executor.kernel.shutdownSending(descriptor) }

    private func take(_ completion: Completion, into queue: inout ByteQueue) throws(IOError) -> Int {
        let count = try completion.value(of: .recv)
        if let buffer = completion.buffer {
            let piece = LentBytes(buffer: buffer, offset: 0, length: count)
            let pool = executor.kernel.buffers
            pool.copy(piece, to: &queue)
            pool.wipe(piece)
            executor.giveBack(buffer)
        }
        return count
    }
}

/// A send that goes on while its task awaits something else.
private final class BackgroundSend: CompletionHandler {
    /// In flight until `completed`.
    var operation: Operation?
    private var result: Completion?
    private var waiter: Waiter<Completion>?

    init() { super.init(()) }

    override func completed(_ operation: Operation, _ completion: Completion) {
        self.operation = nil
        result = completion
        waiter.take()?.resume(returning: completion)
    }

    /// How it ended; waits until it has.
    func completion() async -> Completion {
        if let result { return result }
        return await Waiter.wait { waiter = consume $0 }
    }
}
