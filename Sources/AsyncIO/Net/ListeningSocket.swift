import CLinux
import Glibc

/// A bound and listening stream socket; the master opens it, workers inherit its descriptor.
package struct ListeningSocket: Sendable {
    /// What `listen` in the configuration may set; nil leaves the system's own.
    package struct Options: Sendable, Hashable {
        /// Connections that wait to be accepted; nginx's 511 on Linux.
        package var backlog: Int32 = 511
        package var receiveBuffer: Int32?
        package var sendBuffer: Int32?
        /// IPv6 sockets take IPv4 clients too when false.
        package var ipv6Only = true
        package var reusePort = false
        /// Multipath TCP, where the kernel has it; else TCP, and `isMultipath` says so.
        package var multipath = false
        package var keepAlive: KeepAlive?
        /// The socket has its address already.
        fileprivate var isBound = false

        package init() {}
    }

    /// `so_keepalive`: on or off, and the three times where given (seconds, seconds, count).
    package struct KeepAlive: Sendable, Hashable {
        package var isOn: Bool
        package var idle: Int32?
        package var interval: Int32?
        package var count: Int32?

        package init(isOn: Bool, idle: Int32? = nil, interval: Int32? = nil, count: Int32? = nil) {
            self.isOn = isOn
            self.idle = idle
            self.interval = interval
            self.count = count
        }
    }

    package let descriptor: Int32

    /// Whether clients may use several paths; false where that was not asked for, or not to be had.
    package let isMultipath: Bool

    /// Where it is bound; with port 0 asked for, the port the kernel chose.
    package let address: SocketAddress

    /// Binds and listens; the descriptor is close-on-exec and non-blocking.
    package init(on address: SocketAddress, options: Options = Options()) throws(IOError) {
        let family =
            switch address {
            case .ipv4: AF_INET
            case .ipv6: AF_INET6
            case .unix: AF_UNIX
            }
        let opened: Int32
        (opened, isMultipath) = try ListeningSocket.open(family, multipath: options.multipath && family != AF_UNIX)
        do throws(IOError) {
            try ListeningSocket.apply(options, to: opened, address)
            let name = KernelAddress(address)
            guard unsafe Glibc.bind(opened, name.pointer, name.length) == 0 else { throw .last(.bind) }
            if case .unix(let path) = address {
                // As nginx does: who may connect is decided by the directory.
                _ = unsafe chmod(path, 0o666)
            }
            guard Glibc.listen(opened, options.backlog) == 0 else { throw .last(.listen) }
            let bound = KernelAddress()
            guard unsafe bound.fill({ unsafe getsockname(opened, $0, $1) }), let value = bound.value else {
                throw .last(.getsockname)
            }
            self.address = value
            descriptor = opened
        } catch {
            _ = Glibc.close(opened)
            throw error
        }
    }

    /// A new socket, by Multipath TCP (RFC 8684) if that is wanted and the kernel has it (Linux 5.6, and
    /// `net.mptcp.enabled`).
    private static func open(_ family: Int32, multipath: Bool) throws(IOError) -> (descriptor: Int32, isMultipath: Bool)
    {
        let type = Int32(SOCK_STREAM.rawValue) | SocketFlags.closeOnExec | SocketFlags.nonBlocking
        if multipath {
            let opened = socket(family, type, Int32(IPPROTO_MPTCP))
            if opened >= 0 { return (opened, true) }
            guard [EPROTONOSUPPORT, ENOPROTOOPT, EINVAL].contains(errno) else { throw .last(.socket) }
        }
        let opened = socket(family, type, 0)
        guard opened >= 0 else { throw .last(.socket) }
        return (opened, false)
    }

    /// Takes over a descriptor that listens already, from the process before; nil when it is none.
    package init?(adopting inherited: Int32) {
        var isListening: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        let bound = KernelAddress()
        guard unsafe getsockopt(inherited, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening == 1,
            unsafe bound.fill({ unsafe getsockname(inherited, $0, $1) }), let value = bound.value
        else { return nil }
        _ = fcntl(inherited, F_SETFD, FD_CLOEXEC)
        _ = fcntl(inherited, F_SETFL, fcntl(inherited, F_GETFL) | O_NONBLOCK)
        descriptor = inherited
        var used: Int32 = 0
        isMultipath = unsafe getsockopt(inherited, SOL_SOCKET, SO_PROTOCOL, &used, &size) == 0 && used == IPPROTO_MPTCP
        address = value
    }

    /// Gives a socket that listens already other options, as far as that is possible then: all but `ipv6Only`.
    package func change(to options: Options) throws(IOError) {
        var options = options
        options.isBound = true
        try ListeningSocket.apply(options, to: descriptor, address)
        guard Glibc.listen(descriptor, options.backlog) == 0 else { throw .last(.listen) }
    }

    /// Closes the descriptor and removes a unix socket's file.
    package func close() {
        closeOnly()
        removeFile()
    }

    /// Closes the descriptor; for whoever shares a unix socket's file with others.
    package func closeOnly() { _ = Glibc.close(descriptor) }

    /// Removes a unix socket's file; for whoever has handed the descriptor on.
    package func removeFile() {
        if case .unix(let path) = address { _ = unsafe unlink(path) }
    }

    private static func apply(
        _ options: Options, to descriptor: Int32, _ address: SocketAddress
    ) throws(IOError) {
        var settings: [(level: Int32, name: Int32, value: Int32)] = [(SOL_SOCKET, SO_REUSEADDR, 1)]
        if case .unix = address {
        } else {
            // What every connection has; accepted sockets inherit it, which saves two calls each.
            settings += [(Int32(IPPROTO_TCP), TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1)]
        }
        // Inherited as well, and before the first connection: clients of a loopback address are on this machine.
        if address.isLoopback { setPlainCongestionControl(descriptor) }
        if options.reusePort { settings.append((SOL_SOCKET, SO_REUSEPORT, 1)) }
        if case .ipv6 = address, !options.isBound {
            settings.append((Int32(IPPROTO_IPV6), IPV6_V6ONLY, options.ipv6Only ? 1 : 0))
        }
        if let size = options.receiveBuffer { settings.append((SOL_SOCKET, SO_RCVBUF, size)) }
        if let size = options.sendBuffer { settings.append((SOL_SOCKET, SO_SNDBUF, size)) }
        if let keepAlive = options.keepAlive {
            settings.append((SOL_SOCKET, SO_KEEPALIVE, keepAlive.isOn ? 1 : 0))
            if let idle = keepAlive.idle { settings.append((Int32(IPPROTO_TCP), TCP_KEEPIDLE, idle)) }
            if let interval = keepAlive.interval { settings.append((Int32(IPPROTO_TCP), TCP_KEEPINTVL, interval)) }
            if let count = keepAlive.count { settings.append((Int32(IPPROTO_TCP), TCP_KEEPCNT, count)) }
        }
        for setting in settings {
            guard setOption(descriptor, setting.level, setting.name, setting.value) else { throw .last(.setsockopt) }
        }
    }
}
