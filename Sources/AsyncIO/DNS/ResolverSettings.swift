import Glibc

/// Which name servers are asked, and for what.
package struct ResolverSettings: Sendable, Hashable {
    /// Asked in turns; IPv4 and IPv6 only.
    package var servers: [SocketAddress]
    /// How long answers are kept; nil for as long as they say themselves.
    package var validity: Duration?
    package var usesIPv4 = true
    package var usesIPv6 = true

    package init(servers: [SocketAddress]) { self.servers = servers }
}

/// Why a question to the DNS has no answer.
package enum DNSFailure: Error, Sendable, Hashable {
    /// The server did not understand us, or we did not understand it.
    case format
    case server
    /// No such name, or nothing of the kind asked for.
    case notFound
    case unimplemented
    case refused
    /// In the time allowed, or no server could be reached.
    case timedOut
    /// More questions are in flight than `Resolver.questionsMaximum`.
    case overloaded
    /// The asker's scope was cancelled, or the resolver closed.
    case cancelled

    /// The number that nginx shows: the DNS's response code (RFC 1035 §4.1.1), or an errno.
    package var code: Int32 {
        switch self {
        case .format: 1
        case .server: 2
        case .notFound: 3
        case .unimplemented: 4
        case .refused: 5
        case .timedOut: ETIMEDOUT
        case .overloaded: EAGAIN
        case .cancelled: ECANCELED
        }
    }
}

extension DNSFailure: CustomStringConvertible {
    /// nginx's form: `3: Host not found`.
    package var description: String {
        let text =
            switch self {
            case .format: "Format error"
            case .server: "Server failure"
            case .notFound: "Host not found"
            case .unimplemented: "Unimplemented"
            case .refused: "Operation refused"
            case .timedOut: "Operation timed out"
            case .overloaded: "Too many questions"
            case .cancelled: "Operation cancelled"
            }
        return "\(code): \(text)"
    }
}
