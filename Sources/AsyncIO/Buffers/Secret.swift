import Glibc

/// Bytes that must not outlive their use: a password, a token, a key.
///
/// Held once, shared by reference, overwritten when the last reference goes. It has no textual
/// form, so that no log line or error message can print it by accident.
@safe
package final class Secret: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    // Safety: allocated in `init`, written only there, freed only in `deinit`; immutable in between.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

    /// Copies `bytes`; the caller wipes its own copy.
    package init(_ bytes: some Collection<UInt8>) {
        unsafe storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        unsafe storage.copyBytes(from: bytes)
    }

    /// Copies all of `parts`, one behind the other.
    package init(joining parts: [Secret]) {
        let count = parts.reduce(0) { $0 + $1.count }
        unsafe storage = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        var offset = 0
        for part in parts {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: storage[offset...])
            unsafe rest.copyMemory(from: UnsafeRawBufferPointer(part.storage))
            offset += part.count
        }
    }

    deinit {
        if let base = unsafe storage.baseAddress { unsafe explicit_bzero(base, storage.count) }
        unsafe storage.deallocate()
    }

    /// Length in bytes.
    package var count: Int { unsafe storage.count }

    package var isEmpty: Bool { count == 0 }

    /// A copy for the moment of sending or comparing; wipe it afterwards (`wipe(_:)`).
    package var bytes: [UInt8] { unsafe Array(storage) }

    /// Reads the bytes where they are; the pointer is not good for longer than `body`.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(storage))
    }

    /// Whether any byte satisfies `predicate`.
    package func contains(where predicate: (UInt8) -> Bool) -> Bool { unsafe storage.contains(where: predicate) }

    /// The bytes in `range` as a secret of their own.
    package func part(_ range: Range<Int>) -> Secret { unsafe Secret(storage[range]) }

    /// Compares in a time that depends on the lengths only (security-checklist G3).
    package func equals(_ other: [UInt8]) -> Bool {
        unsafe other.withUnsafeBytes { unsafe equals($0) }
    }

    /// As `equals`.
    package static func == (left: Secret, right: Secret) -> Bool {
        if left === right { return true }
        return unsafe left.equals(UnsafeRawBufferPointer(right.storage))
    }

    package func hash(into hasher: inout Hasher) {
        unsafe hasher.combine(bytes: UnsafeRawBufferPointer(storage))
    }

    private func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        guard other.count == count else { return false }
        var difference: UInt8 = 0
        for index in 0..<count { difference |= unsafe storage[index] ^ other[index] }
        return difference == 0
    }

    package var description: String { "(secret)" }

    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Overwrites `bytes` so that the optimiser cannot drop it, then empties the array.
package func wipe(_ bytes: inout [UInt8]) {
    if bytes.isEmpty { return }
    unsafe bytes.withUnsafeMutableBytes { raw in
        if let base = raw.baseAddress { unsafe explicit_bzero(base, raw.count) }
    }
    bytes = []
}

/// Overwrites a value that is nothing but bytes, such as an array in place.
func wipe(bytesOf value: inout some BitwiseCopyable) {
    unsafe withUnsafeMutableBytes(of: &value) { raw in
        if let base = raw.baseAddress { unsafe explicit_bzero(base, raw.count) }
    }
}
