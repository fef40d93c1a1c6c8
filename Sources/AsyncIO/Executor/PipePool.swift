import CLinux
import Glibc

/// The kernel's own way from one socket to another: what goes through it is never copied to us.
///
/// Used for one transfer at a time, and empty in between.
package final class Pipe {
    private let readEnd: Int32
    private let writeEnd: Int32
    /// What it takes, in bytes.
    let capacity: Int
    /// What is in it.
    private(set) var count = 0

    /// nil when no descriptors are left.
    fileprivate init?(capacity wanted: Int) {
        var ends: [Int32] = [-1, -1]
        guard unsafe clinux_pipe(&ends) == 0 else { return nil }
        readEnd = ends[0]
        writeEnd = ends[1]
        // Refused where the user's pipes are many already (pipe-user-pages-soft); it stays at 64 KiB then.
        let granted = clinux_set_pipe_capacity(writeEnd, Int32(wanted))
        capacity = granted > 0 ? Int(granted) : 65_536
    }

    deinit {
        _ = Glibc.close(readEnd)
        _ = Glibc.close(writeEnd)
    }

    /// Moves what `source` has into the pipe, which is empty: the count, 0 at the end of the stream, or a negated errno.
    func fill(from source: Int32) -> Int {
        assert(count == 0, "a full pipe looks like a silent source")
        let moved = clinux_splice(source, writeEnd, UInt(capacity))
        guard moved >= 0 else { return -Int(errno) }
        count = moved
        return moved
    }

    /// Moves what is in the pipe to `target`: how much it took, or a negated errno.
    func drain(to target: Int32) -> Int {
        let moved = clinux_splice(readEnd, target, UInt(count))
        guard moved >= 0 else { return -Int(errno) }
        count -= moved
        return moved
    }

    /// Copies what is in the pipe out of it.
    func takeAll() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < bytes.count {
            let part = unsafe bytes.withUnsafeMutableBytes {
                unsafe read(readEnd, $0.baseAddress?.advanced(by: filled), $0.count - filled)
            }
            precondition(part > 0, "a pipe holds what was put into it")
            filled += part
        }
        count = 0
        return bytes
    }
}

/// The pipes of one executor: opened when first needed, kept when empty, bounded.
package final class PipePool {
    /// The most pipes at once: so many transfers can be moved by the kernel at the same time. Two descriptors each.
    package static let pipesMaximum = 16
    /// What a pipe takes, in bytes: about what a burst leaves in a socket's buffers.
    static let capacity = 512 * 1024

    private var idle: [Pipe] = []
    /// Pipes that somebody moves bytes through at present.
    package private(set) var lent = 0
    /// The most that were ever lent at once.
    package private(set) var lentAtMost = 0

    /// An empty pipe for the caller alone; nil when there are no more, or no descriptors for one.
    package func take() -> Pipe? {
        guard lent < PipePool.pipesMaximum, let pipe = idle.popLast() ?? Pipe(capacity: PipePool.capacity) else {
            return nil
        }
        lent += 1
        lentAtMost = max(lentAtMost, lent)
        return pipe
    }

    /// Takes a pipe back; one that is not empty is closed, with what is in it.
    package func giveBack(_ pipe: Pipe) {
        lent -= 1
        if pipe.count == 0 { idle.append(pipe) }
    }
}
