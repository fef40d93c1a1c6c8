import CLinux
import Glibc

/// The same contract by readiness, where io_uring is refused: try, wait until ready, try again.
///
/// Each descriptor is registered once, edge-triggered, at the first operation that must wait.
/// Attempts happen in `turn`, never in `start`, so completions cannot recurse.
@safe
package final class Epoll: SystemKernel {
    package let name = "epoll"
    package let buffers: BufferPool
    package let features: KernelFeatures
    package let pipes: PipePool?
    private let epoll: Int32
    /// Operations to try in the next turn.
    private var attempts: [Operation] = []
    /// Who waits on each descriptor.
    private var waiting: [Int32: Waiters] = [:]
    // Safety: plain values; only `turn` lends the array to the kernel, for one call.
    private var events: [epoll_event]

    /// Something was completed in this turn, so the turn must not wait.
    private var hasDelivered = false

    private struct Waiters {
        var reading: Operation?
        var writing: Operation?
        var isRegistered = false
        /// A listener, which other processes have too.
        var isShared = false
    }

    /// One multishot receive or accept gives way to others after this many completions in a row.
    private static let burst = 16
    private static let eventsPerTurn = 256

    package init(buffers: BufferPool, features allowed: KernelFeatures = .all) throws(IOError) {
        self.buffers = buffers
        features = allowed.subtracting([.registeredRing, .gathering])
        pipes = allowed.contains(.splice) ? PipePool() : nil
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .last(.poll) }
        unsafe events = unsafe Array(repeating: epoll_event(), count: Epoll.eventsPerTurn)
    }

    deinit { _ = Glibc.close(epoll) }

    package func start(_ operation: Operation) { attemptSoon(operation) }

    private func attemptSoon(_ operation: Operation) {
        operation.queue = .turn
        attempts.append(operation)
    }

    package func cancel(_ operation: Operation) {
        // It is waiting, or to be tried; either way the next turn ends it.
        if var waiters = waiting[operation.descriptor] {
            if waiters.reading === operation { waiters.reading = nil }
            if waiters.writing === operation { waiters.writing = nil }
            waiting[operation.descriptor] = waiters
        }
        if operation.queue != .turn { attemptSoon(operation) }
    }

    package func giveBack(buffer: UInt16) { buffers.giveBackFree(buffer) }

    package func forget(_ descriptor: Int32) {
        // Closing takes the descriptor out of the epoll set by itself, unless other processes have it
        // too: a listener left in the set would go on being the one that is woken for a client.
        if waiting.removeValue(forKey: descriptor)?.isShared == true {
            _ = epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, nil)
        }
    }

    // MARK: Turns

    package func turn(waitingUntil deadline: Instant?, gathering: Bool, for executor: RingExecutor) {
        hasDelivered = false
        makeAttempts(for: executor)
        var timeout: Int32 = 0
        if !hasDelivered, attempts.isEmpty, let deadline {
            if deadline == .never {
                timeout = -1
            } else {
                // Rounded up: waking early would only turn the loop once more.
                timeout = Int32(clamping: (deadline.nanoseconds(since: .now) + 999_999) / 1_000_000)
            }
        }
        let count = unsafe epoll_wait(epoll, &events, Int32(events.count), timeout)
        guard count > 0 else { return }
        for index in 0..<Int(count) {
            let event = unsafe events[index]
            guard var waiters = unsafe waiting[event.data.fd] else { continue }
            let failed = unsafe event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
            if let operation = waiters.reading,
                unsafe failed || event.events & (EPOLLIN.rawValue | EPOLLRDHUP.rawValue | EPOLLPRI.rawValue) != 0
            {
                waiters.reading = nil
                attemptSoon(operation)
            }
            if let operation = waiters.writing, unsafe failed || event.events & EPOLLOUT.rawValue != 0 {
                waiters.writing = nil
                attemptSoon(operation)
            }
            unsafe waiting[event.data.fd] = waiters
        }
        makeAttempts(for: executor)
    }

    /// Tries what is to be tried.
    private func makeAttempts(for executor: RingExecutor) {
        let due = attempts
        attempts.removeAll(keepingCapacity: true)
        for operation in due {
            operation.queue = .none
            if operation.ending != nil {
                deliver(.cancelled, of: operation, to: executor)
                continue
            }
            switch attempt(operation, for: executor) {
            case .wait: wait(for: operation)
            case .again: attemptSoon(operation)
            case .queued: break
            case .completed(let completion): deliver(completion, of: operation, to: executor)
            }
        }
    }

    private func deliver(_ completion: Completion, of operation: Operation, to executor: RingExecutor) {
        hasDelivered = true
        executor.complete(operation, completion)
    }

    private enum Attempt {
        case completed(Completion)
        case wait
        /// More may be there, but others come first.
        case again
        /// Cancelled by its own handler, and so in the list for the next turn already.
        case queued
    }

    private func wait(for operation: Operation) {
        var waiters = waiting[operation.descriptor] ?? Waiters()
        if operation.isWriting {
            precondition(waiters.writing == nil, "two operations send on one descriptor")
            waiters.writing = operation
        } else {
            precondition(waiters.reading == nil, "two operations receive on one descriptor")
            waiters.reading = operation
        }
        if !waiters.isRegistered {
            waiters.isRegistered = true
            var event = unsafe epoll_event()
            if case .acceptMany = operation.request { waiters.isShared = true }
            // A listener that several workers share wakes one of them (EPOLLEXCLUSIVE, Linux 4.5).
            unsafe event.events =
                if case .acceptMany = operation.request {
                    EPOLLIN.rawValue | EPOLLET.rawValue | EPOLLEXCLUSIVE.rawValue
                } else {
                    EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLRDHUP.rawValue | EPOLLET.rawValue
                }
            unsafe event.data.fd = operation.descriptor
            let status = unsafe epoll_ctl(epoll, EPOLL_CTL_ADD, operation.descriptor, &event)
            precondition(status == 0 || errno == EEXIST, "epoll refuses a descriptor of ours")
        }
        waiting[operation.descriptor] = waiters
    }

    // MARK: Attempts

    private func attempt(_ operation: Operation, for executor: RingExecutor) -> Attempt {
        switch operation.request {
        case .acceptMany: return accept(operation, for: executor)
        case .connect: return connect(operation)
        case .receive: return receive(operation)
        case .receiveMany: return receiveMany(operation, for: executor)
        case .receiveBundle(let limit):
            return features.contains(.bundles) ? receiveBundle(operation, limit: Int(limit)) : receive(operation)
        case .send, .sendVector: return send(operation)
        case .poll(let events): return poll(operation, events)
        case .timer: preconditionFailure("a timer is the wheel's business")
        }
    }

    private func accept(_ operation: Operation, for executor: RingExecutor) -> Attempt {
        for _ in 0..<Epoll.burst {
            let descriptor = acceptAtOnce(operation.descriptor)
            guard descriptor >= 0 else {
                switch -descriptor {
                case EAGAIN: return .wait
                case EINTR, ECONNABORTED: continue
                default:
                    // Whoever pauses now must not go on being the one that is woken for a client. The next wait
                    // registers the listener again, and so hears of clients that came meanwhile.
                    forget(operation.descriptor)
                    return .completed(Completion(result: descriptor))
                }
            }
            guard features.contains(.multishotAccept) else { return .completed(Completion(result: descriptor)) }
            deliver(Completion(result: descriptor, more: true), of: operation, to: executor)
            if operation.ending != nil { return .queued }
        }
        return .again
    }

    private func connect(_ operation: Operation) -> Attempt {
        guard let outgoing = operation.outgoing, let address = outgoing.address else {
            preconditionFailure("connect wants an address")
        }
        if outgoing.sent == 0 {
            outgoing.sent = 1
            if unsafe Glibc.connect(operation.descriptor, address.pointer, address.length) == 0 {
                return .completed(Completion(result: 0))
            }
            // EAGAIN: a unix listener's backlog is full; nothing will tell when it no longer is.
            return errno == EINPROGRESS ? .wait : .completed(Completion(result: -errno))
        }
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        unsafe getsockopt(operation.descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return .completed(Completion(result: -code))
    }

    private func receive(_ operation: Operation) -> Attempt {
        guard let buffer = buffers.takeFree() else { return .completed(Completion(result: -ENOBUFS)) }
        let count = unsafe recv(
            operation.descriptor, buffers.address(of: buffer), buffers.size, Int32(MSG_DONTWAIT))
        if count > 0 { return .completed(Completion(result: Int32(count), buffer: buffer)) }
        let code = errno
        buffers.giveBackFree(buffer)
        if count == 0 { return .completed(Completion(result: 0)) }
        return failure(code)
    }

    private func receiveMany(_ operation: Operation, for executor: RingExecutor) -> Attempt {
        guard features.contains(.multishotReceive) else { return receive(operation) }
        for _ in 0..<Epoll.burst {
            let attempt = receive(operation)
            guard case .completed(var completion) = attempt, completion.result > 0 else { return attempt }
            completion.more = true
            deliver(completion, of: operation, to: executor)
            if operation.ending != nil { return .queued }
        }
        return .again
    }

    private func receiveBundle(_ operation: Operation, limit: Int) -> Attempt {
        var taken: [UInt16] = []
        while taken.count * buffers.size < limit, let buffer = buffers.takeFree() { taken.append(buffer) }
        guard let first = taken.first else { return .completed(Completion(result: -ENOBUFS)) }
        var iovecs = unsafe taken.map { unsafe iovec(iov_base: buffers.address(of: $0), iov_len: buffers.size) }
        let count = unsafe readv(operation.descriptor, &iovecs, Int32(iovecs.count))
        let code = errno
        let used = max(0, (count + buffers.size - 1) / buffers.size)
        for (buffer, next) in zip(taken, taken.dropFirst()) { buffers.link(buffer, to: next) }
        for buffer in taken.dropFirst(used) { buffers.giveBackFree(buffer) }
        if count > 0 { return .completed(Completion(result: Int32(count), buffer: first)) }
        if count == 0 { return .completed(Completion(result: 0)) }
        return failure(code)
    }

    private func send(_ operation: Operation) -> Attempt {
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        guard let outgoing = operation.outgoing else { preconditionFailure("send wants bytes") }
        while outgoing.rest > 0 {
            let count: Int
            if let run = unsafe outgoing.run(in: buffers) {
                count = unsafe Glibc.send(operation.descriptor, run.baseAddress, run.count, flags)
            } else {
                count = unsafe sendmsg(operation.descriptor, outgoing.buildMessage(from: buffers), flags)
            }
            guard count >= 0 else { return failure(errno) }
            outgoing.sent += count
        }
        return .completed(Completion(result: Int32(clamping: outgoing.sent)))
    }

    /// What a refused transfer means.
    private func failure(_ code: Int32) -> Attempt {
        switch code {
        case EAGAIN: .wait
        case EINTR: .again
        default: .completed(Completion(result: -code))
        }
    }

    private func poll(_ operation: Operation, _ events: UInt32) -> Attempt {
        var entry = pollfd(fd: operation.descriptor, events: Int16(truncatingIfNeeded: events), revents: 0)
        let count = unsafe Glibc.poll(&entry, 1, 0)
        return count > 0 ? .completed(Completion(result: Int32(entry.revents))) : .wait
    }
}

extension Operation {
    /// Waits for room rather than for bytes.
    fileprivate var isWriting: Bool {
        switch request {
        case .connect: true
        case .poll(let events): events == UInt32(POLLOUT)
        default: isSend
        }
    }
}
