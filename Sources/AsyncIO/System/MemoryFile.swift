import CLinux
import Glibc

/// A file that is nowhere but in memory, for libraries that insist on a path; it goes with this value.
package final class MemoryFile: Sendable {
    private let descriptor: Int32

    /// A file with this content; nil when the system has neither descriptors nor memory for it.
    package init?(_ content: [UInt8]) {
        descriptor = unsafe clinux_memory_file("mailgateway")
        guard descriptor >= 0 else { return nil }
        var written = 0
        while written < content.count {
            let count = unsafe content[written...].withUnsafeBytes {
                unsafe write(descriptor, $0.baseAddress, $0.count)
            }
            guard count > 0 else { return nil }
            written += count
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Where this process, and no other, finds it.
    package var path: String { "/proc/self/fd/\(descriptor)" }
}
