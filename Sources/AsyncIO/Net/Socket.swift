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
        try await exchange([], into: &queue, deadline: deadline)
    }

    /// Sends all of `bytes`; the kernel's copy is wiped afterwards.
    package func send(_ bytes: [UInt8], deadline: Instant) async throws(IOError) {
        try await sendAsItIs(
            handle.tls.map { (tls) throws(IOError) in try encrypted(bytes, by: tls) } ?? bytes, deadline)
    }

    /// Sends `bytes` at the end of this turn of the executor, and receives the peer's answer.
    ///
    /// As `receive`, with the send's failure in place of the receive's when both fail.
    package func exchange(
        _ bytes: [UInt8], into queue: inout ByteQueue, deadline: Instant
    ) async throws(IOError) -> Int {
        if let tls = handle.tls { return try await exchange(bytes, through: tls, into: &queue, deadline) }
        return try await exchangeAsItIs(bytes, deadline) { queue.append($0) }
    }

    /// Sends what the kernel takes of `bytes` at once, and no more: for a last word, also after cancellation.
    package func sendAtOnce(_ bytes: [UInt8]) {
        // Nothing is said in clear to somebody who wants TLS.
        executor.kernel.sendAtOnce(handle.tls.map { $0.send(bytes) } ?? bytes, on: descriptor)
    }

    /// Ends our side of the stream (FIN); what the peer still sends can be received.
    package func shutdownSending() {
        if let farewell = handle.tls?.close(), !farewell.isEmpty {
            executor.kernel.sendAtOnce(farewell, on: descriptor)
        }
        executor.kernel.shutdownSending(descriptor)
    }

    // MARK: TLS

    /// Does a server's TLS handshake; everything goes through TLS from here on, also when it fails.
    ///
    /// - Parameters:
    ///   - names: contexts for clients that ask for one by name.
    ///   - early: what was received already.
    package func secure(
        by context: TLSContext, names: TLSServerNames? = nil, early: [UInt8] = [], deadline: Instant
    ) async throws(IOError) {
        try await shakeHands(TLSEngine(server: context, names: names), early, deadline)
    }

    /// Does a client's TLS handshake with the server called `name`; the same holds.
    package func secure(
        by context: TLSContext, peer: String, name: String, sendsName: Bool, deadline: Instant
    ) async throws(IOError) {
        try await shakeHands(TLSEngine(client: context, peer: peer, name: name, sendsName: sendsName), [], deadline)
    }

    private func shakeHands(_ tls: TLSEngine, _ received: [UInt8], _ deadline: Instant) async throws(IOError) {
        precondition(handle.tls == nil, "a connection has TLS once")
        handle.tls = tls
        var early = ByteQueue()
        var ciphertext = tls.start()
        if !received.isEmpty { ciphertext += tls.receive(received, into: &early) }
        while tls.state == .handshaking {
            ciphertext = try await feed(tls, after: ciphertext, into: &early, deadline)
        }
        if case .failed(let failure) = tls.state {
            // The alert that says why; whoever does not take it at once does without.
            executor.kernel.sendAtOnce(ciphertext, on: descriptor)
            throw .tls(failure)
        }
        tls.keep(ciphertext: ciphertext, plaintext: early.takeAll())
    }

    /// Not inlined: whoever waits in clear would wait in a frame of 580 bytes instead of 240.
    @inline(never)
    private func exchange(
        _ bytes: [UInt8], through tls: TLSEngine, into queue: inout ByteQueue, _ deadline: Instant
    ) async throws(IOError) -> Int {
        var ciphertext = try encrypted(bytes, by: tls)
        let before = queue.count
        tls.takePlaintext(into: &queue)
        // Several times where what arrives is TLS's own: a ticket, a record in pieces.
        while queue.count == before, tls.state == .open {
            ciphertext = try await feed(tls, after: ciphertext, into: &queue, deadline)
        }
        try await sendAsItIs(ciphertext, deadline)
        if queue.count == before, case .failed(let failure) = tls.state { throw .tls(failure) }
        return queue.count - before
    }

    /// Sends `ciphertext`, and feeds what arrives to `tls`; returns what has to be sent next.
    private func feed(
        _ tls: TLSEngine, after ciphertext: [UInt8], into queue: inout ByteQueue, _ deadline: Instant
    ) async throws(IOError) -> [UInt8] {
        var next: [UInt8] = []
        if try await exchangeAsItIs(ciphertext, deadline, take: { next = tls.receive($0, into: &queue) }) == 0 {
            tls.endOfStream()
        }
        return next
    }

    private func encrypted(_ bytes: [UInt8], by tls: TLSEngine) throws(IOError) -> [UInt8] {
        let ciphertext = tls.send(bytes)
        if case .failed(let failure) = tls.state { throw .tls(failure) }
        return ciphertext
    }

    // MARK: Without TLS

    private func sendAsItIs(_ bytes: [UInt8], _ deadline: Instant) async throws(IOError) {
        guard !bytes.isEmpty else { return }
        guard !scope.isCancelled else { throw .cancelled }
        // Nearly always all that is to be said: a plain call is cheaper than an operation, and leaves no copy behind.
        var taken = executor.kernel.sendAtOnce(bytes, on: descriptor)
        if taken == -Int(EAGAIN) { taken = 0 }
        guard try Completion(result: Int32(taken)).value(of: .send) < bytes.count else { return }
        let completion = await executor.perform(
            .send, on: descriptor, deadline: deadline, scope: scope, outgoing: Outgoing(copying: bytes[taken...]))
        _ = try completion.value(of: .send)
    }

    /// Sends `bytes` while it receives; `take` gets what arrives as soon as it is there. Inlined, for each frame of a
    /// wait is a turn more of the runtime's locks.
    @inline(__always)
    private func exchangeAsItIs(
        _ bytes: [UInt8], _ deadline: Instant, take: (RawSpan) -> Void
    ) async throws(IOError) -> Int {
        let completion = await executor.perform(
            .receive(expectsSilence: !bytes.isEmpty), on: descriptor, deadline: deadline, scope: scope, saying: bytes)
        if completion.isUnsaid { return try await exchangeInTurns(bytes, sent: completion, deadline, take: take) }
        return try hand(completion, to: take)
    }

    /// The same for what the socket has not taken, or not all of it, as `sent` tells.
    private func exchangeInTurns(
        _ bytes: [UInt8], sent: Completion, _ deadline: Instant, take: (RawSpan) -> Void
    ) async throws(IOError) -> Int {
        guard !scope.isCancelled else { throw .cancelled }
        if sent.result < 0, sent.result != -EAGAIN {
            // Who has gone may have said something before; the rest of its failures are those of the send.
            let completion = await executor.perform(
                .receive(expectsSilence: false), on: descriptor, deadline: deadline, scope: scope)
            if completion.result <= 0 { _ = try sent.value(of: .send) }
            return try hand(completion, to: take)
        }
        let sending = BackgroundSend()
        sending.operation = executor.start(
            .send, on: descriptor, deadline: deadline, scope: scope, handler: sending,
            outgoing: Outgoing(copying: bytes[max(Int(sent.result), 0)...]))
        let completion = await executor.perform(
            .receive(expectsSilence: true), on: descriptor, deadline: deadline, scope: scope)
        if completion.result > 0 {
            // Copied out at once: the send may wait for long, and a lent buffer must not wait with it.
            let count = try hand(completion, to: take)
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
        return try hand(completion, to: take)
    }

    /// Shows what was received to `take`, then overwrites it and gives the buffer back.
    private func hand(_ completion: Completion, to take: (RawSpan) -> Void) throws(IOError) -> Int {
        let count = try completion.value(of: .recv)
        if let buffer = completion.buffer {
            let piece = LentBytes(buffer: buffer, offset: 0, length: count)
            let pool = executor.buffers
            pool.show(piece, to: take)
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
