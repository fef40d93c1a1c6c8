import Glibc

/// Who is told about completions of an operation that no task awaits.
///
/// A class to inherit from, not a protocol: an operation then holds it in one word instead of two.
package class CompletionHandler {
    /// The empty argument keeps subclasses from having to make sense of a bare `init()`.
    init(_: Void) {}

    /// Runs on the executor's thread, outside any task; the operation is over unless `completion.more`.
    package func completed(_ operation: Operation, _ completion: Completion) {
        preconditionFailure("a completion that nobody handles")
    }
}

/// How one step of an operation ended.
package struct Completion: Sendable {
    /// Bytes, a descriptor or poll events; below zero a negated errno.
    package var result: Int32
    /// The first of the lent buffers that hold what was received; its successors by `BufferPool.pieces`.
    package var buffer: UInt16?
    /// Further completions of the same operation will come.
    package var more: Bool
    /// The next one is as good as there: the source holds further bytes, its end, or further connections. Not every
    /// kernel can tell.
    package var isFollowed: Bool
    /// Of an operation that was not begun, because what was to be said before was not taken whole: `result` is that
    /// send's.
    package var isUnsaid: Bool

    package init(
        result: Int32, buffer: UInt16? = nil, more: Bool = false, isFollowed: Bool = false, isUnsaid: Bool = false
    ) {
        self.result = result
        self.buffer = buffer
        self.more = more
        self.isFollowed = isFollowed
        self.isUnsaid = isUnsaid
    }

    static let cancelled = Completion(result: -ECANCELED)

    /// The result, or the failure of `call`.
    package func value(of call: IOError.SystemCall) throws(IOError) -> Int {
        if result >= 0 { return Int(result) }
        switch -result {
        case ECANCELED: throw .cancelled
        case ETIME: throw .timedOut
        case let code: throw .system(call, code: code)
        }
    }
}
