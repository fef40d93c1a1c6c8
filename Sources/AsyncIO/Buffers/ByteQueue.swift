import Glibc

/// Bytes that arrived and were not yet consumed, oldest first.
///
/// ```
///   storage  | wiped | readable bytes  | room |
///            0     start             storage.count
/// ```
/// Consumed bytes are overwritten with zeros at once: a command line may hold a password, and the
/// storage lives as long as the session's login. The queue compacts itself, so its storage never
/// grows beyond the largest backlog the caller let arrive; the bound is the caller's.
@usableFromInline
package struct ByteQueue: Sendable {
    @usableFromInline var storage: [UInt8] = []
    @usableFromInline var start = 0

    package init() {}

    /// A queue that already holds `bytes`.
    package init(_ bytes: some Sequence<UInt8>) {
        storage = Array(bytes)
    }

    /// How many bytes can be read.
    @inlinable package var count: Int { storage.count - start }

    package var isEmpty: Bool { count == 0 }

    /// The byte at `offset` from the oldest; `offset` is below `count`.
    @inlinable package subscript(offset: Int) -> UInt8 { storage[start + offset] }

    /// A copy of the readable bytes in `range`, offsets counted from the oldest.
    package subscript(range: Range<Int>) -> [UInt8] {
        // Not by slicing the array: a slice of all of it would share the storage, and keep it alive.
        unsafe withBytes(in: range) { unsafe Array($0) }
    }

    /// The readable bytes in `range` as a secret, with no other copy on the way.
    package func secret(in range: Range<Int>) -> Secret {
        unsafe withBytes(in: range) { unsafe Secret($0) }
    }

    /// Reads the readable bytes in `range` where they are; they are not good for longer than `body`.
    package func withBytes<Result, Failure: Error>(
        in range: Range<Int>, _ body: (Slice<UnsafeRawBufferPointer>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // Release builds do not check the bounds of unsafe buffers.
        precondition(range.lowerBound >= 0 && range.upperBound <= count, "read outside of what is there")
        return try unsafe storage.span.withUnsafeBytes { (bytes) throws(Failure) in
            try unsafe body(bytes[start + range.lowerBound..<start + range.upperBound])
        }
    }

    /// Everything readable, copied; the queue keeps it.
    package var bytes: [UInt8] { self[0..<count] }

    /// The offset of the first `byte` at or after `offset` and before `end`; nil when there is none.
    /// - Parameters:
    ///   - offset: at most `end`.
    ///   - end: at most `count`, which it is by default.
    package func firstIndex(of byte: UInt8, from offset: Int = 0, to end: Int? = nil) -> Int? {
        let end = end ?? count
        precondition(offset >= 0 && offset <= end && end <= count, "looked for behind the end")
        return unsafe storage.withUnsafeBytes { raw in
            guard let first = unsafe raw.baseAddress.map({ unsafe $0 + start }),
                let found = unsafe memchr(first + offset, Int32(byte), end - offset)
            else { return nil }
            return unsafe first.distance(to: UnsafeRawPointer(found))
        }
    }

    package mutating func append(contentsOf bytes: some Collection<UInt8>) {
        makeRoom(for: bytes.count)
        storage.append(contentsOf: bytes)
    }

    /// Appends what `span` holds, without an intermediate copy.
    package mutating func append(_ span: RawSpan) {
        makeRoom(for: span.byteCount)
        unsafe span.withUnsafeBytes { unsafe storage.append(contentsOf: $0) }
    }

    /// Drops the `length` oldest bytes and overwrites them; `length` is at most `count`.
    package mutating func consume(_ length: Int) {
        precondition(length <= count, "consumed more than was received")
        unsafe storage.withUnsafeMutableBytes { raw in
            if let base = raw.baseAddress { unsafe explicit_bzero(base + start, length) }
        }
        start += length
        if start == storage.count {
            storage.removeAll(keepingCapacity: true)
            start = 0
        }
    }

    /// Takes the `length` oldest bytes out of the queue.
    package mutating func take(_ length: Int) -> [UInt8] {
        let taken = self[0..<length]
        consume(length)
        return taken
    }

    /// Moves the `length` oldest bytes to the end of `bytes`.
    package mutating func move(_ length: Int, to bytes: inout [UInt8]) {
        unsafe withBytes(in: 0..<length) { unsafe bytes.append(contentsOf: $0) }
        consume(length)
    }

    /// Takes everything.
    package mutating func takeAll() -> [UInt8] { take(count) }

    /// Drops and overwrites everything (RFC 3207 §4.2: nothing said before TLS counts after it).
    package mutating func removeAll() { consume(count) }

    /// Moves what is readable to the front of a storage that can take `length` more bytes, and
    /// leaves no copy behind: neither where it stood nor in a storage given up for a larger one.
    private mutating func makeRoom(for length: Int) {
        let kept = count
        if kept + length > storage.capacity {
            var larger: [UInt8] = []
            larger.reserveCapacity(max(kept + length, 2 * kept))
            larger.append(contentsOf: storage[start...])
            wipe(&storage)
            storage = larger
        } else if start > 0 {
            for index in 0..<kept { storage[index] = storage[start + index] }
            for index in kept..<storage.count { storage[index] = 0 }
            storage.removeLast(start)
        }
        start = 0
    }
}
