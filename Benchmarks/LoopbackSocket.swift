import CYardstick
import Glibc

/// What a non-blocking `recv` or `send` said.
enum Transfer {
    /// So many bytes; less than asked for means that the socket is empty (or full) for now.
    case moved(Int)
    case wouldBlock
    case ended
    case failed(Int32)
}

/// TCP over 127.0.0.0/8 and nothing else: the harness can neither reach nor be reached from outside.
enum LoopbackSocket {
    /// 127.0.0.`host`, in network byte order.
    private static func address(host: UInt8, port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = (0x7F00_0000 | UInt32(host)).bigEndian
        return address
    }

    private static func withAddress<Result>(
        _ address: sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe withUnsafePointer(to: address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
                unsafe body(rebound, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }

    private static func open() throws(HarnessError) -> Int32 {
        let flags = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, flags, 0)
        guard descriptor >= 0 else { throw .system("socket", errno) }
        return descriptor
    }

    private static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32) {
        var one: Int32 = 1
        // A refusal would show in the figures, not in the result.
        _ = unsafe setsockopt(descriptor, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
    }

    /// A listener on 127.0.0.`host`; port 0 lets the kernel choose.
    static func listen(host: UInt8 = 1, port: UInt16 = 0) throws(HarnessError) -> (descriptor: Int32, port: UInt16) {
        let descriptor = try open()
        set(descriptor, SOL_SOCKET, SO_REUSEADDR)
        guard unsafe withAddress(address(host: host, port: port), { unsafe bind(descriptor, $0, $1) }) == 0 else {
            let code = errno
            close(descriptor)
            throw .system("bind to 127.0.0.\(host):\(port)", code)
        }
        guard Glibc.listen(descriptor, 4096) == 0 else { throw .system("listen", errno) }
        var bound = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = unsafe withUnsafeMutablePointer(to: &bound) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe getsockname(descriptor, $0, &length)
            }
        }
        return (descriptor, UInt16(bigEndian: bound.sin_port))
    }

    /// Begins to connect to 127.0.0.1:`port` from 127.0.0.`source`.
    ///
    /// Several source addresses keep the ephemeral ports (28,000 per address and destination) from running out.
    static func connect(port: UInt16, source: UInt8) throws(HarnessError) -> Int32 {
        let descriptor = try open()
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        // IP_BIND_ADDRESS_NO_PORT (linux/in.h): choose the port at connect(2), where the whole 4-tuple is known.
        set(descriptor, Int32(IPPROTO_IP), 24)
        guard unsafe withAddress(address(host: source, port: 0), { unsafe bind(descriptor, $0, $1) }) == 0 else {
            throw .system("bind to 127.0.0.\(source)", errno)
        }
        let result = unsafe withAddress(address(host: 1, port: port)) { unsafe Glibc.connect(descriptor, $0, $1) }
        guard result == 0 || errno == EINPROGRESS else {
            let code = errno
            close(descriptor)
            throw .system("connect to 127.0.0.1:\(port)", code)
        }
        return descriptor
    }

    /// The next connection, without Nagle's delay, or nil when none waits.
    static func accept(_ listener: Int32) -> Int32? {
        let descriptor = linux_accept(listener)
        guard descriptor >= 0 else { return nil }
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        return descriptor
    }

    /// Receives into `buffer` behind its first `offset` bytes.
    static func receive(_ descriptor: Int32, into buffer: inout [UInt8], at offset: Int) -> Transfer {
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            let free = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
            return unsafe recv(descriptor, free.baseAddress, free.count, 0)
        }
        return transfer(count)
    }

    /// Takes at most `maximum` bytes from the socket without copying them anywhere (MSG_TRUNC of tcp(7)).
    static func discard(_ descriptor: Int32, maximum: Int) -> Transfer {
        transfer(recv(descriptor, nil, maximum, Int32(MSG_TRUNC)))
    }

    /// Sends a part of `bytes`.
    static func send(_ descriptor: Int32, _ bytes: [UInt8], _ range: Range<Int>) -> Transfer {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            let part = unsafe UnsafeRawBufferPointer(rebasing: buffer[range])
            return unsafe Glibc.send(descriptor, part.baseAddress, part.count, Int32(MSG_NOSIGNAL))
        }
        return count == 0 ? .wouldBlock : transfer(count)
    }

    private static func transfer(_ count: Int) -> Transfer {
        if count > 0 { return .moved(count) }
        if count == 0 { return .ended }
        return errno == EAGAIN || errno == EINTR ? .wouldBlock : .failed(errno)
    }
}
