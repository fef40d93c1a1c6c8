import AsyncIO

/// An address as nginx's directives write it (`ngx_parse_url`): not resolved yet.
struct Endpoint: Sendable, Hashable {
    /// What stands before the port.
    enum Host: Sendable, Hashable {
        /// `*`, or nothing but a port.
        case any
        /// An address in numbers; its port is that of the endpoint.
        case literal(SocketAddress)
        case name(String)
        case unix(path: String)
    }

    /// Which forms are allowed.
    enum Purpose: Sendable, Hashable {
        /// `listen`: a port alone, `*`, ranges of ports; no path.
        case listen
        /// `auth_http`: a path may follow.
        case service
        /// `resolver`.
        case nameServer
        /// `proxy_pass`, and `server` in `upstream {}`.
        case backEnd
    }

    /// nginx's word for what is wrong, e.g. `invalid port`.
    struct Failure: Error, Sendable, Hashable {
        let text: String
    }

    let host: Host
    /// The host as written, without port; `localhost` for unix sockets.
    let hostText: String
    /// nil when none is written.
    let ports: ClosedRange<UInt16>?
    /// From the first `/` or `?`; empty when there is none.
    let path: String

    /// Parses one address.
    init(_ text: String, for purpose: Purpose) throws(Failure) {
        if text.hasPrefix("unix:") {
            let rest = text.dropFirst(5)
            let colon = purpose == .service ? rest.firstIndex(of: ":") : nil
            let socket = String(rest[..<(colon ?? rest.endIndex)])
            guard !socket.isEmpty else { throw Failure(text: "no path in the unix domain socket") }
            guard socket.utf8.count <= SocketAddress.unixPathMaximum else {
                throw Failure(text: "too long path in the unix domain socket")
            }
            host = .unix(path: socket)
            hostText = "localhost"
            ports = nil
            path = colon.map { String(rest[rest.index(after: $0)...]) } ?? ""
            return
        }
        let pathStart = Endpoint.startOfPath(in: text)
        if pathStart < text.endIndex, purpose != .service { throw Failure(text: "invalid host") }
        path = String(text[pathStart...])
        let (hostPart, portPart) = try Endpoint.split(text[..<pathStart], for: purpose)
        ports = try portPart.map { (part) throws(Failure) in try Endpoint.ports(part, for: purpose) }
        (host, hostText) = try Endpoint.host(hostPart, for: purpose)
    }

    /// A path begins outside the brackets of an IPv6 address.
    private static func startOfPath(in text: String) -> String.Index {
        var search = text[...]
        if text.hasPrefix("["), let bracket = text.firstIndex(of: "]") { search = text[bracket...] }
        return search.firstIndex { $0 == "/" || $0 == "?" } ?? text.endIndex
    }

    /// Host and port; a port alone has the host `*`.
    private static func split(
        _ text: Substring, for purpose: Purpose
    ) throws(Failure) -> (host: Substring, port: Substring?) {
        if text.hasPrefix("[") {
            guard let bracket = text.firstIndex(of: "]") else { throw Failure(text: "invalid host") }
            let rest = text[text.index(after: bracket)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { throw Failure(text: "invalid host") }
            return (text[...bracket], rest.isEmpty ? nil : rest.dropFirst())
        }
        if let colon = text.firstIndex(of: ":") {
            return (text[..<colon], text[text.index(after: colon)...])
        }
        if purpose == .listen {
            let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.allSatisfy({ isDigits($0) }) { return ("*", text) }
        }
        return (text, nil)
    }

    private static func isDigits(_ text: Substring) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }

    /// One port, or in `listen` a range; nginx looks at the last port first.
    private static func ports(_ text: Substring, for purpose: Purpose) throws(Failure) -> ClosedRange<UInt16> {
        guard purpose == .listen, let dash = text.firstIndex(of: "-") else {
            let single = try port(text)
            return single...single
        }
        let last = try port(text[text.index(after: dash)...])
        let first = try port(text[..<dash])
        guard first <= last else { throw Failure(text: "invalid port range") }
        return first...last
    }

    private static func port(_ text: Substring) throws(Failure) -> UInt16 {
        guard let number = decimal(text, in: 1...65535) else { throw Failure(text: "invalid port") }
        return UInt16(number)
    }

    private static func host(_ text: Substring, for purpose: Purpose) throws(Failure) -> (Host, String) {
        if text.hasPrefix("[") {
            let literal = String(text.dropFirst().dropLast())
            guard !literal.isEmpty else { throw Failure(text: "no host") }
            guard let address = IPv6Address(literal) else { throw Failure(text: "invalid IPv6 address") }
            return (.literal(.ipv6(address, port: 0)), String(text))
        }
        guard !text.isEmpty else { throw Failure(text: "no host") }
        let name = String(text)
        if purpose == .listen, name == "*" { return (.any, name) }
        if let address = IPv4Address(name) { return (.literal(.ipv4(address, port: 0)), name) }
        return (.name(name), name)
    }

    /// The addresses behind the host with `port`; a name is looked up in `context`.
    func addresses(port: UInt16, _ context: inout ParseContext) throws(Failure) -> [SocketAddress] {
        switch host {
        case .any: return [.ipv4(.any, port: port)]
        case .literal(let address): return [address.withPort(port)]
        case .unix(let path): return [.unix(path)]
        case .name(let name):
            let found = context.addresses(of: name)
            guard !found.isEmpty else { throw Failure(text: "host not found") }
            return found.map { $0.withPort(port) }
        }
    }
}
