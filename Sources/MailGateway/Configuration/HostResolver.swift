import AsyncIO

/// Turns the host names of a configuration into addresses, once, while it is read.
struct HostResolver: Sendable {
    /// The addresses of a name with port 0, in the order they should be tried; none when there is no such name.
    let addresses: @Sendable (String) -> [SocketAddress]

    /// The machine's own resolver; it blocks, so it belongs to the start and to `-t`.
    static let system = HostResolver { name in
        switch SystemResolver.addresses(of: name) {
        case .success(let found): found
        case .failure: []
        }
    }

    /// What was resolved before: a worker uses the addresses that the master found.
    static func recorded(_ resolutions: [String: [SocketAddress]]) -> HostResolver {
        HostResolver { resolutions[$0] ?? [] }
    }
}
