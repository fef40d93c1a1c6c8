import Glibc

/// Bytes in memory of one's own that grows, and that can be handed over without a copy.
///
/// Not an array, because an array's memory cannot be given to the kernel for longer than a call.
/// Less than 4 GiB: each leg of a relay has one, and most of them are empty.
// Safety: `base` holds `capacity` bytes, `used` of them in use; freed in `deinit` unless taken.
@safe
struct OwnedBytes: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private var used: UInt32 = 0
    private var capacity: UInt32 = 0

    /// No bytes, and no memory.
    init() { unsafe base = nil }

    /// No bytes, and memory for so many.
    init(capacity: Int) {
        self.init()
        if capacity > 0 { _ = unsafe room(for: capacity) }
    }

    deinit { unsafe free(base) }

    var count: Int { Int(used) }
    var isEmpty: Bool { used == 0 }

    /// Appends a copy of `bytes`.
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress, unsafe !bytes.isEmpty else { return }
        unsafe memcpy(room(for: bytes.count), source, bytes.count)
        used += UInt32(bytes.count)
    }

    /// Appends what `fill` writes: it gets memory for `length` bytes at least, and returns how many it
    /// used, or less than 1 for none.
    mutating func append(upTo length: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Int) -> Int {
        let start = unsafe room(for: length)
        let filled = unsafe fill(UnsafeMutableRawBufferPointer(start: start, count: Int(capacity - used)))
        used += UInt32(max(0, filled))
        return filled
    }

    /// Reads the bytes.
    func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(start: base, count: count))
    }

    /// A copy of the bytes.
    var bytes: [UInt8] { unsafe withBytes { unsafe Array($0) } }

    /// Forgets the bytes and keeps the memory.
    mutating func removeAll() { used = 0 }

    /// Forgets the bytes and overwrites them.
    mutating func wipe() {
        if let base = unsafe base { unsafe explicit_bzero(base, count) }
        used = 0
    }

    /// Forgets the `length` oldest bytes, of which there are so many; memory that holds none any more is freed.
    mutating func removeFirst(_ length: Int) {
        guard length > 0 else { return }
        guard length < count, let base = unsafe base else {
            unsafe free(take().baseAddress)
            return
        }
        unsafe memmove(base, base + length, count - length)
        used -= UInt32(length)
    }

    /// Hands the memory over, to be freed with `free`; nothing is left here.
    mutating func take() -> UnsafeMutableRawBufferPointer {
        defer {
            unsafe base = nil
            used = 0
            capacity = 0
        }
        return unsafe UnsafeMutableRawBufferPointer(start: base, count: count)
    }

    /// Where `length` more bytes can be written.
    private mutating func room(for length: Int) -> UnsafeMutableRawPointer {
        if count + length > Int(capacity) {
            let larger = max(count + length, 2 * Int(capacity))
            guard larger <= UInt32.max, let moved = unsafe realloc(base, larger) else {
                preconditionFailure("no memory for \(larger) bytes")
            }
            unsafe base = moved
            capacity = UInt32(larger)
        }
        guard let base = unsafe base else { preconditionFailure("room for nothing was asked for") }
        return unsafe base + count
    }
}
