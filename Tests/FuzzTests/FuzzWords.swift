import TestSupport

/// What fuzzed clients are made of: the protocols' own words, joined, repeated and spoilt.
enum FuzzWords {
    static let imap =
        shared + [
            "a ", "b2 ", "* ", "+ ", "LOGIN ", "login ", "AUTHENTICATE ", "CAPABILITY", "NOOP", "LOGOUT", "STARTTLS",
            "ID ", "(", ")", "NIL", "\"", "\"ann\" ", "\\", "{", "}", "{1}\r\n", "{3+}\r\n", "{0+}\r\n", "{99999}\r\n",
            "{4294967296+}\r\n", "{-1}\r\n", "a LOGIN ann secret\r\n", "a LOGIN {3+}\r\nann {1+}\r\nx\r\n",
            "a ID (\"x\" {2+}\r\nyz)\r\n", "a AUTHENTICATE ",
        ]
    static let pop3 =
        shared + [
            "USER ", "PASS ", "APOP ", "AUTH ", "CAPA", "NOOP", "QUIT", "STLS", "USER ann\r\nPASS secret\r\n",
            "APOP ann 0123\r\n", "STAT\r\n", "AUTH\r\n",
        ]
    static let smtp =
        shared + [
            "HELO ", "EHLO ", "AUTH ", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "RSET", "NOOP", "QUIT", "STARTTLS", "DATA",
            "EHLO a\r\nMAIL FROM:<>\r\nRCPT TO:<a>\r\n", "XCLIENT ADDR=1\r\n", "BDAT 3 LAST\r\nabc",
        ]
    private static let shared = [
        "\r\n", "\r\n", "\r\n", "\n", "\r", "\0", " ", "  ", "\u{e4}", "PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL", "=",
        "*", "*\r\n", "AGFubgBzZWNyZXQ=", "YW5u", "\r\nYW5u\r\n", "AUTH LOGIN YW5u\r\nYW5u\r\n",
        "Ym9iIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm", "GET / HTTP/1.1\r\n", "ann", "secret",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "OAUTHBEARER ", "XOAUTH2 ",
        // n,a=ann,^Aauth=Bearer x^A^A and user=ann^Aauth=Bearer x^A^A
        "bixhPWFubiwBYXV0aD1CZWFyZXIgeAEB\r\n", "dXNlcj1hbm4BYXV0aD1CZWFyZXIgeAEB\r\n", "AQ==\r\n",
    ]

    /// A client's bytes: words in a row, some of the bytes changed, dropped, doubled or moved.
    static func input(from words: [String], _ random: inout SeededRandom) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1..<24, using: &random) {
            bytes += Array((words.randomElement(using: &random) ?? "").utf8)
            if Int.random(in: 0..<3, using: &random) == 0 { bytes += [13, 10] }
            if Int.random(in: 0..<8, using: &random) == 0 {
                bytes += (0..<Int.random(in: 0..<20, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
        }
        for _ in 0..<Int.random(in: 0..<4, using: &random) {
            let place = Int.random(in: 0..<bytes.count + 1, using: &random)
            guard place < bytes.count else { continue }
            switch random.next() % 3 {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes.remove(at: place)
            default: bytes.insert(contentsOf: bytes[place...].prefix(9), at: place)
            }
        }
        return bytes
    }

    /// The bytes in pieces of random length.
    static func cut(_ bytes: [UInt8], _ random: inout SeededRandom) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1..<40, using: &random))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
