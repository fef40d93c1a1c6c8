import CLinux
import CURing
import Glibc

/// io_uring through liburing: one system call per turn submits, waits and reaps.
///
/// Set up for one thread that also runs the kernel's deferred work (SINGLE_ISSUER, DEFER_TASKRUN,
/// COOP_TASKRUN: without them a message costs 30 % more, ring-facts.md §2). The completion queue is
/// many times the submission queue, because multishot requests complete without a submission.
// Safety: `ring` and `bufferRing` are allocated in `init` and freed in `deinit`; used on the executor's thread only.
@safe
package final class Ring: SystemKernel {
    /// Why there is no ring, in words for the log.
    package struct Unavailable: Error, Sendable, CustomStringConvertible {
        package var call: String
        package var code: Int32

        package var description: String { "\(call) failed (\(code): \(IOError.text(code)))" }
    }

    package let name = "io_uring"
    package let buffers: BufferPool
    package let features: KernelFeatures
    package let pipes: PipePool?
    private let ring: UnsafeMutablePointer<io_uring>
    private let bufferRing: UnsafeMutablePointer<io_uring_buf_ring>
    private let bufferRingBytes: Int
    /// Which buffer stands in each place of the buffer ring, and in which place each buffer stands:
    /// a bundle fills the places in order.
    private var bufferInPlace: [UInt16]
    private var placeOfBuffer: [UInt16]
    private var bufferTail: UInt16 = 0
    /// Buffers put into the ring since the kernel was last told.
    private var unpublished: Int32 = 0
    /// Buffers that were never in the ring. The ring goes round, so every buffer in it becomes
    /// resident: it starts small, and grows when three quarters of it are lent.
    private var reserve: [UInt16]

    private static let submissions: UInt32 = 512
    private static let completions: UInt32 = 8192
    private static let bufferGroup: UInt16 = 0
    /// How long bulk waits for more of it: what network cards call interrupt moderation (docs/decisions/0017).
    private static let gatherMicroseconds: UInt32 = 100
    /// So many completions are worth a turn at once.
    private static let enoughCompletions: UInt32 = 8
    /// Buffers in the ring at the start.
    private static let buffersAtFirst = 32

    /// Sets a ring up for the calling thread, or says which call was refused.
    /// - Parameter features: what may be used of what the kernel has; tests mask some.
    package init(buffers: BufferPool, features allowed: KernelFeatures = .all) throws(Unavailable) {
        self.buffers = buffers
        pipes = allowed.contains(.splice) ? PipePool() : nil
        unsafe ring = .allocate(capacity: 1)
        unsafe ring.initialize(to: io_uring())
        var parameters = io_uring_params()
        parameters.flags =
            UInt32(IORING_SETUP_CQSIZE) | UInt32(IORING_SETUP_SINGLE_ISSUER) | UInt32(IORING_SETUP_DEFER_TASKRUN)
            | UInt32(IORING_SETUP_COOP_TASKRUN)
        parameters.cq_entries = Ring.completions
        var status = unsafe io_uring_queue_init_params(Ring.submissions, ring, &parameters)
        guard status == 0 else {
            unsafe ring.deallocate()
            throw Unavailable(call: "io_uring_setup()", code: -status)
        }
        bufferRingBytes = buffers.count * MemoryLayout<io_uring_buf>.stride
        let mapping = unsafe mmap(nil, bufferRingBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            unsafe io_uring_queue_exit(ring)
            unsafe ring.deallocate()
            throw Unavailable(call: "mmap()", code: ENOMEM)
        }
        unsafe bufferRing = mapping.bindMemory(to: io_uring_buf_ring.self, capacity: 1)
        bufferInPlace = Array(repeating: 0, count: buffers.count)
        placeOfBuffer = Array(repeating: 0, count: buffers.count)
        reserve = (0..<UInt16(buffers.count)).reversed()
        var registration = io_uring_buf_reg()
        registration.ring_addr = UInt64(UInt(bitPattern: mapping))
        registration.ring_entries = UInt32(buffers.count)
        registration.bgid = Ring.bufferGroup
        status = unsafe io_uring_register_buf_ring(ring, &registration, 0)
        var present = allowed
        if status == 0 {
            if parameters.features & UInt32(CURING_FEAT_RECVSEND_BUNDLE) == 0 { present.remove(.bundles) }
            if parameters.features & UInt32(CURING_FEAT_MIN_TIMEOUT) == 0 { present.remove(.gathering) }
            if allowed.contains(.registeredRing), unsafe io_uring_register_ring_fd(ring) != 1 {
                present.remove(.registeredRing)
            }
            status = unsafe Ring.probeEnter(ring)
        }
        features = present
        // Everything is set from here on, so a failure leaves by way of `deinit`.
        guard status == 0 else {
            throw Unavailable(call: "io_uring_register() or io_uring_enter()", code: -status)
        }
        unsafe io_uring_buf_ring_init(bufferRing)
        growRing(by: Ring.buffersAtFirst)
        publishBuffers()
    }

    deinit {
        unsafe io_uring_queue_exit(ring)
        unsafe munmap(bufferRing, bufferRingBytes)
        unsafe ring.deallocate()
    }

    /// Submits a request that does nothing and waits for it: a filter may let setup through and refuse this.
    private static func probeEnter(_ ring: UnsafeMutablePointer<io_uring>) -> Int32 {
        guard let entry = unsafe io_uring_get_sqe(ring) else { return -EAGAIN }
        unsafe io_uring_prep_nop(entry)
        let status = unsafe io_uring_submit_and_wait(ring, 1)
        guard status >= 0 else { return status }
        unsafe io_uring_cq_advance(ring, curing_completions_ready(ring))
        return 0
    }

    // MARK: Requests

    package func start(_ operation: Operation) {
        let entry = unsafe nextEntry()
        let descriptor = operation.descriptor
        switch operation.request {
        case .acceptMany:
            let flags = SocketFlags.closeOnExec | SocketFlags.nonBlocking
            if features.contains(.multishotAccept) {
                unsafe io_uring_prep_multishot_accept(entry, descriptor, nil, nil, flags)
            } else {
                unsafe io_uring_prep_accept(entry, descriptor, nil, nil, flags)
            }
        case .connect:
            guard let address = operation.outgoing?.address else { preconditionFailure("connect wants an address") }
            unsafe io_uring_prep_connect(entry, descriptor, address.pointer, address.length)
        case .receive(let expectsSilence):
            unsafe curing_prep_receive(
                entry, descriptor, 0, Ring.bufferGroup, expectsSilence ? UInt16(IORING_RECVSEND_POLL_FIRST) : 0)
        case .receiveMany:
            unsafe curing_prep_receive(
                entry, descriptor, 0, Ring.bufferGroup,
                features.contains(.multishotReceive) ? UInt16(IORING_RECV_MULTISHOT) : 0)
        case .receiveBundle(let limit):
            let isBundle = features.contains(.bundles)
            unsafe curing_prep_receive(
                entry, descriptor, isBundle ? limit : 0, Ring.bufferGroup,
                isBundle ? UInt16(CURING_RECVSEND_BUNDLE) : 0)
        case .send, .sendVector:
            guard let outgoing = operation.outgoing else { preconditionFailure("send wants bytes") }
            if let run = unsafe outgoing.run(in: buffers) {
                unsafe io_uring_prep_send(entry, descriptor, run.baseAddress, run.count, Ring.sendFlags)
            } else {
                unsafe io_uring_prep_sendmsg(
                    entry, descriptor, outgoing.buildMessage(from: buffers), UInt32(Ring.sendFlags))
            }
        case .poll(let events):
            unsafe io_uring_prep_poll_add(entry, descriptor, events)
        case .timer:
            preconditionFailure("a timer is the wheel's business")
        }
        unsafe curing_set_data(entry, operation.userData)
    }

    /// WAITALL: the kernel itself sends the rest when the peer makes room.
    private static let sendFlags = Int32(MSG_NOSIGNAL) | Int32(MSG_WAITALL)

    package func cancel(_ operation: Operation) {
        let entry = unsafe nextEntry()
        unsafe io_uring_prep_cancel64(entry, operation.userData, 0)
        unsafe curing_set_data(entry, 0)
    }

    private func nextEntry() -> UnsafeMutablePointer<io_uring_sqe> {
        if let entry = unsafe io_uring_get_sqe(ring) { return unsafe entry }
        // The submission queue is full: hand over what is there. What that completes waits in the other queue.
        publishBuffers()
        unsafe io_uring_submit(ring)
        guard let entry = unsafe io_uring_get_sqe(ring) else {
            preconditionFailure("the kernel takes no more submissions")
        }
        return unsafe entry
    }

    // MARK: Completions

    package func turn(waitingUntil deadline: Instant?, gathering: Bool, for executor: RingExecutor) {
        publishBuffers()
        if let deadline, gathering, features.contains(.gathering) {
            gather(until: deadline)
        } else if let deadline {
            var first: UnsafeMutablePointer<io_uring_cqe>?
            if deadline == .never {
                _ = unsafe io_uring_submit_and_wait(ring, 1)
            } else {
                var limit = Ring.timespec(until: deadline)
                _ = unsafe io_uring_submit_and_wait_timeout(ring, &first, 1, &limit, nil)
            }
        } else {
            _ = unsafe io_uring_submit_and_get_events(ring)
        }
        // ETIME, EINTR and EBUSY (completions must be reaped first) all mean: look at what is there.
        reap(for: executor)
    }

    /// Waits as always, but does not take less than enough completions before a moment has passed.
    private func gather(until deadline: Instant) {
        // liburing has no call that submits and waits so; one more call is little for what comes together.
        _ = unsafe io_uring_submit(ring)
        let flags = features.contains(.registeredRing) ? IORING_ENTER_REGISTERED_RING : 0
        if deadline == .never {
            _ = unsafe curing_gather(ring, flags, Ring.enoughCompletions, Ring.gatherMicroseconds, nil)
        } else {
            var limit = Ring.timespec(until: deadline)
            _ = unsafe curing_gather(ring, flags, Ring.enoughCompletions, Ring.gatherMicroseconds, &limit)
        }
    }

    private static func timespec(until deadline: Instant) -> __kernel_timespec {
        let wait = deadline.nanoseconds(since: .now)
        return __kernel_timespec(tv_sec: Int64(wait / 1_000_000_000), tv_nsec: Int64(wait % 1_000_000_000))
    }

    private func reap(for executor: RingExecutor) {
        var ready = unsafe curing_completions_ready(ring)
        while ready > 0 {
            for _ in 0..<ready {
                let entry = unsafe curing_completion(ring, 0)
                // Its place is free before it is handled: handling may submit, and so need places.
                unsafe io_uring_cq_advance(ring, 1)
                deliver(entry, to: executor)
            }
            ready = unsafe curing_completions_ready(ring)
        }
    }

    private func deliver(_ entry: io_uring_cqe, to executor: RingExecutor) {
        guard entry.user_data != 0 else { return }
        let more = entry.flags & UInt32(IORING_CQE_F_MORE) != 0
        var completion = Completion(result: entry.res, more: more)
        if entry.flags & UInt32(IORING_CQE_F_BUFFER) != 0 {
            let first = UInt16(truncatingIfNeeded: entry.flags >> UInt32(IORING_CQE_BUFFER_SHIFT))
            if entry.res > 0 {
                lend(first, length: Int(entry.res))
                completion.buffer = first
            } else {
                putIntoRing(first)
            }
        }
        guard let operation = executor.operation(for: entry.user_data) else {
            preconditionFailure("a completion of an operation that was over")
        }
        if more || operation.isAccept {
            // Set behind the last bytes, too, once the peer has ended its stream: the kernel counts the end (tcp_inq_hint).
            completion.isFollowed = entry.flags & UInt32(IORING_CQE_F_SOCK_NONEMPTY) != 0
        }
        if entry.res == -EAGAIN, operation.isSend, operation.ending == nil {
            // Seen now and then (6.18) where a target that was full begins to read: it is to be waited for.
            start(operation)
            return
        }
        if operation.isSend, entry.res > 0, let outgoing = operation.outgoing {
            outgoing.sent += Int(entry.res)
            if outgoing.rest > 0, operation.ending == nil {
                start(operation)
                return
            }
            completion.result = Int32(outgoing.sent)
        }
        executor.complete(operation, completion)
    }

    // MARK: Buffers

    package func giveBack(buffer id: UInt16) {
        buffers.unlend(id)
        putIntoRing(id)
    }

    private func lend(_ first: UInt16, length: Int) {
        var id = first
        buffers.lend(id)
        var rest = length - buffers.size
        while rest > 0 {
            let place = (Int(placeOfBuffer[Int(id)]) + 1) & (buffers.count - 1)
            let next = bufferInPlace[place]
            buffers.lend(next)
            buffers.link(id, to: next)
            id = next
            rest -= buffers.size
        }
        let inRing = buffers.count - reserve.count
        if buffers.lent * 4 > inRing * 3 { growRing(by: inRing) }
    }

    private func growRing(by count: Int) {
        for _ in 0..<count {
            guard let id = reserve.popLast() else { return }
            putIntoRing(id)
        }
    }

    private func putIntoRing(_ id: UInt16) {
        let place = bufferTail & UInt16(buffers.count - 1)
        bufferTail &+= 1
        bufferInPlace[Int(place)] = id
        placeOfBuffer[Int(id)] = place
        unsafe io_uring_buf_ring_add(
            bufferRing, buffers.address(of: id), UInt32(buffers.size), id,
            io_uring_buf_ring_mask(UInt32(buffers.count)), unpublished)
        unpublished += 1
    }

    private func publishBuffers() {
        guard unpublished > 0 else { return }
        unsafe io_uring_buf_ring_advance(bufferRing, unpublished)
        unpublished = 0
    }
}
