import CAres
import Glibc

/// c-ares, driven by the executor: its sockets are watched by `poll` operations, its clock is a timer
/// operation, and it never blocks.
///
/// ```
///   ask ──▶ c-ares ──opens, closes, wants to read or write──▶ DNSSocket ──▶ poll operations
///              ▲                                                   │
///              └──────────── ares_process_fd ◀── ready, timer ◀────┘
/// ```
/// c-ares calls back from within the calls made to it. Those callbacks only take notes; what follows
/// from them is done in `settle`, after c-ares has returned.
// Safety: touched on the executor's thread only, as every handler of an operation is. c-ares keeps an
// unretained pointer to this object until `cares_close`, which `close` calls and `deinit` makes sure of;
// each query in flight is retained until its callback, which comes exactly once.
@safe
final class DNSChannel {
    /// How long c-ares waits for a server before it asks the next; doubled after each round.
    private static let firstTimeout = Duration.seconds(2)
    /// Rounds of all servers. Four take 30 s with one server, nginx's own limit.
    private static let tries: Int32 = 4

    let executor: RingExecutor
    /// Told of each query that has an outcome.
    var finish: ((DNSQuery) -> Void)?
    /// nil once closed.
    private var channel: UnsafeMutableRawPointer?
    private var sockets: [Int32: DNSSocket] = [:]
    private let clock = DNSClock()
    private var finished: [DNSQuery] = []
    private var closing: Waiter<Void>?

    /// A channel without sockets. Whatever is in flight keeps it alive; without that it ends with its owner.
    init(_ settings: ResolverSettings, on executor: RingExecutor) {
        self.executor = executor
        let servers = settings.servers.map(\.description).joined(separator: ",")
        var calls = DNSChannel.calls
        unsafe channel = unsafe cares_open(
            servers, Int32(DNSChannel.firstTimeout.components.seconds) * 1000, DNSChannel.tries, &calls,
            Unmanaged.passUnretained(self).toOpaque())
        precondition(unsafe channel != nil, "c-ares has no memory, or a name server is no address")
    }

    deinit {
        if let channel = unsafe channel { unsafe cares_close(channel) }
    }

    /// What c-ares calls from within the calls made to it.
    private static var calls: cares_calls {
        unsafe cares_calls(
            open: { this, family, type in unsafe DNSChannel.from(this)?.openSocket(family: family, type: type) ?? -1 },
            close: { this, descriptor in unsafe DNSChannel.from(this)?.sockets[descriptor]?.close() },
            want: { this, descriptor, reading, writing in
                unsafe DNSChannel.from(this)?.sockets[descriptor]?.want(reading: reading != 0, writing: writing != 0)
            },
            answered: { argument, outcome, bytes, length in
                guard let argument = unsafe argument else { return }
                let query = unsafe Unmanaged<DNSQuery>.fromOpaque(argument).takeRetainedValue()
                query.take(
                    outcome: outcome, unsafe Array(UnsafeBufferPointer(start: bytes, count: Int(max(0, length)))))
                query.channel?.finished.append(query)
            })
    }

    /// The channel behind the pointer that c-ares hands to its callbacks.
    private static func from(_ pointer: UnsafeMutableRawPointer?) -> DNSChannel? {
        unsafe pointer.map { unsafe Unmanaged<DNSChannel>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Whether nothing more can be asked.
    var isClosed: Bool { unsafe channel == nil }

    /// Asks the next server in turn; `finish` is told of the outcome, at the earliest from within this call.
    func ask(_ query: DNSQuery) {
        guard let channel = unsafe channel else { return }
        query.channel = self
        let argument = unsafe Unmanaged.passRetained(query).toOpaque()
        unsafe cares_ask(channel, query.question.name, Int32(query.question.kind.rawValue), argument)
        settle()
    }

    /// Tells c-ares which descriptors are ready, -1 for none, and that time has passed.
    func process(reading: Int32, writing: Int32) {
        guard let channel = unsafe channel else { return }
        unsafe cares_process(channel, reading, writing)
        settle()
    }

    /// Ends all questions, and waits until the kernel has let go of all sockets.
    func close() async {
        if let channel = unsafe channel {
            // Before: its callbacks must find the channel closed.
            unsafe self.channel = nil
            unsafe cares_close(channel)
        }
        settle()
        while !sockets.isEmpty || clock.isRunning {
            await Waiter.wait { closing = consume $0 }
        }
        finish = nil
    }

    /// Does what follows from c-ares's callbacks.
    private func settle() {
        for socket in sockets.values { socket.watch() }
        setClock()
        while !finished.isEmpty { finish?(finished.removeFirst()) }
        closing.take()?.resume(returning: ())
    }

    private func setClock() {
        guard let channel = unsafe channel else { return clock.stop() }
        let left = unsafe cares_microseconds_left(channel)
        guard left >= 0 else { return clock.stop() }
        clock.set(to: executor.now + .microseconds(left), of: self)
    }

    // MARK: Sockets

    /// A new socket for c-ares; -1 and `errno` as socket(2).
    private func openSocket(family: Int32, type: Int32) -> Int32 {
        let descriptor = socket(family, type | SocketFlags.closeOnExec | SocketFlags.nonBlocking, 0)
        if descriptor >= 0 { sockets[descriptor] = DNSSocket(descriptor, of: self) }
        return descriptor
    }

    /// The kernel has let go of a socket that c-ares has done with.
    func forget(_ socket: DNSSocket) {
        sockets[socket.descriptor] = nil
        executor.kernel.close(socket.descriptor)
        closing.take()?.resume(returning: ())
    }

    fileprivate func clockStopped() { closing.take()?.resume(returning: ()) }
}

/// c-ares's next deadline, as a timer operation.
private final class DNSClock: CompletionHandler {
    /// As long as the operation is in flight.
    private var channel: DNSChannel?
    private var operation: Operation?

    init() { super.init(()) }

    var isRunning: Bool { operation != nil }

    func set(to deadline: Instant, of channel: DNSChannel) {
        if let operation {
            channel.executor.setDeadline(deadline, of: operation)
        } else {
            self.channel = channel
            operation = channel.executor.start(.timer, on: -1, deadline: deadline, handler: self)
        }
    }

    func stop() {
        if let operation { channel?.executor.cancel(operation) }
    }

    override func completed(_ operation: Operation, _ completion: Completion) {
        let channel = self.channel
        self.operation = nil
        self.channel = nil
        if completion.result == -ETIME {
            channel?.process(reading: -1, writing: -1)
        } else {
            channel?.clockStopped()
        }
    }
}
