import DequeModule
import Glibc

/// One thread that runs Swift tasks and the kernel's completions in turns.
///
/// ```
///   run queued jobs (bounded) → say what they had to say → fire deadlines → one kernel call: submit, wait, reap → again
/// ```
/// It is both serial executor (session actors are isolated to it) and task executor (tasks carry it
/// as preference, set at the root and inherited by children). Without the preference each resumption
/// would bounce through a thread of the global pool (ring-facts.md §0).
// Safety: all state but `incoming` is touched on `thread` only; `start`, `cancel` and `checkIsolated` assert it.
package final class RingExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
    /// Jobs run between two looks at the kernel, so that completions are not starved by chatty tasks.
    private static let jobsPerTurn = 256

    package let kernel: any Kernel
    /// The kernel's, kept here because they are looked at with each piece that is received.
    let buffers: BufferPool
    private var jobs = Deque<UnownedJob>()
    private let table = OperationTable()
    private var wheel: TimerWheel
    private var outbox = Outbox()
    private var starved: [Operation] = []
    private var buffersReturned = false
    /// Bulk has been moved in this turn that is better moved in larger parts.
    private(set) var isMovingBulk = false
    private var thread: pthread_t?
    private var isFinished = false
    /// The clock's reading at the begin of this turn.
    package private(set) var now: Instant
    /// Counts turns; an operation that ends in the turn it was started in never waited.
    package private(set) var turnNumber: UInt64 = 0
    private var wakeUp: Int32 = -1
    private let incoming = Lock(Incoming())

    private struct Incoming {
        var jobs: [UnownedJob] = []
        var calls: [@Sendable () -> Void] = []
        var isWakeUpWritten = false
    }

    package init(kernel: any Kernel) {
        self.kernel = kernel
        buffers = kernel.buffers
        now = kernel.now
        wheel = TimerWheel(now: now)
    }

    /// Operations in use; zero after the last session when nothing leaked.
    package var operationsInUse: Int { table.count - (wakeUp >= 0 ? 1 : 0) }

    /// Runs `body` and all it starts on this thread; returns when `body` has ended.
    ///
    /// The one place where an unstructured task is made: it is the root of everything.
    package func run(_ body: @escaping @Sendable () async -> Void) {
        thread = pthread_self()
        openWakeUp()
        _ = Task(executorPreference: self) {
            await body()
            self.isFinished = true
        }
        while !isFinished {
            runJobs()
            if isFinished { break }
            turn()
        }
        closeWakeUp()
    }

    private func turn() {
        turnNumber &+= 1
        outbox.empty(of: self)
        fireDeadlines()
        if !starved.isEmpty { relieve() }
        let mustNotWait = !jobs.isEmpty || !starved.isEmpty
        let gathering = isMovingBulk
        isMovingBulk = false
        kernel.turn(waitingUntil: mustNotWait ? nil : wheel.nextDue ?? .never, gathering: gathering, for: self)
        now = kernel.now
    }

    /// The next wait may go on for a moment after its first completion, so that more of the bulk moves at once.
    func noteBulk() { isMovingBulk = true }

    private func runJobs() {
        for _ in 0..<RingExecutor.jobsPerTurn {
            guard let job = jobs.popFirst() else { return }
            unsafe job.runSynchronously(
                isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
        }
    }

    // MARK: Executor

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if isOnThread {
            jobs.append(job)
        } else {
            post { $0.jobs.append(job) }
        }
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }

    package func checkIsolated() {
        precondition(isOnThread, "this state belongs to the ring's thread")
    }

    package func isIsolatingCurrentContext() -> Bool? { isOnThread }

    private var isOnThread: Bool {
        guard let thread else { return false }
        return pthread_equal(thread, pthread_self()) != 0
    }

    // MARK: Other threads

    /// Runs `call` on the executor's thread: at once when already there, else soon.
    package func onThread(_ call: @escaping @Sendable () -> Void) {
        if isOnThread { call() } else { post { $0.calls.append(call) } }
    }

    private func post(_ change: (inout Incoming) -> Void) {
        let mustWake = incoming.withLock { incoming in
            change(&incoming)
            defer { incoming.isWakeUpWritten = true }
            return !incoming.isWakeUpWritten && wakeUp >= 0
        }
        if mustWake {
            var one: UInt64 = 1
            // An eventfd takes a write of 1 unless 2^64-2 others are unread.
            _ = unsafe write(wakeUp, &one, 8)
        }
    }

    private func takeIncoming() {
        var value: UInt64 = 0
        _ = unsafe read(wakeUp, &value, 8)
        let taken = incoming.withLock { incoming in
            defer { incoming = Incoming() }
            return incoming
        }
        jobs.append(contentsOf: taken.jobs)
        for call in taken.calls { call() }
    }

    private func openWakeUp() {
        guard let descriptor = kernel.openWakeUp() else { return }
        incoming.withLock { _ in wakeUp = descriptor }
        watchWakeUp()
        // What was posted before there was something to wake.
        takeIncoming()
    }

    private func watchWakeUp() {
        start(.poll(events: UInt32(POLLIN)), on: wakeUp, handler: WakeUpHandler(executor: self))
    }

    private func closeWakeUp() {
        guard wakeUp >= 0 else { return }
        let descriptor = incoming.withLock { _ in
            defer { wakeUp = -1 }
            return wakeUp
        }
        kernel.close(descriptor)
    }

    private final class WakeUpHandler: CompletionHandler {
        private unowned let executor: RingExecutor

        init(executor: RingExecutor) {
            self.executor = executor
            super.init(())
        }

        override func completed(_ operation: Operation, _ completion: Completion) {
            executor.takeIncoming()
            executor.watchWakeUp()
        }
    }

    // MARK: Operations

    /// Starts an operation whose completions go to `handler`; the result is needed to cancel it.
    ///
    /// `outgoing` is what the request sends or where it connects. Cancelling `scope` cancels it; the
    /// caller checks that the scope is not cancelled already.
    @discardableResult
    func start(
        _ request: Operation.Request, on descriptor: Int32, deadline: Instant = .never,
        scope: CancellationScope? = nil, handler: CompletionHandler, outgoing: Outgoing? = nil
    ) -> Operation {
        let operation = table.take()
        operation.listener = .handler(handler)
        operation.outgoing = outgoing
        scope?.add(operation)
        begin(operation, request, on: descriptor, deadline: deadline)
        return operation
    }

    /// Performs one operation and waits for its completion; after cancelling `scope`, or past
    /// `deadline`, that completion says so (`ECANCELED`, `ETIME`).
    ///
    /// - Parameter words: what is sent at the end of this turn, before the operation is begun; where the socket does
    ///   not take all of it, the operation is not begun, and its completion `isUnsaid`.
    func perform(
        _ request: Operation.Request, on descriptor: Int32, deadline: Instant, scope: CancellationScope?,
        outgoing: Outgoing? = nil, saying words: [UInt8] = []
    ) async -> Completion {
        if let scope, scope.isCancelled { return .cancelled }
        let operation = table.take()
        operation.outgoing = outgoing
        return await unsafe withUnsafeContinuation { continuation in
            unsafe operation.listener = .task(continuation)
            scope?.add(operation)
            begin(operation, request, on: descriptor, deadline: deadline, saying: words)
        }
    }

    /// Waits until `deadline`; throws `cancelled` when `scope` is cancelled meanwhile.
    package func sleep(until deadline: Instant, scope: CancellationScope?) async throws(IOError) {
        let completion = await perform(.timer, on: -1, deadline: deadline, scope: scope)
        if completion.result == -ECANCELED { throw .cancelled }
    }

    private func begin(
        _ operation: Operation, _ request: Operation.Request, on descriptor: Int32, deadline: Instant,
        saying words: [UInt8] = []
    ) {
        assert(isOnThread, "operations belong to the ring's thread")
        operation.request = request
        operation.descriptor = descriptor
        operation.deadline = deadline
        operation.inFlight = true
        operation.turn = UInt8(truncatingIfNeeded: turnNumber)
        operation.ending = nil
        wheel.arm(operation, in: table)
        if case .timer = request { return }
        if words.isEmpty { kernel.start(operation) } else { outbox.add(words, before: operation) }
    }

    /// Asks for the end of `operation`; it is over when its last completion was delivered.
    func cancel(_ operation: Operation) { end(operation, as: .cancelled) }

    /// The scopes of operations in flight for which `isMeant` holds, each once.
    func scopesInFlight(where isMeant: (CancellationScope) -> Bool) -> [CancellationScope] {
        var seen: Set<ObjectIdentifier> = []
        return table.inFlight.compactMap(\.scope).filter { isMeant($0) && seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// Moves the deadline of `operation`, which is in flight.
    func setDeadline(_ deadline: Instant, of operation: Operation) {
        wheel.disarm(operation, in: table)
        operation.deadline = deadline
        wheel.arm(operation, in: table)
    }

    private func end(_ operation: Operation, as ending: Operation.Ending) {
        // Nobody is cut off before a word that came earlier.
        if operation.queue == .outbox { outbox.empty(of: self) }
        guard operation.inFlight, operation.ending == nil else { return }
        operation.ending = ending
        if case .timer = operation.request {
            conclude(operation, .cancelled)
        } else if operation.queue == .buffers {
            starved.removeAll { $0 === operation }
            operation.queue = .none
            conclude(operation, .cancelled)
        } else {
            kernel.cancel(operation)
        }
    }

    private func fireDeadlines() {
        for operation in wheel.advance(to: now, in: table) { end(operation, as: .timedOut) }
    }

    /// The operation at a place of the table.
    func operation(at index: Int32) -> Operation { table[index] }

    /// The operation that a completion belongs to, by the kernel's `user_data`; nil when it is over.
    package func operation(for userData: UInt64) -> Operation? { table.find(userData) }

    /// Takes a completion of `operation` from the kernel.
    package func complete(_ operation: Operation, _ completion: Completion) {
        if completion.more {
            if case .handler(let handler) = operation.listener { handler.completed(operation, completion) }
        } else if completion.result == -ENOBUFS, operation.ending == nil, operation.wantsBuffers {
            starve(operation)
        } else {
            conclude(operation, completion)
        }
    }

    /// Ends `operation` with its last completion, the kernel's or our own.
    func conclude(_ operation: Operation, _ completion: Completion) {
        var completion = completion
        if let ending = operation.ending {
            let isShortSend = completion.result >= 0 && operation.unsentLength > 0
            let isInterrupted = [-ECANCELED, -EINTR, -ENOBUFS, -EAGAIN].contains(completion.result)
            if isInterrupted || isShortSend {
                completion.result = ending == .timedOut ? -ETIME : -ECANCELED
            }
        }
        wheel.disarm(operation, in: table)
        operation.inFlight = false
        if let scope = operation.scope.take() { scope.remove(operation) }
        var listener = Operation.Listener.nobody
        swap(&listener, &operation.listener)
        switch listener {
        case .handler(let handler): handler.completed(operation, completion)
        case .task(let continuation): unsafe continuation.resume(returning: completion)
        case .nobody: break
        }
        operation.outgoing = nil
        table.giveBack(operation)
    }

    // MARK: Lent buffers

    /// Gives a lent buffer back to the kernel; directions that starved are started again in this turn.
    package func giveBack(_ buffer: UInt16) {
        kernel.giveBack(buffer: buffer)
        if !starved.isEmpty { buffersReturned = true }
    }

    /// All buffers are lent: `operation` waits for one.
    private func starve(_ operation: Operation) {
        operation.queue = .buffers
        starved.append(operation)
        // Given back between the kernel's look and ours.
        if buffers.lent < buffers.count { buffersReturned = true }
    }

    /// Starts the starved again if buffers came back, else makes whoever holds buffers let go.
    ///
    /// A send that waits for a slow peer is cancelled; its owner copies the rest out and gives its
    /// buffers back, so that slow readers cannot starve everyone else. A send of this very turn is
    /// left alone: it may well not wait at all.
    private func relieve() {
        if buffersReturned { return restartStarved() }
        for holder in table.inFlight
        where holder.isSendingLentBytes && holder.turn != UInt8(truncatingIfNeeded: turnNumber &- 1) {
            cancel(holder)
        }
    }

    /// Starts *every* starved operation again: one per returned buffer would stall when the one
    /// picked has nothing to read (ring-facts.md §3).
    private func restartStarved() {
        buffersReturned = false
        let restarted = starved
        starved.removeAll(keepingCapacity: true)
        for operation in restarted {
            operation.queue = .none
            kernel.start(operation)
        }
    }
}
