import AsyncIO

/// The XCLIENT command, which tells a back-end who its client really is (Postfix XCLIENT_README).
enum XClient {
    /// What is told, in this order.
    enum Attribute: String, CaseIterable {
        case address = "ADDR"
        case login = "LOGIN"
        case name = "NAME"
    }

    /// The command, without CRLF; an empty login is left out. Nil when nothing is left to tell.
    static func command(
        client: ClientFacts, login: [UInt8], attributes: Set<Attribute> = Set(Attribute.allCases)
    ) -> [UInt8]? {
        let told = Attribute.allCases.filter { attributes.contains($0) && !($0 == .login && login.isEmpty) }
        guard !told.isEmpty else { return nil }
        return told.reduce(Array("XCLIENT".utf8)) { line, attribute in
            let value =
                switch attribute {
                case .address: Array(address(client.address).utf8)
                case .login: xtext(login)
                case .name: xtext(Array(client.hostName.utf8))
                }
            return line + Array(" \(attribute.rawValue)=".utf8) + value
        }
    }

    /// The attributes that a reply to EHLO offers to take; nil when it does not offer XCLIENT.
    static func attributes(offeredBy reply: [UInt8]) -> Set<Attribute>? {
        for line in reply.split(separator: ASCII.lf) {
            let words = line.dropFirst(4).split { $0 == ASCII.space || $0 == ASCII.cr }.map(\.asciiUppercased)
            if words.first == "XCLIENT" { return Set(words.dropFirst().compactMap { Attribute(rawValue: $0) }) }
        }
        return nil
    }

    private static func address(_ address: SocketAddress) -> String {
        switch address {
        case .ipv4(let host, _): "\(host)"
        case .ipv6(let host, _): "IPV6:\(host)"
        // Postfix knows no unix clients.
        case .unix: "[UNAVAILABLE]"
        }
    }

    /// RFC 3461 §4: what is not printable, `+` and `=` become `+XX`, so that a login stays one attribute.
    static func xtext(_ bytes: [UInt8]) -> [UInt8] {
        bytes.flatMap { byte in
            switch byte {
            case 0x21...0x7E where byte != UInt8(ascii: "+") && byte != UInt8(ascii: "="): [byte]
            default: [UInt8(ascii: "+")] + hexadecimal(byte)
            }
        }
    }
}

/// Two upper-case hexadecimal digits.
func hexadecimal(_ byte: UInt8) -> [UInt8] {
    let digits = Array("0123456789ABCDEF".utf8)
    return [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
}
