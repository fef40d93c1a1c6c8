import Glibc

/// A few threads for work that blocks or takes long, such as checking a password's hash: never on the ring.
// Safety: what the threads share is behind a pthread mutex; the queue's condition is only used under it.
@safe
package final class BlockingPool: @unchecked Sendable {
    /// Work that waits for a thread at most; beyond, callers are refused at once.
    package let queueMaximum: Int
    private let threadsMaximum: Int
    /// Starts a thread that works for the pool; false where there is none to be had.
    private let starter: @Sendable (BlockingPool) -> Bool
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let condition: UnsafeMutablePointer<pthread_cond_t>
    private var queue: [@Sendable () -> Void] = []
    private var threads = 0
    private var idle = 0
    private var isRetired = false

    /// Threads are started when first needed and stay until `retire`.
    package convenience init(threads: Int, queueMaximum: Int) {
        self.init(threads: threads, queueMaximum: queueMaximum, starter: { $0.startThread() })
    }

    /// - Parameter starter: starts a thread, as `startThread` does; false where the system has none to give.
    init(threads: Int, queueMaximum: Int, starter: @escaping @Sendable (BlockingPool) -> Bool) {
        threadsMaximum = threads
        self.starter = starter
        self.queueMaximum = queueMaximum
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe condition = .allocate(capacity: 1)
        unsafe condition.initialize(to: pthread_cond_t())
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe condition.deallocate()
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    /// Runs `work` on one of the threads and resumes the caller on its own executor; nil when the queue is full or
    /// no thread can be started.
    package func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value? {
        await unsafe withUnsafeContinuation { (continuation: UnsafeContinuation<Value?, Never>) in
            let isQueued = enqueue { unsafe continuation.resume(returning: work()) }
            if !isQueued { unsafe continuation.resume(returning: nil) }
        }
    }

    /// Runs `work` on one of the threads, then `completion` with its value on the thread of `executor`;
    /// false, and neither is run, when the queue is full or no thread can be started. For what nobody waits for.
    package func start<Value: Sendable>(
        on executor: RingExecutor, _ work: @escaping @Sendable () -> Value,
        completion: @escaping @Sendable (Value) -> Void
    ) -> Bool {
        enqueue {
            let value = work()
            executor.onThread { completion(value) }
        }
    }

    /// Runs `work` on one of the threads, for a caller that has no executor; false, and it is not run, when the
    /// queue is full or no thread can be started.
    package func start(_ work: @escaping @Sendable () -> Void) -> Bool { enqueue(work) }

    private func enqueue(_ work: @escaping @Sendable () -> Void) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        guard queue.count < queueMaximum else { return false }
        queue.append(work)
        // A thread that was signalled is idle until it has taken its work.
        if queue.count > idle, threads < threadsMaximum {
            threads += 1
            guard !starter(self) else { return true }
            threads -= 1
            // Threads that are there already take it in their turn; without any it would wait for ever.
            guard threads > 0 else {
                queue.removeLast()
                return false
            }
        } else {
            unsafe pthread_cond_signal(condition)
        }
        return true
    }

    /// Ends each thread when it has nothing to do; work that still comes is done all the same.
    package func retire() {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        isRetired = true
        unsafe pthread_cond_broadcast(condition)
    }

    /// Starts a thread that works until the pool is retired; false where a limit of the user, of the container or
    /// of the system leaves none.
    func startThread() -> Bool {
        var thread = pthread_t()
        let pool = unsafe Unmanaged.passRetained(self).toOpaque()
        let status = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<BlockingPool>.fromOpaque(argument).takeRetainedValue().work()
                return nil
            }, pool)
        guard status == 0 else {
            unsafe Unmanaged<BlockingPool>.fromOpaque(pool).release()
            return false
        }
        pthread_detach(thread)
        return true
    }

    private func work() {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            while queue.isEmpty {
                if isRetired {
                    threads -= 1
                    return
                }
                idle += 1
                unsafe pthread_cond_wait(condition, mutex)
                idle -= 1
            }
            let next = queue.removeFirst()
            unsafe pthread_mutex_unlock(mutex)
            next()
            unsafe pthread_mutex_lock(mutex)
        }
    }
}
