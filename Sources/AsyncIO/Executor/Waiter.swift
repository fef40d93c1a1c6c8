/// A task that waits to be resumed, exactly once.
// Safety: made by `wait` only, and consumed by `resume`, so it can be resumed neither twice nor never
// (whoever drops one without resuming it leaves its task parked, which the leak checks of the tests show).
@safe
package struct Waiter<Value: Sendable>: ~Copyable {
    private let continuation: UnsafeContinuation<Value, Never>

    /// Of a task that has parked itself, for where the frame of `wait` would be one too many; it must be consumed.
    @unsafe
    package init(_ continuation: UnsafeContinuation<Value, Never>) { unsafe self.continuation = continuation }

    /// Parks the current task and hands its waiter to `store`.
    package static func wait(_ store: (consuming Waiter) -> Void) async -> Value {
        await unsafe withUnsafeContinuation { unsafe store(Waiter($0)) }
    }

    /// Lets the task go on with `value`; it runs in one of the executor's next jobs.
    package consuming func resume(returning value: Value) { unsafe continuation.resume(returning: value) }
}
