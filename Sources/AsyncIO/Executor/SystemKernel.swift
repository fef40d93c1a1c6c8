import CLinux
import Glibc

/// A kernel of the machine, not a simulated one: descriptors are real and these calls are the same
/// for io_uring and epoll. All sockets are non-blocking (io_uring waits for them nevertheless).
protocol SystemKernel: Kernel {
    /// Called before a descriptor is closed; epoll keeps state per descriptor.
    func forget(_ descriptor: Int32)
}

extension SystemKernel {
    package var now: Instant { .now }

    package func openSocket(for address: SocketAddress) throws(IOError) -> Int32 {
        let family =
            switch address {
            case .ipv4: AF_INET
            case .ipv6: AF_INET6
            case .unix: AF_UNIX
            }
        let descriptor = socket(
            family, Int32(SOCK_STREAM.rawValue) | SocketFlags.closeOnExec | SocketFlags.nonBlocking, 0)
        guard descriptor >= 0 else { throw .last(.socket) }
        return descriptor
    }

    package func bind(_ descriptor: Int32, to address: SocketAddress) throws(IOError) {
        // Else each port would be taken for all destinations together (ip(7)); a kernel without it does so.
        setOption(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, 1)
        let name = KernelAddress(address)
        guard unsafe Glibc.bind(descriptor, name.pointer, name.length) == 0 else { throw .last(.bind) }
    }

    package func close(_ descriptor: Int32) {
        forget(descriptor)
        // EINTR and EIO leave the descriptor closed on Linux: there is nothing to retry.
        _ = Glibc.close(descriptor)
    }

    package func acceptAtOnce(_ listener: Int32) -> Int32 {
        let descriptor = clinux_accept4(listener, SocketFlags.closeOnExec | SocketFlags.nonBlocking)
        return descriptor >= 0 ? descriptor : -errno
    }

    package func sendAtOnce(_ bytes: RawSpan, on descriptor: Int32, moreFollows: Bool) -> Int {
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT) | (moreFollows ? Int32(MSG_MORE) : 0)
        let count = unsafe bytes.withUnsafeBytes { unsafe send(descriptor, $0.baseAddress, $0.count, flags) }
        return count >= 0 ? count : -Int(errno)
    }

    package func shutdownSending(_ descriptor: Int32) {
        // Fails only when the connection is gone already, which the next receive reports.
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    package func prepareStream(_ descriptor: Int32, towards address: SocketAddress) {
        // Unix sockets refuse it, harmlessly.
        setOption(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
        if address.isLoopback {
            // A peer on this machine cannot vanish without a word: its kernel is ours.
            setPlainCongestionControl(descriptor)
        } else {
            setOption(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1)
        }
    }

    package func skipCongestionControl(_ descriptor: Int32) { setPlainCongestionControl(descriptor) }

    package func peerAddress(of descriptor: Int32) -> SocketAddress? {
        let address = KernelAddress()
        return unsafe address.fill { unsafe getpeername(descriptor, $0, $1) } ? address.value : nil
    }

    package func localAddress(of descriptor: Int32) -> SocketAddress? {
        let address = KernelAddress()
        return unsafe address.fill { unsafe getsockname(descriptor, $0, $1) } ? address.value : nil
    }

    package func openWakeUp() -> Int32? {
        let descriptor = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        precondition(descriptor >= 0, "no descriptor left for the executor's wake-up")
        return descriptor
    }

    package func forget(_ descriptor: Int32) {}
}

/// Flags of socket(2) and accept4(2).
package enum SocketFlags {
    static let closeOnExec = Int32(SOCK_CLOEXEC.rawValue)
    static let nonBlocking = Int32(SOCK_NONBLOCK.rawValue)
}

/// Sets an integer socket option; false when the kernel refuses.
@discardableResult
func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32) -> Bool {
    var value = value
    return unsafe setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
}

/// Takes a socket for peers on this machine out of the system's congestion control (docs/decisions/0009).
///
/// Best before there is a connection: one that was paced once keeps its timer. `reno` is in every kernel, may always be
/// chosen and paces nothing by itself; where it is refused the system's own stays.
func setPlainCongestionControl(_ descriptor: Int32) {
    let name = StaticString("reno")
    _ = unsafe setsockopt(
        descriptor, Int32(IPPROTO_TCP), TCP_CONGESTION, name.utf8Start, socklen_t(name.utf8CodeUnitCount))
}
