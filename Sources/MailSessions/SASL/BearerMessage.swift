import AsyncIO

/// The mechanisms that show a token of OAuth 2.0 instead of a password.
package enum BearerMechanism: String, Sendable, Hashable, CaseIterable {
    /// RFC 7628.
    case oauthBearer = "OAUTHBEARER"
    /// Google's older form of it.
    case xoauth2 = "XOAUTH2"

    /// In the words of auth_http.
    var method: AuthenticationMethod { self == .oauthBearer ? .oauthBearer : .xoauth2 }

    /// The mechanism of a method, if it is one of these.
    init?(_ method: AuthenticationMethod) {
        guard let mechanism = BearerMechanism.allCases.first(where: { $0.method == method }) else { return nil }
        self = mechanism
    }

    /// What a client answers to the challenge that tells it why its token was refused, in base64: `^A`
    /// (RFC 7628 §3.2.3), or nothing.
    var acknowledgement: [UInt8] { self == .oauthBearer ? Array("AQ==".utf8) : [] }
}

/// The one message of OAUTHBEARER and XOAUTH2: for whom, and with which token.
///
/// ```
/// n,a=user@example.com,^Ahost=mail.example.com^Aport=993^Aauth=Bearer token^A^A      OAUTHBEARER
/// user=user@example.com^Aauth=Bearer token^A^A                                       XOAUTH2
/// ```
/// Read strictly, so that it has one meaning for us and for whoever reads it next: the keys that are known
/// occur once, a token has the characters of RFC 6750 §2.1, and nothing follows the end.
struct BearerMessage: Sendable {
    /// The name that the client wants to be; empty where OAUTHBEARER leaves it to the token.
    let login: [UInt8]
    let token: Secret

    private static let separator: UInt8 = 1
    private static let scheme = "BEARER"

    /// For sending.
    init(login: [UInt8], token: Secret) {
        self.login = login
        self.token = token
    }

    /// Nil for a message that is not exactly as the mechanism has it. The caller wipes `message`.
    init?(_ message: [UInt8], of mechanism: BearerMechanism) {
        // The end is an empty pair.
        guard message.suffix(2) == [BearerMessage.separator, BearerMessage.separator] else { return nil }
        let parts = message.dropLast(2).split(separator: BearerMessage.separator, omittingEmptySubsequences: false)
        guard let head = parts.first else { return nil }
        let name: [UInt8]?
        let authorization: ArraySlice<UInt8>?
        switch mechanism {
        case .oauthBearer:
            name = BearerMessage.authorizationIdentity(of: head)
            authorization = BearerMessage.authorization(in: parts.dropFirst())
        case .xoauth2:
            guard parts.count == 2 else { return nil }
            name = BearerMessage.value(of: "user", in: head).flatMap { $0.isEmpty ? nil : Array($0) }
            authorization = BearerMessage.value(of: "auth", in: parts[1])
        }
        guard let name, Credentials.admits(login: name), let authorization,
            let token = BearerMessage.token(in: authorization)
        else { return nil }
        login = name
        self.token = token
    }

    /// What is sent to a server of this mechanism; host and port are left out, which only other kinds of
    /// token need (RFC 7628 §3.1).
    func bytes(of mechanism: BearerMechanism) -> Secret {
        let head =
            switch mechanism {
            case .oauthBearer: login.isEmpty ? Array("n,,".utf8) : Array("n,a=".utf8) + escapedLogin + Array(",".utf8)
            case .xoauth2: Array("user=".utf8) + login
            }
        let start = head + [BearerMessage.separator] + Array("auth=Bearer ".utf8)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(start.count + token.count + 2)
        bytes += start
        bytes.append(token)
        bytes += [BearerMessage.separator, BearerMessage.separator]
        defer { wipe(&bytes) }
        return Secret(bytes)
    }

    // MARK: The parts

    /// `n,a=name,`: the GS2 header (RFC 5801 §4) without channel binding, which OAUTHBEARER has not.
    private static func authorizationIdentity(of header: ArraySlice<UInt8>) -> [UInt8]? {
        let parts = header.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
        guard parts.count == 3, parts[2].isEmpty, ["n", "y"].contains(String(decoding: parts[0], as: UTF8.self)) else {
            return nil
        }
        if parts[1].isEmpty { return [] }
        guard let name = value(of: "a", in: parts[1]), !name.isEmpty else { return nil }
        return unescaped(name)
    }

    /// `=2C` and `=3D` stand for comma and equals sign (RFC 5801 §4, saslname).
    private static func unescaped(_ name: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = name
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "=") else {
                result.append(byte)
                continue
            }
            switch String(decoding: rest.prefix(2), as: UTF8.self) {
            case "2C": result.append(UInt8(ascii: ","))
            case "3D": result.append(UInt8(ascii: "="))
            default: return nil
            }
            rest = rest.dropFirst(2)
        }
        return result
    }

    private var escapedLogin: [UInt8] {
        login.flatMap { byte in
            switch byte {
            case UInt8(ascii: ","): Array("=2C".utf8)
            case UInt8(ascii: "="): Array("=3D".utf8)
            default: [byte]
            }
        }
    }

    /// The value of `auth` among the pairs; nil where it is missing or a pair is none. Keys that are not known
    /// are passed over (RFC 7628 §3.1).
    private static func authorization(in pairs: ArraySlice<ArraySlice<UInt8>>) -> ArraySlice<UInt8>? {
        var known: [String: ArraySlice<UInt8>] = [:]
        for pair in pairs {
            let key = pair.prefix { $0.isLetter }
            guard !key.isEmpty, let value = value(of: key, in: pair), value.allSatisfy(isValueByte) else { return nil }
            let name = String(decoding: key, as: UTF8.self)
            guard ["auth", "host", "port"].contains(name) else { continue }
            guard known.updateValue(value, forKey: name) == nil else { return nil }
        }
        if let port = known["port"] {
            guard port.allSatisfy(\.isDigit), UInt16(String(decoding: port, as: UTF8.self)) ?? 0 > 0 else { return nil }
        }
        if let host = known["host"], host.isEmpty { return nil }
        return known["auth"]
    }

    /// VCHAR, space, tab, CR and LF (RFC 7628 §3.1, `value`).
    private static func isValueByte(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) || [0x09, ASCII.cr, ASCII.lf].contains(byte)
    }

    private static func value(of key: String, in pair: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        value(of: Array(key.utf8)[...], in: pair)
    }

    private static func value(of key: ArraySlice<UInt8>, in pair: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard pair.starts(with: key), pair.dropFirst(key.count).first == UInt8(ascii: "=") else { return nil }
        return pair.dropFirst(key.count + 1)
    }

    /// `Bearer` in any case, spaces, and a token of the characters of RFC 6750 §2.1 (`b64token`).
    private static func token(in authorization: ArraySlice<UInt8>) -> Secret? {
        guard authorization.prefix(scheme.utf8.count).asciiUppercased == scheme else { return nil }
        let rest = authorization.dropFirst(scheme.utf8.count)
        let token = rest.drop { $0 == ASCII.space }
        guard token.count < rest.count else { return nil }
        let body = token.prefix { $0.isLetter || $0.isDigit || "-._~+/".utf8.contains($0) }
        guard !body.isEmpty, token.dropFirst(body.count).allSatisfy({ $0 == UInt8(ascii: "=") }) else { return nil }
        return Secret(token)
    }
}
