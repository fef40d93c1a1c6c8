import Testing

@Suite("House rules") struct RuleTests {
    @Test("hold in the whole project", arguments: Rule.all) func holds(rule: Rule) {
        let offences = SourceFile.all.flatMap(rule.check)
        #expect(offences.isEmpty, "\(offences.map(\.description).joined(separator: "\n"))")
    }

    @Test("find the sources") func sourcesAreFound() {
        #expect(SourceFile.all.count > 20)
        #expect(SourceFile.all.contains { $0.path == "Sources/MailSessions/Dialogue/Dialogue.swift" })
    }

    /// A file that breaks exactly one rule, and its like that does not.
    struct Example: Sendable, CustomTestStringConvertible {
        let rule: String
        let path: String
        let bad: String
        let good: String
        var testDescription: String { rule }
    }

    @Test("can fail", arguments: examples) func canFail(example: Example) throws {
        let rule = try #require(Rule.all.first { $0.name == example.rule })
        #expect(!rule.check(SourceFile(path: example.path, text: example.bad)).isEmpty)
        #expect(rule.check(SourceFile(path: example.path, text: example.good)).isEmpty)
        #expect(rule.check(SourceFile(path: "Elsewhere/Good.swift", text: example.good)).isEmpty)
    }

    @Test("each have an example") func eachHasAnExample() {
        #expect(Set(Rule.all.map(\.name)) == Set(Self.examples.map(\.rule)))
    }

    static let examples = [
        Example(
            rule: "socket constants are seen through CLinux", path: "Sources/AsyncIO/Net/A.swift",
            bad: "import Glibc\nlet type = SOCK_STREAM", good: "import CLinux\nimport Glibc\nlet type = SOCK_STREAM"),
        Example(
            rule: "Buffers use the standard library only", path: "Sources/AsyncIO/Buffers/A.swift",
            bad: "import CURing", good: "import Glibc"),
        Example(
            rule: "Buffers are not asynchronous", path: "Sources/AsyncIO/Buffers/A.swift",
            bad: "func read() async {}", good: "/// Nothing async here.\nlet asyncLike = 1"),
        Example(
            rule: "AsyncIO knows nothing above it", path: "Sources/AsyncIO/Net/A.swift",
            bad: "package import MailSessions", good: "import Glibc"),
        Example(
            rule: "AsyncIO knows no mail words", path: "Sources/AsyncIO/Net/A.swift",
            bad: "let IMAP = 143", good: "// As IMAP wants it.\nlet port = 143"),
        Example(
            rule: "io_uring is the executor's business", path: "Sources/AsyncIO/Net/A.swift",
            bad: "@preconcurrency import CURing", good: "import Glibc"),
        Example(
            rule: "OpenSSL is the business of TLS, and of digests", path: "Sources/AsyncIO/Net/A.swift",
            bad: "import COpenSSL", good: "import Glibc"),
        Example(
            rule: "libmariadb blocks, so its calls are in one place",
            path: "Sources/MailSessions/Authenticators/A.swift", bad: "import CMariaDB", good: "import AsyncIO"),
        Example(
            rule: "TLS gives bytes, it does not move them", path: "Sources/AsyncIO/TLS/A.swift",
            bad: "func send() async {}", good: "func send() -> [UInt8] { [] }"),
        Example(
            rule: "no Foundation in AsyncIO and MailSessions", path: "Sources/MailSessions/Session/A.swift",
            bad: "import struct Foundation.Data", good: "import AsyncIO"),
        Example(
            rule: "MailSessions knows nothing above it", path: "Sources/MailSessions/Session/A.swift",
            bad: "import MailGateway", good: "import AsyncIO"),
        Example(
            rule: "dialogues are values", path: "Sources/MailSessions/FrontEnd/A.swift",
            bad: "let now = ContinuousClock.now", good: "let pause = Duration.seconds(1)"),
        Example(
            rule: "dialogues get their randomness passed in", path: "Sources/MailSessions/SASL/A.swift",
            bad: "let nonce = UInt64.random(in: 0...9)", good: "init(nonce: UInt64) {}"),
        Example(
            rule: "the configuration does not wait", path: "Sources/MailGateway/Configuration/A.swift",
            bad: "let file = await read()", good: "let file = read()"),
        Example(
            rule: "nothing below MailGateway prints", path: "Sources/MailSessions/Session/A.swift",
            bad: "print(\"here\")", good: "let fingerprint = print2(1)"),
        Example(
            rule: "structured concurrency only", path: "Sources/MailGateway/Process/A.swift",
            bad: "Task.detached { }", good: "// Task.detached loses the executor.\nasync let a = b()"),
        Example(
            rule: "errors are handled", path: "Tests/AsyncIOTests/A.swift",
            bad: "let a = try! b()", good: "let a = try b()"),
        Example(
            rule: "no leftovers", path: "Sources/AsyncIO/Net/A.swift",
            bad: "// TODO: close it", good: "let template = \"XXXXXX\""),
        Example(
            rule: "unsafe promises are fenced", path: "Sources/MailSessions/Session/A.swift",
            bad: "final class A: @unchecked Sendable {}", good: "final class A: Sendable {}"),
        Example(
            rule: "every unsafe promise says why it holds", path: "Sources/AsyncIO/Executor/A.swift",
            bad: "nonisolated(unsafe) var a = 1",
            good: "// Safety: written before the first thread starts.\nnonisolated(unsafe) var a = 1"),
        Example(
            rule: "a file is at most 400 lines", path: "Sources/AsyncIO/Net/A.swift",
            bad: String(repeating: "let a = 1\n", count: 401), good: String(repeating: "let a = 1\n", count: 400)),
    ]

    @Test(
        "see code, not comments",
        arguments: [
            ("let a = 1 // b", "let a = 1 "),
            ("let a = \"// no\" // yes\nlet b", "let a = \"// no\" \nlet b"),
            ("/* a /* b */ c */ let d", " let d"),
            ("\"\"\"\n// text \"quoted\"\n\"\"\" // c", "\"\"\"\n// text \"quoted\"\n\"\"\" "),
            ("\"a\\\"b\" // c", "\"a\\\"b\" "),
            ("a /* b\nc */ d", "a \n d"),
        ]) func commentsAreTold(text: String, code: String)
    {
        #expect(withoutComments(text) == code)
    }
}
