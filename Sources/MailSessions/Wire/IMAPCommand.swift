import AsyncIO

/// A command of an IMAP client before it has logged in (RFC 3501 §6.1, §6.2; RFC 2971).
package struct IMAPCommand: Sendable {
    /// The verbs served; every other is an error before login.
    package enum Verb: String, Sendable, CaseIterable {
        case capability = "CAPABILITY"
        case noop = "NOOP"
        case logout = "LOGOUT"
        case startTLS = "STARTTLS"
        case login = "LOGIN"
        case authenticate = "AUTHENTICATE"
        case id = "ID"
    }

    /// Longest tag; longer ones are no tags (nginx-mail.md §3.3).
    package static let tagMaximum = 32

    package let tag: [UInt8]
    package let verb: Verb
    /// Unquoted and with the literals in place; empty for `ID`, whose list nobody reads.
    package internal(set) var arguments: [Secret] = []

    /// The tag that begins the first `length` bytes of `input`: letters, digits, `-`, `.` and `_` up
    /// to a space. Nil leaves `*` to stand for it in replies.
    static func tag(in input: ByteQueue, length: Int) -> [UInt8]? {
        for offset in 0..<min(length, tagMaximum + 1, input.count) {
            let byte = input[offset]
            if byte == ASCII.space { return offset == 0 ? nil : input[0..<offset] }
            let isAllowed = byte.isLetter || byte.isDigit || "-._".utf8.contains(byte)
            guard isAllowed else { return nil }
        }
        return nil
    }
}
