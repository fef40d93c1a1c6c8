/// The house rules: the floors of the architecture (who may know whom), and habits (CONTRIBUTING.md).
extension Rule {
    static let all = floors + habits

    private static let foundation: Set<Substring> = [
        "Foundation", "FoundationEssentials", "FoundationNetworking", "Dispatch",
    ]

    /// From the bottom up.
    static let floors: [Rule] = [
        .allowing("Buffers use the standard library only", imports: ["Glibc", "Synchronization"]) {
            $0.isIn("Sources/AsyncIO/Buffers")
        },
        .forbidding("Buffers are not asynchronous", words: ["async", "await"]) { $0.isIn("Sources/AsyncIO/Buffers") },
        .forbidding("AsyncIO knows nothing above it", imports: ["MailSessions", "MailGateway", "ArgumentParser"]) {
            $0.isIn("Sources/AsyncIO")
        },
        .forbidding("AsyncIO knows no mail words", words: mailWords, ignoringCase: true) { $0.isIn("Sources/AsyncIO") },
        .forbidding("io_uring is the executor's business", imports: ["CURing"]) {
            $0.isIn("Sources") && !$0.isIn("Sources/AsyncIO/Executor")
        },
        .forbidding("OpenSSL is the business of TLS, and of digests", imports: ["COpenSSL"]) {
            $0.isIn("Sources") && !$0.isIn("Sources/AsyncIO/TLS", "Sources/MailSessions/Authenticators")
        },
        .forbidding("libmariadb blocks, so its calls are in one place", imports: ["CMariaDB"]) {
            $0.isIn("Sources") && !$0.isIn("Sources/MailSessions/Authenticators/MySQL")
        },
        .forbidding("TLS gives bytes, it does not move them", words: ["async", "await", "RingExecutor"]) {
            $0.isIn("Sources/AsyncIO/TLS")
        },
        .forbidding("no Foundation in AsyncIO and MailSessions", imports: foundation) {
            $0.isIn("Sources/AsyncIO", "Sources/MailSessions")
        },
        .forbidding("MailSessions knows nothing above it", imports: ["MailGateway", "ArgumentParser"]) {
            $0.isIn("Sources/MailSessions")
        },
        .forbidding(
            "dialogues are values", words: ["async", "await", "ContinuousClock", "SuspendingClock", "clock_gettime"]
        ) { $0.isDialogue },
        .forbidding(
            "dialogues get their randomness passed in", words: [".random(", "SystemRandomNumberGenerator", "getrandom"]
        ) {
            $0.isDialogue
        },
        .forbidding("the configuration does not wait", words: ["async", "await"]) {
            $0.isIn("Sources/MailGateway/Configuration")
        },
        .forbidding("nothing below MailGateway prints", words: ["print(", "debugPrint(", "fputs(", "syslog("]) {
            $0.isIn("Sources/AsyncIO", "Sources/MailSessions")
        },
    ]

    private static let mailWords = ["imap", "pop3", "smtp", "managesieve", "sasl"]

    static let habits: [Rule] = [
        // A test may need to be somewhere else than the executor it watches.
        .forbidding("structured concurrency only", words: ["Task.detached"]) { $0.isIn("Sources", "Benchmarks") },
        .forbidding("errors are handled", words: ["try!", "fatalError("]) { $0.isOurs },
        // Which C module Swift finds <sys/socket.h> in depends on the order in which it reads the files.
        Rule(name: "socket constants are seen through CLinux", applies: { $0.isIn("Sources/AsyncIO") }) { file in
            guard !file.imports.contains(where: { $0.module == "CLinux" }) else { return [] }
            return file.code.enumerated().flatMap { index, line in
                [
                    "SOCK_STREAM", "SOCK_DGRAM", "SOCK_CLOEXEC", "SOCK_NONBLOCK", "MSG_NOSIGNAL", "MSG_DONTWAIT",
                    "SHUT_WR",
                ]
                .filter { line.contains(word: $0) }
                .map { Offence(path: file.path, line: index + 1, what: "\($0) without import CLinux") }
            }
        },
        Rule(name: "no leftovers", applies: \.isOurs) { file in
            file.lines.enumerated().flatMap { index, line in
                ["TODO", "FIXME", "XXX"].filter { line.contains(word: $0) }
                    .map { Offence(path: file.path, line: index + 1, what: "\($0) stays out of the history") }
            }
        },
        .forbidding("unsafe promises are fenced", words: unsafePromises) {
            $0.isIn("Sources", "Benchmarks") && !$0.mayPromise
        },
        Rule(name: "every unsafe promise says why it holds", applies: \.isOurs) { file in
            file.code.enumerated().flatMap { index, line in
                // Near: on the line itself or among the eight before it.
                let near = file.lines[max(0, index - 8)...index]
                return unsafePromises.filter { promise in
                    line.contains(word: promise) && !near.contains { $0.contains("// Safety:") }
                }
                .map { Offence(path: file.path, line: index + 1, what: "\($0) without a // Safety: sentence") }
            }
        },
        Rule(name: "a file is at most 400 lines", applies: { _ in true }) { file in
            // Tables of transcripts grow with what they cover, and stay one subject.
            let maximum = file.isIn("Tests") ? 800 : 400
            let count = file.lines.count - (file.lines.last?.isEmpty == true ? 1 : 0)
            return count <= maximum ? [] : [Offence(path: file.path, line: count, what: "what are its two subjects?")]
        },
    ]

    private static let unsafePromises = ["@unchecked Sendable", "nonisolated(unsafe)"]
}

extension SourceFile {
    /// All but these rules and their examples, which must name what they forbid.
    fileprivate var isOurs: Bool { !isIn("Tests/TidyTests") }

    /// Protocol state without socket, clock or `await` (docs of `Dialogue`).
    fileprivate var isDialogue: Bool {
        isIn(
            "Sources/MailSessions/Wire", "Sources/MailSessions/FrontEnd", "Sources/MailSessions/SASL",
            "Sources/MailSessions/BackEnd")
    }

    /// Whether it is one of the places where the compiler's word is replaced by ours.
    fileprivate var mayPromise: Bool {
        if isIn("Sources/AsyncIO/Executor", "Sources/AsyncIO/TLS") { return true }
        let names = [
            "Secret", "ByteBuffer", "SocketAddress", "SharedMemory", "PAMAuthenticator", "MySQLConnection",
            "ChildProcess", "Descriptor", "KeptConnections",
        ]
        return names.contains { path.hasSuffix("/\($0).swift") }
    }
}
