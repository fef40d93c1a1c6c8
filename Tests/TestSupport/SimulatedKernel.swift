import Glibc

@testable import AsyncIO

/// A kernel made of a seed: virtual time, sockets in memory, and every fault a network has.
///
/// Reads and writes are cut at random, completions come late and out of order, connections are
/// reset, accepting fails. One seed is one history, so a failure can be repeated. Whoever runs on it
/// can be checked for leaks at the end: descriptors, lent buffers, operations.
package final class SimulatedKernel: Kernel {
    /// How likely each fault is.
    package struct Faults: Sendable {
        /// A transfer is cut short.
        package var short = 0.5
        /// A ready operation is made to wait for up to `delay`.
        package var late = 0.3
        package var delay: Duration = .milliseconds(20)
        /// Whoever receives is told that more is there.
        package var foreseen = 0.5
        /// A transfer resets the connection instead.
        package var reset = 0.0
        /// An accept, or a new socket, fails for want of descriptors.
        package var exhausted = 0.0

        package init() {}

        /// Cuts and delays only: everything arrives in the end.
        package static let gentle = Faults()

        /// Connections break as well.
        package static let hostile = {
            var faults = Faults()
            faults.reset = 0.02
            faults.exhausted = 0.05
            return faults
        }()
    }

    package let name = "simulation"
    private let seed: UInt64
    package let buffers: BufferPool
    package let features: KernelFeatures
    package private(set) var now = Instant(nanoseconds: 1_000_000_000)
    package var faults: Faults
    /// How many bytes wait at an end of a new connection before its peer has to.
    package var capacities = 16...512
    /// Called at the begin of each turn with its number, to interfere at every step.
    package var onTurn: ((Int) -> Void)?
    package private(set) var turns = 0
    /// Plain calls that sent something: packets, where nothing was withheld.
    package private(set) var sendsAtOnce = 0
    /// Those of them that promised that more would follow.
    package private(set) var sendsWithheld = 0
    /// A history with more turns goes round in circles.
    private static let turnsMaximum = 200_000

    /// Bytes moved in this turn, even if no operation was completed by it.
    private var hasProgressed = false
    private var random: SeededRandom
    private var pending: [(operation: Operation, notBefore: Instant)] = []
    private var endpoints: [Int32: Endpoint] = [:]
    private var listeners: [SocketAddress: Listener] = [:]
    private var nextDescriptor: Int32 = 100
    private var nextPort: UInt16 = 40_000

    private final class Endpoint {
        var incoming: [UInt8] = []
        /// Came with the promise that more follows, and stays out of sight until it does: for ever, if it does not.
        var withheld: [UInt8] = []
        var capacity: Int
        weak var peer: Endpoint?
        /// No more will come: the peer shut down or closed.
        var ended = false
        var isReset = false
        var isConnected = false
        var address: SocketAddress
        var peerAddress: SocketAddress?

        init(capacity: Int, address: SocketAddress) {
            self.capacity = capacity
            self.address = address
        }

        var room: Int { capacity - incoming.count - withheld.count }

        /// What was withheld can be received.
        func show() {
            incoming += withheld
            withheld = []
        }

        /// Nothing comes behind what was sent.
        func end() {
            show()
            ended = true
        }
    }

    private final class Listener {
        let descriptor: Int32
        var queue: [Int32] = []
        init(descriptor: Int32) { self.descriptor = descriptor }
    }

    package init(
        seed: UInt64, faults: Faults = .gentle, features: KernelFeatures = .all,
        buffers: BufferPool = BufferPool(count: 16, size: 64)
    ) {
        self.seed = seed
        random = SeededRandom(seed: seed)
        self.faults = faults
        self.features = features
        self.buffers = buffers
    }

    /// Descriptors of connections that nobody closed.
    package var openConnections: Int { endpoints.count }

    /// A listening descriptor at a fresh address.
    package func listen() -> (descriptor: Int32, address: SocketAddress) {
        nextPort += 1
        let address = SocketAddress.ipv4(.loopback, port: nextPort)
        let listener = Listener(descriptor: newDescriptor())
        listeners[address] = listener
        return (listener.descriptor, address)
    }

    private func newDescriptor() -> Int32 {
        nextDescriptor += 1
        return nextDescriptor
    }

    // MARK: Kernel

    package func start(_ operation: Operation) { pending.append((operation, dueTime())) }

    package func cancel(_ operation: Operation) {
        // Left in place: it ends in one of the next turns, as a real kernel's would.
    }

    package func giveBack(buffer: UInt16) { buffers.giveBackFree(buffer) }

    package func turn(waitingUntil deadline: Instant?, gathering: Bool, for executor: RingExecutor) {
        turns += 1
        if turns > SimulatedKernel.turnsMaximum { stop("this never ends") }
        onTurn?(turns)
        var delivered = false
        hasProgressed = false
        var order = Array(pending.indices)
        order.shuffle(using: &random)
        var finished: Set<Int> = []
        let round = pending
        for index in order {
            let (operation, notBefore) = round[index]
            if operation.ending != nil {
                finished.insert(index)
                // What was done before the cancellation arrived may still count.
                executor.complete(operation, .cancelled)
                delivered = true
            } else if notBefore <= now, let completion = attempt(operation) {
                if completion.more { pending[index].notBefore = dueTime() } else { finished.insert(index) }
                executor.complete(operation, completion)
                delivered = true
            }
        }
        // Handlers may have started more meanwhile; those stand behind the ones of this round.
        for index in finished.sorted(by: >) { pending.remove(at: index) }
        if !delivered, !hasProgressed, let deadline { passTime(until: deadline, for: executor) }
    }

    /// Nothing is ready: on to the next moment at which something may be.
    private func passTime(until deadline: Instant, for executor: RingExecutor) {
        let next = pending.map(\.notBefore).filter { $0 > now }.min()
        if let next, next < deadline {
            now = next
        } else if deadline != .never {
            now = max(deadline, now)
        } else {
            stop("nothing can ever happen again")
        }
    }

    /// No test could end after this: the whole process does, with what is needed to repeat it.
    private func stop(_ reason: String) -> Never {
        let waiting = pending.map { "\($0.operation.request) on \($0.operation.descriptor)" }
        preconditionFailure(
            "seed \(seed), turn \(turns): \(reason); in flight: \(waiting); \(buffers.lent) buffers lent")
    }

    private func dueTime() -> Instant {
        guard random.chance(faults.late) else { return now }
        let most = faults.delay.components.attoseconds / 1_000_000_000 + faults.delay.components.seconds * 1_000_000_000
        return now + .nanoseconds(Int64.random(in: 0...max(1, most), using: &random))
    }

    // MARK: Descriptors

    /// Addresses are the simulation's own business.
    package func bind(_ descriptor: Int32, to address: SocketAddress) {}

    package func openSocket(for address: SocketAddress) throws(IOError) -> Int32 {
        if random.chance(faults.exhausted) { throw .system(.socket, code: EMFILE) }
        let descriptor = newDescriptor()
        nextPort += 1
        endpoints[descriptor] = Endpoint(capacity: capacity(), address: .ipv4(.loopback, port: nextPort))
        return descriptor
    }

    package func close(_ descriptor: Int32) {
        if let (address, listener) = listeners.first(where: { $0.value.descriptor == descriptor }) {
            listeners[address] = nil
            // Who was not accepted yet is reset.
            for waiting in listener.queue { endpoints.removeValue(forKey: waiting).map(reset) }
            return
        }
        guard let endpoint = endpoints.removeValue(forKey: descriptor) else { return }
        endpoint.peer?.end()
    }

    package func sendAtOnce(_ bytes: RawSpan, on descriptor: Int32, moreFollows: Bool) -> Int {
        guard let endpoint = endpoints[descriptor], let peer = endpoint.peer, !endpoint.isReset else {
            return -Int(EPIPE)
        }
        let most = min(bytes.byteCount, peer.room)
        guard most > 0 else {
            peer.show()
            return -Int(EAGAIN)
        }
        sendsAtOnce += 1
        if moreFollows { sendsWithheld += 1 }
        unsafe bytes.withUnsafeBytes { unsafe peer.withheld.append(contentsOf: $0.prefix(most)) }
        if !moreFollows || most < bytes.byteCount { peer.show() }
        return most
    }

    /// The simulation has no pipes: bulk goes through lent buffers.
    package var pipes: PipePool? { nil }

    package func skipCongestionControl(_ descriptor: Int32) {}

    package func shutdownSending(_ descriptor: Int32) { endpoints[descriptor]?.peer?.end() }

    package func prepareStream(_ descriptor: Int32, towards address: SocketAddress) {}

    package func peerAddress(of descriptor: Int32) -> SocketAddress? { endpoints[descriptor]?.peerAddress }

    package func localAddress(of descriptor: Int32) -> SocketAddress? { endpoints[descriptor]?.address }

    package func openWakeUp() -> Int32? { nil }

    private func capacity() -> Int { Int.random(in: capacities, using: &random) }

    // MARK: Attempts

    private func attempt(_ operation: Operation) -> Completion? {
        switch operation.request {
        case .acceptMany: accept(operation)
        case .connect: connect(operation)
        case .receive, .receiveMany: receive(operation, limit: buffers.size)
        case .receiveBundle(let limit):
            receive(operation, limit: features.contains(.bundles) ? Int(limit) : buffers.size)
        case .send, .sendVector: send(operation)
        case .poll, .timer: nil
        }
    }

    private func accept(_ operation: Operation) -> Completion? {
        guard let listener = listeners.values.first(where: { $0.descriptor == operation.descriptor }),
            !listener.queue.isEmpty
        else { return nil }
        if random.chance(faults.exhausted) { return Completion(result: -EMFILE) }
        let descriptor = listener.queue.removeFirst()
        return Completion(
            result: descriptor, more: features.contains(.multishotAccept), isFollowed: !listener.queue.isEmpty)
    }

    package func acceptAtOnce(_ listener: Int32) -> Int32 {
        guard let queued = listeners.values.first(where: { $0.descriptor == listener }), !queued.queue.isEmpty else {
            return -EAGAIN
        }
        return random.chance(faults.exhausted) ? -EMFILE : queued.queue.removeFirst()
    }

    private func connect(_ operation: Operation) -> Completion? {
        guard let address = operation.outgoing?.address?.value, let endpoint = endpoints[operation.descriptor] else {
            return Completion(result: -EBADF)
        }
        guard let listener = listeners[address] else { return Completion(result: -ECONNREFUSED) }
        let descriptor = newDescriptor()
        let other = Endpoint(capacity: capacity(), address: address)
        other.peer = endpoint
        other.peerAddress = endpoint.address
        endpoint.peer = other
        endpoint.peerAddress = address
        endpoint.isConnected = true
        other.isConnected = true
        endpoints[descriptor] = other
        listener.queue.append(descriptor)
        return Completion(result: 0)
    }

    private func receive(_ operation: Operation, limit: Int) -> Completion? {
        guard let endpoint = endpoints[operation.descriptor] else { return Completion(result: -EBADF) }
        if endpoint.isReset { return Completion(result: -ECONNRESET) }
        guard !endpoint.incoming.isEmpty else { return endpoint.ended ? Completion(result: 0) : nil }
        if random.chance(faults.reset) {
            reset(endpoint)
            return Completion(result: -ECONNRESET)
        }
        var most = min(limit, endpoint.incoming.count)
        if random.chance(faults.short) { most = Int.random(in: 1...most, using: &random) }
        var taken: [UInt16] = []
        while taken.count * buffers.size < most, let buffer = buffers.takeFree() { taken.append(buffer) }
        guard let first = taken.first else { return Completion(result: -ENOBUFS) }
        most = min(most, taken.count * buffers.size)
        for (index, buffer) in taken.enumerated() {
            let part = endpoint.incoming[index * buffers.size..<min(most, (index + 1) * buffers.size)]
            unsafe buffers.address(of: buffer).copyMemory(from: Array(part), byteCount: part.count)
            if index > 0 { buffers.link(taken[index - 1], to: buffer) }
        }
        endpoint.incoming.removeFirst(most)
        guard case .receiveMany = operation.request, features.contains(.multishotReceive) else {
            return Completion(result: Int32(most), buffer: first)
        }
        let isFollowed = (!endpoint.incoming.isEmpty || endpoint.ended) && random.chance(faults.foreseen)
        return Completion(result: Int32(most), buffer: first, more: true, isFollowed: isFollowed)
    }

    private func send(_ operation: Operation) -> Completion? {
        guard let endpoint = endpoints[operation.descriptor] else { return Completion(result: -EBADF) }
        guard let peer = endpoint.peer, !endpoint.isReset else { return Completion(result: -EPIPE) }
        if random.chance(faults.reset) {
            reset(endpoint)
            return Completion(result: -ECONNRESET)
        }
        guard let outgoing = operation.outgoing else { return Completion(result: -EINVAL) }
        peer.show()
        var most = min(outgoing.rest, peer.room)
        guard most > 0 else { return nil }
        if random.chance(faults.short) { most = Int.random(in: 1...most, using: &random) }
        append(most, of: outgoing, to: peer)
        outgoing.sent += most
        hasProgressed = true
        return outgoing.rest == 0 ? Completion(result: Int32(outgoing.sent)) : nil
    }

    /// Moves the `count` oldest bytes that are still to be sent.
    private func append(_ count: Int, of outgoing: Outgoing, to peer: Endpoint) {
        if let run = unsafe outgoing.run(in: buffers) {
            unsafe peer.incoming.append(contentsOf: run[..<count])
            return
        }
        var skip = outgoing.sent
        var rest = count
        for var piece in outgoing.vector where rest > 0 {
            let skipped = min(skip, piece.length)
            skip -= skipped
            piece.offset += skipped
            piece.length = min(piece.length - skipped, rest)
            rest -= piece.length
            unsafe peer.incoming.append(contentsOf: buffers.memory(of: piece))
        }
    }

    private func reset(_ endpoint: Endpoint) {
        endpoint.isReset = true
        endpoint.peer?.isReset = true
    }
}
