import AsyncIO

/// One listening address of a server, with its options.
struct ListenSettings: Sendable, Hashable {
    /// What is waiting to be accepted, as nginx asks on Linux.
    static let backlogDefault = 511

    let address: SocketAddress
    /// The `listen` it comes from.
    let position: Position
    var options = ListenOptions()
}

/// The parameters of `listen`.
struct ListenOptions: Sendable, Hashable {
    /// TCP keep-alive of accepted connections.
    enum KeepAlive: Sendable, Hashable {
        case off
        /// nil leaves a part to the system; idle and interval in whole seconds.
        case on(idle: Duration?, interval: Duration?, count: Int?)
    }

    /// `backlog`, in connections.
    var backlog = ListenSettings.backlogDefault
    /// `rcvbuf`, in bytes; nil leaves it to the system.
    var receiveBuffer: Int?
    /// `sndbuf`, in bytes; nil leaves it to the system.
    var sendBuffer: Int?
    /// `bind`, or another option that only a socket of one's own can have: not served by a wildcard's socket.
    var hasOwnSocket = false
    /// `ipv6only`: an IPv6 wildcard does not take IPv4 clients.
    var isIPv6Only = true
    /// `so_keepalive`; nil leaves it to the system.
    var keepAlive: KeepAlive?
    /// `multipath`: Multipath TCP.
    var isMultipath = false
    /// `proxy_protocol`: every connection begins with a PROXY header.
    var hasProxyHeaders = false
    /// `ssl`: TLS from the first byte, or the first behind a PROXY header.
    var hasTLS = false
    /// `reuseport`: each worker has a socket of its own.
    var isReusePort = false
}
