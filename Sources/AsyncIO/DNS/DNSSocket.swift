import Glibc

/// One socket of c-ares: what it waits for, and the `poll` operations that wait in its place.
///
/// c-ares closes sockets from within its calls, when an operation may still be in flight. So closing is
/// ours: the descriptor's number must not be used again before the last completion.
final class DNSSocket {
    let descriptor: Int32
    private let channel: DNSChannel
    private let reading: DNSWatch
    private let writing: DNSWatch
    private var isClosed = false

    init(_ descriptor: Int32, of channel: DNSChannel) {
        self.descriptor = descriptor
        self.channel = channel
        reading = DNSWatch(events: UInt32(POLLIN))
        writing = DNSWatch(events: UInt32(POLLOUT))
        reading.socket = self
        writing.socket = self
    }

    /// Notes what c-ares waits for.
    func want(reading wantsToRead: Bool, writing wantsToWrite: Bool) {
        reading.isWanted = wantsToRead
        writing.isWanted = wantsToWrite
    }

    /// Notes that c-ares has done with it.
    func close() {
        isClosed = true
        want(reading: false, writing: false)
    }

    /// Starts and ends operations as noted.
    func watch() {
        for watch in [reading, writing] { watch.update(on: channel.executor) }
        if isClosed, reading.operation == nil, writing.operation == nil {
            reading.socket = nil
            writing.socket = nil
            channel.forget(self)
        }
    }

    /// One of the operations is over; `isReady` unless it was cancelled.
    fileprivate func ended(_ watch: DNSWatch, isReady: Bool) {
        guard isReady, watch.isWanted else { return self.watch() }
        channel.process(
            reading: watch === reading ? descriptor : -1,
            writing: watch === writing ? descriptor : -1)
    }
}

/// Waits for one direction of a socket, again and again while that is wanted.
private final class DNSWatch: CompletionHandler {
    private let events: UInt32
    /// Until the socket is closed; the two own each other as long.
    var socket: DNSSocket?
    var isWanted = false
    private(set) var operation: Operation?

    init(events: UInt32) {
        self.events = events
        super.init(())
    }

    func update(on executor: RingExecutor) {
        guard let socket else { return }
        if isWanted, operation == nil {
            operation = executor.start(.poll(events: events), on: socket.descriptor, handler: self)
        } else if !isWanted, let operation {
            executor.cancel(operation)
        }
    }

    override func completed(_ operation: Operation, _ completion: Completion) {
        self.operation = nil
        // What is wrong with a descriptor c-ares finds out by using it.
        socket?.ended(self, isReady: completion.result != -ECANCELED)
    }
}
