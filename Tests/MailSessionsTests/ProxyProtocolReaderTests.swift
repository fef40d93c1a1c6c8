import AsyncIO
import TestSupport
import Testing

@testable import MailSessions

/// PROXY headers from load balancers, and what pretends to be some (nginx-mail.md §7.1, security-checklist D1, D2).
@Suite struct ProxyProtocolReaderTests {
    private static var words: Vocabulary<ProxyProtocolReader> {
        Vocabulary { outcome in
            switch outcome {
            case .addresses(let addresses): "\(addresses.source) \(addresses.destination)"
            case .unknown: "unknown"
            case .refused(.broken(let excerpt)): "broken '\(String(decoding: excerpt, as: UTF8.self))'"
            case .refused(let fault): "\(fault)"
            }
        }
    }

    private func check(_ transcript: String) throws {
        try Transcript(transcript).check(Self.words) { ProxyProtocolReader() }
    }

    @Test(arguments: [
        ("PROXY TCP4 192.0.2.7 198.51.100.1 40000 143", "192.0.2.7:40000 198.51.100.1:143"),
        ("PROXY TCP4 192.0.2.7 198.51.100.1 0 65535", "192.0.2.7:0 198.51.100.1:65535"),
        ("PROXY TCP6 2001:db8::1 2001:DB8::2 5 993", "[2001:db8::1]:5 [2001:db8::2]:993"),
        ("PROXY TCP6 ::ffff:192.0.2.7 ::1 5 993", "[::ffff:192.0.2.7]:5 [::1]:993"),
        ("PROXY TCP4 2001:db8::1 192.0.2.1 5 993", "[2001:db8::1]:5 192.0.2.1:993"),
        ("PROXY UNKNOWN", "unknown"), ("PROXY UNKNOWN ffff::1 ffff::2 1 2 and more", "unknown"),
    ])
    func `version 1`(header: String, outcome: String) throws {
        try check("C: \(header)\n= \(outcome)")
        try check("C: \(header)\nC: a1 NOOP\nc: x\n= \(outcome)\nL: a1 NOOP\nl: x")
    }

    @Test(arguments: [
        "PROXY TCP4 192.0.2.7 198.51.100.1 40000", "PROXY TCP4 192.0.2.7 198.51.100.1 40000 143 ",
        "PROXY TCP4 192.0.2.7 198.51.100.1 40000 65536", "PROXY TCP4 192.0.2.7 198.51.100.1 -1 143",
        "PROXY TCP4 192.0.2.7 198.51.100.1 000001 143", "PROXY TCP4  192.0.2.7 198.51.100.1 1 143",
        "PROXY TCP4 host.example 198.51.100.1 1 143", "PROXY TCP4 192.0.2.7 198.51.100 1 143",
        "PROXY TCP6 [::1] ::1 1 143", "PROXY TCP6 fe80::1%lo ::1 1 143", "PROXY TCP4 192.0.2.7\t198.51.100.1 1 143",
        "PROXY TCP5 192.0.2.7 198.51.100.1 1 143", "PROXY UDP4 192.0.2.7 198.51.100.1 1 143", "PROXY", "PROXY ",
        "proxy TCP4 192.0.2.7 198.51.100.1 1 143", "a1 NOOP", " PROXY UNKNOWN", "GET / HTTP/1.0",
    ])
    func `what is no header is refused, and its first line is told`(line: String) throws {
        let shown = line.replacing("\t", with: #"\t"#)
        try check("C: \(shown)\nC: a1 NOOP\n= broken '\(line)'")
    }

    @Test func `a bare LF does not end a header`() throws {
        try check(#"c: PROXY UNKNOWN\n"# + "\n= broken 'PROXY UNKNOWN'")
        try check(#"c: \n"# + "\n= broken ''")
    }

    @Test func `what may be a password is not told`() throws {
        try check("C: a1 LOGIN ann secret\n= broken 'a1 LOGIN'")
    }

    @Test func `version 1 has at most 107 bytes`() throws {
        let longest = "PROXY UNKNOWN " + String(repeating: "x", count: 107 - 2 - 14)
        try check("C: \(longest)\n= unknown")
        // With CR and LF 108 bytes, of which 107 are shown.
        try check("C: \(longest)x\n= broken '\(longest)x'")
        let endless = String(repeating: "y", count: 107)
        try check("c: \(endless)\n= broken '\(endless)'")
        // What is told does not depend on how much came at once.
        try check("c: \(endless)zzz\n= broken '\(endless)'")
        // One less may still become a line.
        try check("c: \(endless.dropLast())")
    }

    // MARK: Version 2

    private static let signature = #"\r\n\r\n\0\r\nQUIT\n"#
    private static let ipv4 = #"\xC0\x00\x02\x07\xC6\x33\x64\x01\x01\x02\x00\x8F"#
    private static let ipv6 =
        #"\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0D\xB8\0\0\0\0\0\0\0\0\0\0\0\x02\x01\x02\x00\x8F"#

    @Test(arguments: [
        (#"\x21\x11\0\x0C"# + ipv4, "192.0.2.7:258 198.51.100.1:143", "IPv4"),
        (#"\x21\x21\0\x24"# + ipv6, "[2001:db8::1]:258 [2001:db8::2]:143", "IPv6"),
        (#"\x21\x11\0\x12"# + ipv4 + #"\xE0\0\x03abc"#, "192.0.2.7:258 198.51.100.1:143", "an unknown field"),
        (#"\x21\x11\0\x0F"# + ipv4 + #"\x04\xFF\xFF"#, "192.0.2.7:258 198.51.100.1:143", "a field that lies"),
        (#"\x20\x00\0\0"#, "unknown", "LOCAL"), (#"\x20\x11\0\x0C"# + ipv4, "unknown", "LOCAL with addresses"),
        (#"\x21\x00\0\0"#, "unknown", "no family"), (#"\x21\x31\0\x03abc"#, "unknown", "a unix socket"),
        (#"\x21\x12\0\x0C"# + ipv4, "unknown", "datagrams"),
        (#"\x21\x00\x0F\xF0"# + String(repeating: "x", count: 4080), "unknown", "the longest"),
    ])
    func `version 2`(rest: String, outcome: String, reason: String) throws {
        // The longest is not cut at each of its bytes: the same code took the others.
        guard rest.utf8.count < 1000 else { return try checkWhole(rest, outcome) }
        try check("c: \(Self.signature)\(rest)\n= \(outcome)")
        try check("c: \(Self.signature)\(rest)a1 NOOP\n= \(outcome)\nl: a1 NOOP")
    }

    @Test(arguments: [
        (#"\x11\x11\0\x0C"#, "version(1)", "another version"), (#"\x31\x11\0\x0C"#, "version(3)", "another version"),
        (#"\x2F\x11\0\0"#, "command(15)", "an unknown command"), (#"\x22\x11\0\0"#, "command(2)", "an unknown command"),
        (#"\x21\x11\0\x0B"# + ipv4, "broken ''", "too short for IPv4"),
        (#"\x21\x21\0\x23"# + ipv6, "broken ''", "too short for IPv6"),
        (#"\x21\x11\x0F\xF1"#, "tooLarge", "one byte more than the longest"),
        (#"\x21\x11\xFF\xFF"#, "tooLarge", "65535 bytes"),
    ])
    func `version 2, refused`(rest: String, outcome: String, reason: String) throws {
        try check("c: \(Self.signature)\(rest)\n= \(outcome)")
    }

    @Test func `a signature that is none is refused at its first wrong byte`() throws {
        try check(#"c: \r\n\r\n\0\r\nQUIX"# + "\n= broken ''")
        try check(#"c: \r\n"# + "\nc: \r\\nx\n= broken ''")
        // All of it may still come.
        try check("c: \(Self.signature)" + #"\x21\x11\0"#)
        try check("c: \(Self.signature)" + #"\x21\x11\0\x0C\xC0"#)
    }

    @Test func `a peer that stops in the middle is told of by what it said`() {
        var reader = ProxyProtocolReader()
        #expect(reader.faultAtEnd == .broken(excerpt: []))
        reader.input.append(contentsOf: Array("PROXY TC".utf8))
        #expect(reader.faultAtEnd == .broken(excerpt: Array("PROXY TC".utf8)))
    }

    private func checkWhole(_ rest: String, _ outcome: String) throws {
        let bytes: [UInt8] =
            ProxyProtocolHeader.signature + [0x21, 0x00, 0x0F, 0xF0] + [UInt8](repeating: 0x78, count: 4080)
        var reader = ProxyProtocolReader()
        reader.input.append(contentsOf: bytes.dropLast())
        guard case .receive = reader.next() else {
            Issue.record("a header is complete with its last byte")
            return
        }
        reader.input.append(contentsOf: bytes.suffix(1))
        guard case .finish(.unknown) = reader.next() else {
            Issue.record("the longest header is accepted")
            return
        }
        #expect(reader.input.isEmpty)
    }
}
