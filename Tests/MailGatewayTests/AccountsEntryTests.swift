import AsyncIO
import Testing

@testable import MailGateway

/// What `mailgateway passwd` makes of an accounts file.
@Suite struct AccountsEntryTests {
    private func edited(_ text: String, _ name: String, backEnd: String? = nil) throws -> String {
        var accounts = EditedAccounts(text: Array(text.utf8))
        try accounts.put(
            try AccountsEntry(name: name, backEnd: backEnd), password: Secret(Array("new".utf8)), .plain)
        return String(decoding: accounts.text, as: UTF8.self)
    }

    @Test(arguments: [
        ("", "ann", "ann:{PLAIN}new\n", "a new file"),
        ("# all\nann:{PLAIN}old\nbob:{PLAIN}b\n", "ann", "# all\nann:{PLAIN}new\nbob:{PLAIN}b\n", "in its place"),
        ("ann:{PLAIN}old", "ann", "ann:{PLAIN}new", "a last line without an end"),
        ("ann:{PLAIN}old", "bob", "ann:{PLAIN}old\nbob:{PLAIN}new\n", "behind a line without an end"),
        ("a:{PLAIN}x\r\nann:{PLAIN}old\r\n", "ann", "a:{PLAIN}x\r\nann:{PLAIN}new\r\n", "CRLF stays"),
        ("ann.b:{PLAIN}x\n", "ann", "ann.b:{PLAIN}x\nann:{PLAIN}new\n", "a longer name is another"),
        (
            "ann:backend=x:143:{PLAIN}old\n", "ann", "ann:backend=x:143:{PLAIN}new\n", "the account's back-end stays"
        ),
    ])
    func `one line is put in, all others stay as they are`(
        text: String, name: String, expected: String, reason: String
    ) throws {
        #expect(try edited(text, name) == expected, "\(reason)")
    }

    @Test func `a back-end is set, and replaced`() throws {
        #expect(try edited("", "ann", backEnd: "x:143") == "ann:backend=x:143:{PLAIN}new\n")
        #expect(try edited("ann:backend=x:{PLAIN}o\n", "ann", backEnd: "y") == "ann:backend=y:{PLAIN}new\n")
    }

    @Test(arguments: ["", "#ann", "a:b", "a\nb", "a\0", "a\tb"])
    func `names that a file cannot hold are refused`(name: String) {
        #expect(throws: PasswdFailure.self) { try AccountsEntry(name: name, backEnd: nil) }
    }

    @Test(arguments: ["", "a b", "x:{PLAIN}y", "x:0", "x\ny:{PLAIN}z"])
    func `back-ends that are none are refused`(backEnd: String) {
        #expect(throws: PasswdFailure.self) { try AccountsEntry(name: "ann", backEnd: backEnd) }
    }

    @Test func `each scheme has its longest password`() throws {
        let entry = try AccountsEntry(name: "ann", backEnd: nil)
        for (scheme, maximum) in [(AccountsEntry.Scheme.bcrypt, 72), (.plain, 1024 - "ann:{PLAIN}".utf8.count)] {
            let longest = [UInt8](repeating: 0x78, count: maximum)
            #expect(throws: Never.self) { try entry.line(Secret(longest), scheme) }
            #expect(throws: PasswdFailure.self) { try entry.line(Secret(longest + [0x78]), scheme) }
        }
    }

    @Test func `a file that is broken already is not written`() {
        #expect(throws: PasswdFailure.self) { try edited("nonsense\n", "ann") }
    }
}
