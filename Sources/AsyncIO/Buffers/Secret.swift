import Glibc

/// Bytes that must not outlive their use: a password, a token, a digest.
///
/// Held once, shared by reference, overwritten when the last reference goes. It has no textual
/// form, so that no log line or error message can print it by accident.
@safe
package final class Secret: Sendable, CustomStringConvertible, CustomReflectable {
    // Safety: allocated in `init`, written only there, freed only in `deinit`; immutable in between.
    private nonisolated(unsafe) let storage: UnsafeMutableRawBufferPointer

    /// Copies `bytes`; the caller wipes its own copy.
    package init(_ bytes: some Collection<UInt8>) {
        unsafe storage = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
        unsafe storage.copyBytes(from: bytes)
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

    /// Whether any byte satisfies `predicate`.
    package func contains(where predicate: (UInt8) -> Bool) -> Bool { unsafe storage.contains(where: predicate) }

    /// Compares in a time that depends on the lengths only (security-checklist G3).
    package func equals(_ other: [UInt8]) -> Bool {
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
    unsafe bytes.withUnsafeMutableBytes { raw in
        if let base = raw.baseAddress { unsafe explicit_bzero(base, raw.count) }
    }
    bytes = []
}
