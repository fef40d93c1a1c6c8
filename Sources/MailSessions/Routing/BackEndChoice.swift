import AsyncIO

/// Where an authenticator says that a user's mail is.
package enum BackEndChoice: Sendable, Hashable {
    /// An address in numbers, or a unix socket.
    case address(SocketAddress)
    /// A group of back-ends or a host, by name; without a port the group's, or the protocol's own.
    case name(String, port: UInt16?)
    /// The authenticator names none: wherever the server's `proxy_pass` leads.
    case configured
}

extension BackEndChoice: CustomStringConvertible {
    /// As a directive writes it; empty for `configured`.
    package var description: String {
        switch self {
        case .address(let address): "\(address)"
        case .name(let name, let port): port.map { "\(name):\($0)" } ?? name
        case .configured: ""
        }
    }
}
