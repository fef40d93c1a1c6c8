import AsyncIO

/// The XCLIENT command, which tells a back-end who its client really is (Postfix XCLIENT_README).
enum XClient {
    /// What is told, in this order.
    enum Attribute: String, CaseIterable {
        case address = "ADDR"
        case login = "LOGIN"
        case name = "NAME"

        /// What announces it.
        var offer: BackEndOffers {
            switch self {
            case .address: .xclientAddress
            case .login: .xclientLogin
            case .name: .xclientName
            }
        }
    }

    /// The command, CRLF included; an empty login is left out. Nil when nothing is left to tell.
    /// - Parameter offers: which attributes may be told; nil for all.
    static func command(client: ClientFacts, login: [UInt8], offers: BackEndOffers? = nil) -> [UInt8]? {
        let verb: StaticString = "XCLIENT"
        var line: [UInt8] = []
        line.reserveCapacity(128)
        line.append(verb)
        for attribute in Attribute.allCases
        where offers?.contains(attribute.offer) ?? true && !(attribute == .login && login.isEmpty) {
            line.append(ASCII.space)
            line.append(contentsOf: attribute.rawValue.utf8)
            line.append(UInt8(ascii: "="))
            switch attribute {
            case .address: line.append(contentsOf: address(client.address).utf8)
            case .login: line.append(xtext: login)
            case .name: line.append(xtext: client.hostName.utf8)
            }
        }
        guard line.count > verb.utf8CodeUnitCount else { return nil }
        line.endLine()
        return line
    }

    /// What a reply to EHLO says of XCLIENT.
    static func offers(in reply: [UInt8]) -> BackEndOffers {
        for line in reply.split(separator: ASCII.lf) {
            let words = line.dropFirst(4).split { $0 == ASCII.space || $0 == ASCII.cr }.map(\.asciiUppercased)
            guard words.first == "XCLIENT" else { continue }
            return words.dropFirst().reduce(into: .xclient) { offers, word in
                if let attribute = Attribute(rawValue: word) { offers.insert(attribute.offer) }
            }
        }
        return []
    }

    private static func address(_ address: SocketAddress) -> String {
        switch address {
        case .ipv4(let host, _): host.description
        case .ipv6(let host, _): "IPV6:\(host)"
        // Postfix knows no unix clients.
        case .unix: "[UNAVAILABLE]"
        }
    }
}

extension [UInt8] {
    /// RFC 3461 §4: what is not printable, `+` and `=` become `+XX`, so that a login stays one attribute.
    mutating func append(xtext bytes: some Collection<UInt8>) {
        // Nearly always: in one piece.
        guard bytes.contains(where: { !$0.isXtext }) else { return append(contentsOf: bytes) }
        for byte in bytes {
            if byte.isXtext {
                append(byte)
            } else {
                append(UInt8(ascii: "+"))
                appendHexadecimal(byte)
            }
        }
    }

    private mutating func append(hexadecimal digit: UInt8) {
        append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10)
    }

    /// Appends two upper-case hexadecimal digits.
    mutating func appendHexadecimal(_ byte: UInt8) {
        append(hexadecimal: byte >> 4)
        append(hexadecimal: byte & 15)
    }
}

extension UInt8 {
    /// What stands for itself in RFC 3461's xtext.
    fileprivate var isXtext: Bool {
        (0x21...0x7E).contains(self) && self != UInt8(ascii: "+") && self != UInt8(ascii: "=")
    }
}
