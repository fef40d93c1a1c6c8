import AsyncIO
import Glibc

/// Turns the host names of a configuration into addresses, once, while it is read.
struct HostResolver: Sendable {
    /// The addresses of a name with port 0, in the order they should be tried; none when there is no such name.
    let addresses: @Sendable (String) -> [SocketAddress]

    /// The machine's own resolver, getaddrinfo(3); it blocks, so it belongs to the start and to `-t`.
    static let system = HostResolver { name in
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(name, nil, &hints, &first) == 0 else { return [] }
        defer { unsafe freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe address(of: entry.pointee), !found.contains(address) { found.append(address) }
            unsafe next = entry.pointee.ai_next
        }
        return found
    }

    /// What was resolved before: a worker uses the addresses that the master found.
    static func recorded(_ resolutions: [String: [SocketAddress]]) -> HostResolver {
        HostResolver { resolutions[$0] ?? [] }
    }

    /// The address in numbers; nil for families without one.
    private static func address(of entry: addrinfo) -> SocketAddress? {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard
            unsafe getnameinfo(
                entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
        else { return nil }
        let host = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return SocketAddress(literal: host, port: 0)
    }
}
