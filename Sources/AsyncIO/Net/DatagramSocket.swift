import CLinux
import Glibc

/// A datagram socket that sends to `address`, for whoever tells another process something and does not wait;
/// the caller closes it.
package func connectedDatagramSocket(to address: SocketAddress) throws(IOError) -> Int32 {
    let family =
        switch address {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    let descriptor = socket(family, type, 0)
    guard descriptor >= 0 else { throw .last(.socket) }
    let target = KernelAddress(address)
    guard unsafe connect(descriptor, target.pointer, target.length) == 0 else {
        let failure = IOError.last(.connect)
        close(descriptor)
        throw failure
    }
    return descriptor
}
