import Glibc

/// Bytes that must not outlive their use: a password, a token, a key.
///
/// Held once, shared by reference, overwritten when the last reference goes. It has no textual
/// form, so that no log line or error message can print it by accident.
@safe
package struct Secret: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    // Safety: filled in `init` before anybody else has it, and immutable from there on.
    private nonisolated(unsafe) let storage: Storage

    /// The count, and the bytes behind it in the same piece of memory.
    private final class Storage: ManagedBuffer<Int, UInt8> {
        deinit {
            _ = unsafe withUnsafeMutablePointers { count, bytes in unsafe explicit_bzero(bytes, count.pointee) }
        }
    }

    /// - Parameter fill: initialises all of the bytes.
    private init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        // What `create` makes is of the class that it is called on.
        unsafe storage = unsafeDowncast(Storage.create(minimumCapacity: count) { _ in count }, to: Storage.self)
        unsafe storage.withUnsafeMutablePointerToElements {
            unsafe fill(UnsafeMutableRawBufferPointer(start: $0, count: count))
        }
    }

    /// Copies `bytes`; the caller wipes its own copy.
    package init(_ bytes: some Collection<UInt8>) {
        unsafe self.init(count: bytes.count) { unsafe $0.copyBytes(from: bytes) }
    }

    /// Copies all of `parts`, one behind the other.
    package init(joining parts: [Secret]) {
        unsafe self.init(count: parts.reduce(0) { $0 + $1.count }) { joined in
            var offset = 0
            for part in parts {
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: joined[offset...])
                unsafe part.withBytes { unsafe rest.copyMemory(from: $0) }
                offset += part.count
            }
        }
    }

    /// Length in bytes.
    package var count: Int { unsafe storage.header }

    package var isEmpty: Bool { count == 0 }

    /// A copy for the moment of sending or comparing; wipe it afterwards (`wipe(_:)`).
    package var bytes: [UInt8] { unsafe withBytes { unsafe Array($0) } }

    /// Reads the bytes where they are; the pointer is not good for longer than `body`.
    package func withBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe storage.withUnsafeMutablePointers { (count, bytes) throws(Failure) in
            try unsafe body(UnsafeRawBufferPointer(start: bytes, count: count.pointee))
        }
    }

    /// Whether any byte satisfies `predicate`.
    package func contains(where predicate: (UInt8) -> Bool) -> Bool {
        unsafe withBytes { unsafe $0.contains(where: predicate) }
    }

    /// The bytes in `range` as a secret of their own.
    package func part(_ range: Range<Int>) -> Secret { unsafe withBytes { unsafe Secret($0[range]) } }

    /// Compares in a time that depends on the lengths only (security-checklist G3).
    package func equals(_ other: [UInt8]) -> Bool {
        unsafe other.withUnsafeBytes { unsafe equals($0) }
    }

    /// As `equals`.
    package static func == (left: Secret, right: Secret) -> Bool {
        if unsafe left.storage === right.storage { return true }
        return unsafe right.withBytes { unsafe left.equals($0) }
    }

    package func hash(into hasher: inout Hasher) {
        unsafe withBytes { unsafe hasher.combine(bytes: $0) }
    }

    private func equals(_ other: UnsafeRawBufferPointer) -> Bool {
        unsafe withBytes { bytes in
            guard other.count == bytes.count else { return false }
            var difference: UInt8 = 0
            for index in 0..<bytes.count { difference |= unsafe bytes[index] ^ other[index] }
            return difference == 0
        }
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
