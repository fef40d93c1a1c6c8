import CLinux
import Glibc

/// The machine's own resolver, getaddrinfo(3): files, DNS and whatever else the machine is set up for.
package enum SystemResolver {
    /// The addresses of a name with port 0, in the order they should be tried; at least one.
    ///
    /// It blocks, so it belongs to the start, to checks, and to a `BlockingPool`.
    package static func addresses(of name: String) -> Result<[SocketAddress], DNSFailure> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        switch unsafe getaddrinfo(name, nil, &hints, &first) {
        case 0: break
        case EAI_NONAME: return .failure(.notFound)
        case EAI_AGAIN: return .failure(.timedOut)
        default: return .failure(.server)
        }
        defer { unsafe freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe address(of: entry.pointee), !found.contains(address) { found.append(address) }
            unsafe next = entry.pointee.ai_next
        }
        return found.isEmpty ? .failure(.notFound) : .success(found)
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
