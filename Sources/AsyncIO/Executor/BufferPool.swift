import Glibc

/// A piece of a lent buffer: which one, and the part that holds bytes.
package struct LentBytes: Sendable {
    package var buffer: UInt16
    package var offset: Int
    package var length: Int
}

/// The worker's receive buffers, lent out as bytes arrive and given back once they have left again.
///
/// One mapping of `count` buffers of `size` bytes. With io_uring the kernel picks the buffer; epoll
/// and the simulated kernel take one from `free`. A silent session holds none. Pages are touched
/// when first used, so an idle worker does not pay for them.
// Safety: `base` is mapped in `init`, unmapped in `deinit`, and every access is checked against `count` and `size`.
@safe
package final class BufferPool {
    /// Bytes in one buffer.
    package let size: Int
    /// How many buffers there are; a power of two, as io_uring wants it.
    package let count: Int
    /// Buffers that hold received bytes at present.
    package private(set) var lent = 0
    /// The most that were ever lent at once.
    package private(set) var lentAtMost = 0
    /// For each lent buffer that is part of a bundle, the one that holds the bytes behind its own.
    private(set) var following: [UInt16]

    private let base: UnsafeMutableRawPointer
    private var isLent: [Bool]
    /// Buffers nobody holds, where the process and not the kernel picks (epoll, simulation).
    private var free: [UInt16]

    /// Maps the pool. `count` is a power of two up to 32768; `size` is at least 1.
    package init(count: Int, size: Int) {
        precondition(count.nonzeroBitCount == 1 && count <= 32768, "a buffer ring holds a power of two")
        precondition(size > 0, "a buffer holds at least one byte")
        let mapping = unsafe mmap(
            nil, count * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            preconditionFailure("no address space for \(count) receive buffers of \(size) bytes")
        }
        unsafe base = mapping
        self.size = size
        self.count = count
        following = Array(repeating: 0, count: count)
        isLent = Array(repeating: false, count: count)
        free = (0..<UInt16(count)).reversed()
    }

    deinit {
        unsafe munmap(base, count * size)
    }

    /// Where buffer `id` begins, for the kernel.
    func address(of id: UInt16) -> UnsafeMutableRawPointer {
        precondition(Int(id) < count, "no such buffer")
        return unsafe base + Int(id) * size
    }

    /// The memory that `piece` names; it stays valid until the buffer is given back.
    func memory(of piece: LentBytes) -> UnsafeRawBufferPointer {
        precondition(piece.offset >= 0 && piece.offset + piece.length <= size, "piece outside its buffer")
        return unsafe UnsafeRawBufferPointer(start: address(of: piece.buffer) + piece.offset, count: piece.length)
    }

    /// What `piece` holds, for the time of `body`.
    package func withSpan<Result>(of piece: LentBytes, _ body: (RawSpan) -> Result) -> Result {
        body(unsafe RawSpan(_unsafeBytes: memory(of: piece)))
    }

    /// Appends what `piece` holds to `queue`.
    package func copy(_ piece: LentBytes, to queue: inout ByteQueue) {
        queue.append(unsafe RawSpan(_unsafeBytes: memory(of: piece)))
    }

    /// Shows what `piece` holds to `body`.
    func show(_ piece: LentBytes, to body: (RawSpan) -> Void) {
        body(unsafe RawSpan(_unsafeBytes: memory(of: piece)))
    }

    /// A copy of what `piece` holds.
    package func bytes(_ piece: LentBytes) -> [UInt8] {
        unsafe Array(memory(of: piece))
    }

    /// Overwrites what `piece` holds: login lines carry passwords, and the next session gets the buffer.
    package func wipe(_ piece: LentBytes) {
        precondition(piece.length <= size, "piece outside its buffer")
        unsafe explicit_bzero(address(of: piece.buffer), piece.offset + piece.length)
    }

    /// The pieces that a completion of `length` bytes filled, beginning with buffer `first`.
    package func pieces(first: UInt16, length: Int) -> [LentBytes] {
        var pieces: [LentBytes] = []
        var buffer = first
        var rest = length
        while rest > 0 {
            let part = min(rest, size)
            pieces.append(LentBytes(buffer: buffer, offset: 0, length: part))
            rest -= part
            if rest > 0 { buffer = following[Int(buffer)] }
        }
        return pieces
    }

    // MARK: Lending, for kernels

    /// Marks `id` as lent; it was not before.
    func lend(_ id: UInt16) {
        precondition(!isLent[Int(id)], "the kernel lent a buffer twice")
        isLent[Int(id)] = true
        lent += 1
        lentAtMost = max(lentAtMost, lent)
    }

    /// Notes that the bytes behind those of `id` are in `next`.
    func link(_ id: UInt16, to next: UInt16) { following[Int(id)] = next }

    /// Marks `id` as given back; it was lent.
    func unlend(_ id: UInt16) {
        precondition(isLent[Int(id)], "a buffer came back twice")
        isLent[Int(id)] = false
        lent -= 1
    }

    /// Takes a buffer that nobody holds and lends it; nil when all are lent.
    func takeFree() -> UInt16? {
        guard let id = free.popLast() else { return nil }
        lend(id)
        return id
    }

    /// The counterpart of `takeFree`.
    func giveBackFree(_ id: UInt16) {
        unlend(id)
        free.append(id)
    }
}
