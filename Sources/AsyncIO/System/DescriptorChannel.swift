import CLinux
import Glibc

/// One end of a socket pair between two processes, which carries bytes and, beside them, descriptors.
///
/// What is sent may be secret, so nothing is copied on the way: bytes go from the caller's array to the
/// kernel and from there to the receiver's.
package final class DescriptorChannel: Sendable {
    /// What one call sends at most, so that a long message does not fill the kernel's memory.
    private static let pieceMaximum = 64 << 10

    private let descriptor: Int32
    private let scope: CancellationScope

    /// Takes over `descriptor`, a non-blocking stream socket of the unix family.
    package init(adopting descriptor: Int32, scope: CancellationScope) {
        self.descriptor = descriptor
        self.scope = scope
    }

    deinit { scope.executor.kernel.close(descriptor) }

    /// A connected pair of ends, both blocking and close-on-exec.
    package static func pair() throws(IOError) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .last(.socketpair) }
        return (ends[0], ends[1])
    }

    /// Sends all of `bytes`, at least one, and `descriptors` with the first of them; these stay the caller's.
    package func send(_ bytes: [UInt8], with descriptors: [Int32] = []) async throws(IOError) {
        precondition(!bytes.isEmpty, "descriptors travel beside at least one byte")
        let batchMaximum = Int(CLINUX_DESCRIPTORS_MAXIMUM)
        precondition(bytes.count * batchMaximum >= descriptors.count, "each byte carries one batch of descriptors")
        var sent = 0
        var rest = descriptors[...]
        while sent < bytes.count {
            let batch = Array(rest.prefix(batchMaximum))
            // While descriptors are left each byte takes one batch.
            let length = batch.count < rest.count ? 1 : min(bytes.count - sent, DescriptorChannel.pieceMaximum)
            let count = unsafe bytes.withUnsafeBytes {
                unsafe clinux_send_descriptors(
                    descriptor, $0.baseAddress?.advanced(by: sent), UInt(length), batch, UInt(batch.count))
            }
            if count > 0 {
                sent += count
                rest = rest.dropFirst(batch.count)
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                try await wait(for: POLLOUT)
            } else if errno != EINTR {
                throw .last(.sendmsg)
            }
        }
    }

    /// Receives exactly `count` bytes; descriptors that came beside them are added to `descriptors` and
    /// are the caller's, also when it throws. The other end's closing is `closed`.
    package func receive(_ count: Int, with descriptors: inout [Int32]) async throws(IOError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            var batch = [Int32](repeating: -1, count: Int(CLINUX_DESCRIPTORS_MAXIMUM))
            var batchCount: UInt = 0
            let received = unsafe bytes.withUnsafeMutableBytes {
                unsafe clinux_receive_descriptors(
                    descriptor, $0.baseAddress?.advanced(by: filled), UInt(count - filled), &batch, &batchCount)
            }
            let code = errno
            descriptors += batch.prefix(Int(batchCount))
            if received > 0 {
                filled += received
                continue
            }
            do throws(IOError) {
                if received == 0 { throw .closed }
                if code == EAGAIN || code == EWOULDBLOCK {
                    try await wait(for: POLLIN)
                } else if code != EINTR {
                    throw .system(.recvmsg, code: code)
                }
            } catch {
                wipe(&bytes)
                throw error
            }
        }
        return bytes
    }

    private func wait(for event: Int32) async throws(IOError) {
        let completion = await scope.executor.perform(
            .poll(events: UInt32(event)), on: descriptor, deadline: .never, scope: scope)
        _ = try completion.value(of: .poll)
    }
}
