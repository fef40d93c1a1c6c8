import AsyncIO

/// The XCLIENT command, which tells a back-end who its client really is (Postfix XCLIENT_README).
enum XClient {
    /// The command, without CRLF; an empty login is left out.
    static func command(client: ClientFacts, login: [UInt8]) -> [UInt8] {
        var line = Array("XCLIENT ADDR=\(address(client.address))".utf8)
        if !login.isEmpty { line += Array(" LOGIN=".utf8) + xtext(login) }
        return line + Array(" NAME=".utf8) + xtext(Array(client.hostName.utf8))
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
