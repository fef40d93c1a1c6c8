/// What an IMAP back-end says that it can do, as far as a login needs to know.
struct IMAPCapabilities: Sendable {
    private var words: Set<String> = []

    /// Of a back-end that has said nothing.
    init() {}

    /// Those that a greeting may carry: `* OK [CAPABILITY IMAP4rev1 LITERAL+] ready`.
    init(greeting line: ReplyLine) {
        let marker = "[CAPABILITY "
        let rest = line.text.dropFirst("* OK ".utf8.count)
        guard ReplyLine(bytes: Array(rest)).begins(with: marker) else { return }
        add(rest.dropFirst(marker.utf8.count).prefix { $0 != UInt8(ascii: "]") })
    }

    /// Adds those of an untagged reply, if it is one: `* CAPABILITY IMAP4rev1 AUTH=PLAIN`.
    mutating func take(_ line: ReplyLine) {
        let marker = "* CAPABILITY "
        if line.begins(with: marker) { add(line.text.dropFirst(marker.utf8.count)) }
    }

    private mutating func add(_ text: ArraySlice<UInt8>) {
        words.formUnion(text.split(separator: ASCII.space).map(\.asciiUppercased))
    }

    /// Whether the mechanism may be used.
    func offers(_ mechanism: String) -> Bool { words.contains("AUTH=\(mechanism)") }

    /// Whether AUTHENTICATE may carry the response (RFC 4959).
    var takesInitialResponses: Bool { words.contains("SASL-IR") }

    /// Whether a literal of `count` bytes may be sent without being asked for (RFC 7888: LITERAL- allows 4096).
    func allowsLiteral(_ count: Int) -> Bool {
        words.contains("LITERAL+") || words.contains("LITERAL-") && count <= 4096
    }
}
