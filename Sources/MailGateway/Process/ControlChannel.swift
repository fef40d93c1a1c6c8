import AsyncIO
import Glibc

/// The line between master and worker: the handover goes down it, and its end says that the other has gone.
enum ControlChannel {
    /// A connected pair: the master's end, non-blocking, and the child's, blocking until it has read
    /// the handover. Both are close-on-exec; spawning clears that for the child's.
    static func pair() throws(StartFailure) -> (master: Int32, child: Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .lastError("socketpair()") }
        setNonBlocking(ends[0])
        return (ends[0], ends[1])
    }

    /// Reads the handover, in the worker, before its executor runs; the descriptor is non-blocking afterwards.
    static func readHandover(from descriptor: Int32) throws(StartFailure) -> WorkerHandover {
        let prefix = try read(WorkerHandover.prefixCount, from: descriptor)
        guard let length = WorkerHandover.length(prefix: prefix) else {
            throw StartFailure("the master's handover is longer than \(WorkerHandover.bytesMaximum) bytes")
        }
        var bytes = try read(length, from: descriptor)
        defer { wipe(&bytes) }
        guard let handover = WorkerHandover(decoding: bytes) else {
            throw StartFailure("the master's handover is malformed")
        }
        setNonBlocking(descriptor)
        return handover
    }

    private static func read(_ count: Int, from descriptor: Int32) throws(StartFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let received = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress?.advanced(by: filled), count - filled)
            }
            if received < 0, errno == EINTR { continue }
            guard received > 0 else {
                let failure = received == 0 ? StartFailure("the master has gone") : .lastError("read()")
                wipe(&bytes)
                throw failure
            }
            filled += received
        }
        return bytes
    }

    private static func setNonBlocking(_ descriptor: Int32) {
        // Cannot fail for a descriptor that is open.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }
}
