import CLinux
import Glibc

/// A socket address in the form the kernel reads and writes: a `sockaddr` of known length.
// Safety: the storage is a plain value; pointers to it never leave the `with…` closures, except
// where an `Operation` keeps the whole value alive in a heap box until its last completion.
@safe
final class KernelAddress {
    private let storage: UnsafeMutablePointer<sockaddr_storage>
    private(set) var length: socklen_t

    /// An empty address for the kernel to fill in.
    init() {
        unsafe storage = .allocate(capacity: 1)
        unsafe storage.initialize(to: sockaddr_storage())
        length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    }

    convenience init(_ address: SocketAddress) {
        self.init()
        let raw = unsafe UnsafeMutableRawPointer(storage)
        switch address {
        case .ipv4(let host, let port):
            var value = sockaddr_in()
            value.sin_family = sa_family_t(AF_INET)
            value.sin_port = port.bigEndian
            value.sin_addr.s_addr = unsafe unsafeBitCast(host.bytes, to: UInt32.self)
            unsafe raw.storeBytes(of: value, as: sockaddr_in.self)
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
        case .ipv6(let host, let port):
            var value = sockaddr_in6()
            value.sin6_family = sa_family_t(AF_INET6)
            value.sin6_port = port.bigEndian
            unsafe withUnsafeMutableBytes(of: &value.sin6_addr) {
                unsafe $0.storeBytes(of: host.bytes, as: SIMD16<UInt8>.self)
            }
            unsafe raw.storeBytes(of: value, as: sockaddr_in6.self)
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        case .unix(let path):
            let bytes = Array(path.utf8)
            precondition(bytes.count <= SocketAddress.unixPathMaximum, "a unix path holds at most 107 bytes")
            unsafe storage.pointee.ss_family = sa_family_t(AF_UNIX)
            unsafe (raw + 2).copyMemory(from: bytes, byteCount: bytes.count)
            length = socklen_t(2 + bytes.count + 1)
        }
    }

    deinit { unsafe storage.deallocate() }

    /// The pointer the kernel wants; valid as long as this object.
    var pointer: UnsafePointer<sockaddr> {
        unsafe UnsafeRawPointer(storage).assumingMemoryBound(to: sockaddr.self)
    }

    /// Lets `call` (getpeername and the like) fill the address in; false when it failed.
    func fill(_ call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> Bool {
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let status = unsafe call(UnsafeMutableRawPointer(storage).assumingMemoryBound(to: sockaddr.self), &size)
        length = size
        return status == 0
    }

    /// The address as a value; nil for families that mail does not come over.
    var value: SocketAddress? {
        let raw = unsafe UnsafeRawPointer(storage)
        switch Int32(unsafe storage.pointee.ss_family) {
        case AF_INET:
            let value = unsafe raw.load(as: sockaddr_in.self)
            let bytes = unsafe unsafeBitCast(value.sin_addr.s_addr, to: SIMD4<UInt8>.self)
            return .ipv4(IPv4Address(bytes[0], bytes[1], bytes[2], bytes[3]), port: UInt16(bigEndian: value.sin_port))
        case AF_INET6:
            let value = unsafe raw.load(as: sockaddr_in6.self)
            let bytes = unsafe withUnsafeBytes(of: value.sin6_addr) { unsafe $0.loadUnaligned(as: SIMD16<UInt8>.self) }
            return .ipv6(IPv6Address(bytes), port: UInt16(bigEndian: value.sin6_port))
        case AF_UNIX:
            let path = unsafe UnsafeRawBufferPointer(start: raw + 2, count: max(0, Int(length) - 2))
            return .unix(unsafe String(decoding: path.prefix { $0 != 0 }, as: UTF8.self))
        default:
            return nil
        }
    }
}
