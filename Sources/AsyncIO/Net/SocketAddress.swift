import CLinux
import Glibc

/// Where a socket is bound or connected: IPv4, IPv6 or a unix path. A plain value, comparable and hashable.
package enum SocketAddress: Sendable, Hashable {
    /// Four bytes in network order, and a port.
    case ipv4(IPv4Address, port: UInt16)
    /// Sixteen bytes in network order, and a port.
    case ipv6(IPv6Address, port: UInt16)
    /// A path in the file system, at most 107 bytes; empty for an unnamed peer.
    case unix(String)

    /// The port, 0 for unix sockets.
    package var port: UInt16 {
        switch self {
        case .ipv4(_, let port), .ipv6(_, let port): port
        case .unix: 0
        }
    }

    /// A TCP address of this very machine (127.0.0.0/8, ::1): what goes there meets no network.
    package var isLoopback: Bool {
        switch self {
        case .ipv4(let host, _): host.bytes[0] == 127
        case .ipv6(let host, _): host == .loopback
        case .unix: false
        }
    }

    /// The same host with another port; unix addresses stay as they are.
    package func withPort(_ port: UInt16) -> SocketAddress {
        switch self {
        case .ipv4(let host, _): .ipv4(host, port: port)
        case .ipv6(let host, _): .ipv6(host, port: port)
        case .unix: self
        }
    }

    /// Parses a literal host without brackets (`192.0.2.1`, `2001:db8::1`); nil for anything else, names included.
    package init?(literal host: String, port: UInt16) {
        if let address = IPv4Address(host) {
            self = .ipv4(address, port: port)
        } else if let address = IPv6Address(host) {
            self = .ipv6(address, port: port)
        } else {
            return nil
        }
    }

    /// Parses `host:port`, `[v6]:port` or `unix:/path`; nil when the text is none of them.
    package init?(_ text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, path.utf8.count <= SocketAddress.unixPathMaximum else { return nil }
            self = .unix(path)
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
            guard let address = IPv6Address(String(host)) else { return nil }
            self = .ipv6(address, port: port)
        } else if let address = IPv4Address(String(host)) {
            self = .ipv4(address, port: port)
        } else {
            return nil
        }
    }

    /// The longest unix path, from `sockaddr_un` less its terminating NUL.
    package static let unixPathMaximum = 107

    /// The host alone, as nginx writes it in logs and `Client-IP`: no port, no brackets, `unix:` for unix peers.
    package var hostText: String {
        switch self {
        case .ipv4(let host, _): host.description
        case .ipv6(let host, _): host.description
        case .unix: "unix:"
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// `192.0.2.1:143`, `[2001:db8::1]:143` or `unix:/path`.
    package var description: String {
        switch self {
        case .ipv4(let host, let port): "\(host):\(port)"
        case .ipv6(let host, let port): "[\(host)]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// Four bytes in network order.
package struct IPv4Address: Sendable, Hashable, CustomStringConvertible {
    package var bytes: InlineBytes4

    package typealias InlineBytes4 = SIMD4<UInt8>

    package init(_ a: UInt8, _ b: UInt8, _ c: UInt8, _ d: UInt8) { bytes = SIMD4(a, b, c, d) }

    package static let any = IPv4Address(0, 0, 0, 0)
    package static let loopback = IPv4Address(127, 0, 0, 1)

    /// Parses dotted decimal, exactly four parts without leading zeros (as `inet_pton` does).
    package init?(_ text: String) {
        var address = in_addr()
        guard unsafe inet_pton(AF_INET, text, &address) == 1 else { return nil }
        let value = UInt32(bigEndian: address.s_addr)
        self.init(
            UInt8(truncatingIfNeeded: value >> 24), UInt8(truncatingIfNeeded: value >> 16),
            UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value))
    }

    /// Dotted decimal; without interpolation, for each login says it.
    package var description: String {
        // Safety: `length` bytes are initialised, at most four times three digits and three dots.
        unsafe String(unsafeUninitializedCapacity: 15) { text in
            var length = 0
            func write(_ character: UInt8) {
                unsafe text.initializeElement(at: length, to: character)
                length += 1
            }
            for index in 0..<4 {
                let byte = bytes[index]
                if index > 0 { write(UInt8(ascii: ".")) }
                if byte > 99 { write(UInt8(ascii: "0") + byte / 100) }
                if byte > 9 { write(UInt8(ascii: "0") + byte / 10 % 10) }
                write(UInt8(ascii: "0") + byte % 10)
            }
            return length
        }
    }
}

/// Sixteen bytes in network order.
package struct IPv6Address: Sendable, Hashable, CustomStringConvertible {
    // Two words rather than one vector, whose alignment would make every address 32 bytes.
    private var words: (UInt64, UInt64)

    package init(_ bytes: SIMD16<UInt8>) { words = unsafe unsafeBitCast(bytes, to: (UInt64, UInt64).self) }

    package var bytes: SIMD16<UInt8> { unsafe unsafeBitCast(words, to: SIMD16<UInt8>.self) }

    package static func == (left: IPv6Address, right: IPv6Address) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
    }

    package static let any = IPv6Address(SIMD16(repeating: 0))
    package static let loopback = {
        var bytes = SIMD16<UInt8>(repeating: 0)
        bytes[15] = 1
        return IPv6Address(bytes)
    }()

    /// Parses RFC 4291 §2.2 text without brackets or zone.
    package init?(_ text: String) {
        var address = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &address) == 1 else { return nil }
        self.init(unsafe withUnsafeBytes(of: address) { unsafe $0.loadUnaligned(as: SIMD16<UInt8>.self) })
    }

    /// RFC 5952 text.
    package var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        var copy = bytes
        guard unsafe inet_ntop(AF_INET6, &copy, &text, socklen_t(text.count)) != nil else { return "::" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
