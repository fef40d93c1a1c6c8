import AsyncIO

extension BackEndChoice {
    /// Reads `address`, `address:port`, `[v6]:port`, `unix:/path`, `name` or `name:port`; nil for anything else.
    ///
    /// A name is that of a host or a group: letters, digits, `-`, `_` and `.`, at most 253 (RFC 1035 §2.3.4).
    package init?(_ text: String) {
        if let address = SocketAddress(text), address.port != 0 || text.hasPrefix("unix:") {
            self = .address(address)
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let name = parts.first, (1...253).contains(name.utf8.count), parts.count <= 2,
            name.utf8.allSatisfy({ $0.isLetter || $0.isDigit || "-_.".utf8.contains($0) })
        else { return nil }
        guard parts.count == 2 else {
            self = .name(String(name), port: nil)
            return
        }
        guard parts[1].utf8.allSatisfy(\.isDigit), let port = UInt16(parts[1]), port != 0 else { return nil }
        self = .name(String(name), port: port)
    }
}
