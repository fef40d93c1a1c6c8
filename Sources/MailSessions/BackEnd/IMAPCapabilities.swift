/// What an IMAP back-end says that it can do, as far as a login needs to know.
struct IMAPCapabilities: OptionSet, Sendable {
    let rawValue: UInt8

    /// AUTHENTICATE may carry the response (RFC 4959).
    static let initialResponses = IMAPCapabilities(rawValue: 1)
    /// Literals may be sent without being asked for (RFC 7888).
    static let literals = IMAPCapabilities(rawValue: 2)
    /// The same, up to 4096 bytes.
    static let shortLiterals = IMAPCapabilities(rawValue: 4)
    /// The mechanisms that a login can use.
    static let plain = IMAPCapabilities(rawValue: 8)
    static let oauthBearer = IMAPCapabilities(rawValue: 16)
    static let xoauth2 = IMAPCapabilities(rawValue: 32)
}

extension IMAPCapabilities {
    private static let words: [(StaticString, IMAPCapabilities)] = [
        ("SASL-IR", .initialResponses), ("LITERAL+", .literals), ("LITERAL-", .shortLiterals), ("AUTH=PLAIN", .plain),
        ("AUTH=OAUTHBEARER", .oauthBearer), ("AUTH=XOAUTH2", .xoauth2),
    ]

    /// Those that a greeting may carry: `* OK [CAPABILITY IMAP4rev1 LITERAL+] ready`.
    init(greeting line: ReplyLine) {
        self.init()
        let marker: StaticString = "[CAPABILITY "
        let rest = line.text.dropFirst("* OK ".utf8.count)
        guard rest.begins(with: marker) else { return }
        add(rest.dropFirst(marker.utf8CodeUnitCount).prefix { $0 != UInt8(ascii: "]") })
    }

    /// Adds those of an untagged reply, if it is one: `* CAPABILITY IMAP4rev1 AUTH=PLAIN`.
    mutating func take(_ line: ReplyLine) {
        let marker: StaticString = "* CAPABILITY "
        if line.begins(with: marker) { add(line.text.dropFirst(marker.utf8CodeUnitCount)) }
    }

    private mutating func add(_ text: ArraySlice<UInt8>) {
        var rest = text
        while !rest.isEmpty {
            let word = rest.prefix { $0 != ASCII.space }
            for (name, capability) in IMAPCapabilities.words where word.equals(name) { insert(capability) }
            rest = rest.dropFirst(word.count + 1)
        }
    }

    /// Whether the mechanism may be used.
    func offers(_ mechanism: String) -> Bool {
        IMAPCapabilities.words.contains { "\($0.0)" == "AUTH=\(mechanism)" && contains($0.1) }
    }

    /// Whether a literal of `count` bytes may be sent without being asked for (RFC 7888: LITERAL- allows 4096).
    func allowsLiteral(_ count: Int) -> Bool {
        contains(.literals) || contains(.shortLiterals) && count <= 4096
    }
}
