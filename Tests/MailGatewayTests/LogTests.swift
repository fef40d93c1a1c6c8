import Glibc
import MailSessions
import Testing

@testable import MailGateway

/// The error log: its lines, and that it never waits.
@Suite struct LogTests {
    /// A directory of one test, with what it has to read.
    private final class Folder {
        let path: String

        init() {
            var template = Array("/tmp/mailgateway-log-XXXXXX".utf8CString)
            precondition(unsafe mkdtemp(&template) != nil, "a temporary directory")
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }

        deinit {
            for name in ["log", "other", "moved"] { unsafe unlink("\(path)/\(name)") }
            unsafe rmdir(path)
        }

        func target(_ name: String, _ level: LogLevel = .debug) -> LogSettings {
            LogSettings(target: .file("\(path)/\(name)"), level: level)
        }

        func lines(_ name: String) throws -> [Substring] {
            String(decoding: try DiskSource().read("\(path)/\(name)").bytes, as: UTF8.self).split(separator: "\n")
        }
    }

    /// What is in a pipe or socket, without waiting.
    private static func drain(_ descriptor: Int32) -> String {
        var text = ""
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            var question = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&question, 1, 0) == 1 else { return text }
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { return text }
            text += String(decoding: chunk[..<count], as: UTF8.self)
        }
    }

    @Test func linesHaveNginxsForm() throws {
        let folder = Folder()
        let log = try Log([folder.target("log")])
        log.write(.notice, "start worker processes")
        log.write(.info, connection: 5, "client connected")
        let lines = try folder.lines("log")
        let time = /\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d/
        #expect(lines.count == 2)
        #expect(lines[0].prefixMatch(of: time) != nil)
        #expect(lines[0].dropFirst(19).wholeMatch(of: /\ \[notice\] \d+#\d+: start worker processes/) != nil)
        #expect(lines[1].dropFirst(19).wholeMatch(of: /\ \[info\] \d+#\d+: \*5 client connected/) != nil)
    }

    @Test func theTimeIsLocal() {
        var parts = unsafe tm()
        var second: time_t = 1_795_414_575
        unsafe localtime_r(&second, &parts)
        let text = LogFile.localTime(second)
        #expect(text.hasPrefix("2026/11/2"))
        #expect(text.hasSuffix(":15"))
        #expect(unsafe Int(text.dropFirst(11).prefix(2)) == Int(parts.tm_hour))
    }

    @Test func eachTargetHasItsLeastLevel() throws {
        let folder = Folder()
        let log = try Log([folder.target("log", .info), folder.target("other", .error)])
        for level in LogLevel.allCases { log.write(level, level.rawValue) }
        #expect(try folder.lines("log").count == 7)
        #expect(try folder.lines("other").count == 4)
        #expect(log.isEnabled(.info))
        #expect(!log.isEnabled(.debug))
    }

    @Test func whatNobodyWantsIsNotEvenMade() throws {
        let folder = Folder()
        let log = try Log([folder.target("log", .error)])
        var isMade = false
        func text() -> String {
            isMade = true
            return ""
        }
        log.write(.debug, text())
        #expect(!isMade)
    }

    @Test func logsOfServersShareTheOpenFiles() throws {
        let folder = Folder()
        let log = try Log([folder.target("log"), folder.target("other")])
        log.log(to: [folder.target("other", .error)]).write(.error, "of a server")
        #expect(try folder.lines("log").isEmpty)
        #expect(try folder.lines("other").count == 1)
    }

    @Test(arguments: [0, 1, 2])
    func aLineHasAtMost2048BytesAndNoHalfCharacter(offset: Int) throws {
        let folder = Folder()
        let log = try Log([folder.target("log")])
        log.write(.error, String(repeating: "x", count: offset) + String(repeating: "€", count: 1000))
        let bytes = try DiskSource().read("\(folder.path)/log").bytes
        #expect(bytes.count <= Log.lineMaximum)
        #expect(bytes.count > Log.lineMaximum - 3)
        #expect(bytes.last == UInt8(ascii: "\n"))
        #expect(String(validating: bytes, as: UTF8.self) != nil)
    }

    @Test func aLineOfExactlyTheMaximumIsWhole() throws {
        let folder = Folder()
        let log = try Log([folder.target("log")])
        log.write(.error, "")
        let bare = try DiskSource().read("\(folder.path)/log").count
        log.write(.error, String(repeating: "x", count: Log.lineMaximum - bare))
        log.write(.error, String(repeating: "y", count: Log.lineMaximum - bare + 1))
        let lines = try folder.lines("log")
        #expect(lines.map(\.utf8.count) == [bare - 1, Log.lineMaximum - 1, Log.lineMaximum - 1])
    }

    @Test func aMessageIsAlwaysOneLine() throws {
        let folder = Folder()
        let log = try Log([folder.target("log")])
        log.write(.error, "one\r\ntwo\u{7F}")
        let line = try #require(try folder.lines("log").first)
        #expect(line.hasSuffix(": one  two "))
    }

    @Test func aSleepingReaderLosesLinesAndHearsHowMany() throws {
        let folder = Folder()
        let name = "\(folder.path)/log"
        #expect(unsafe mkfifo(name, 0o600) == 0)
        let reader = unsafe open(name, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let log = try Log([folder.target("log")])
        let long = String(repeating: "x", count: 1900)
        for _ in 0..<100 { log.write(.error, long) }
        let taken = Self.drain(reader).split(separator: "\n").count
        #expect(taken > 0 && taken < 100)
        log.write(.error, "after")
        log.write(.error, "later")
        let lines = Self.drain(reader).split(separator: "\n")
        try #require(lines.count == 3)
        #expect(lines[0].hasSuffix(": \(100 - taken) log lines were dropped"))
        #expect(lines[1].hasSuffix(": after"))
        #expect(lines[2].hasSuffix(": later"))
    }

    @Test func aSharedPipeIsNeitherWaitedForNorChanged() {
        var ends: [Int32] = [-1, -1]
        #expect(unsafe pipe(&ends) == 0)
        defer { ends.forEach { _ = close($0) } }
        let output = LogFile.Output.sharing(ends[1])
        let line = [UInt8](repeating: 10, count: 2000)
        #expect((0..<100).count { _ in output.write(line) } < 100)
        #expect(fcntl(ends[1], F_GETFL) & O_NONBLOCK == 0, "the flags belong to others, too")
        output.close()
    }

    @Test func aSharedSocketIsNotWaitedFor() {
        var ends: [Int32] = [-1, -1]
        #expect(unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
        defer { ends.forEach { _ = close($0) } }
        let output = LogFile.Output.sharing(ends[1])
        let line = [UInt8](repeating: 10, count: 2000)
        #expect((0..<1000).count { _ in output.write(line) } < 1000)
        _ = Self.drain(ends[0])
        #expect(output.write(line))
    }

    @Test func aFullDiskDoesNotHurt() throws {
        let folder = Folder()
        let log = try Log([LogSettings(target: .file("/dev/full"), level: .debug), folder.target("other")])
        for _ in 0..<3 { log.write(.error, "line") }
        #expect(try folder.lines("other").count == 3)
    }

    @Test func reopeningFollowsAFileThatWasMoved() throws {
        let folder = Folder()
        let log = try Log([folder.target("log")])
        log.write(.error, "before")
        #expect(unsafe rename("\(folder.path)/log", "\(folder.path)/moved") == 0)
        log.write(.error, "between")
        log.reopen()
        log.write(.error, "after")
        #expect(try folder.lines("moved").count == 2)
        #expect(try folder.lines("log").count == 1)
    }

    @Test(.enabled("only root may give files away") { geteuid() == 0 })
    func onlyAFileOfOneNameIsGivenToTheWorkersUser() throws {
        func owner(_ path: String) -> uid_t {
            var status = stat()
            unsafe stat(path, &status)
            return status.st_uid
        }
        let (folder, piped) = (Folder(), Folder())
        let pipe = "\(piped.path)/log"
        #expect(unsafe mkfifo(pipe, 0o600) == 0)
        let reader = unsafe open(pipe, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let log = try Log([folder.target("log"), folder.target("other"), piped.target("log")])
        #expect(unsafe link("\(folder.path)/other", "\(folder.path)/moved") == 0)
        let user = try Credentials(UserSettings(name: "nobody", group: "nogroup", position: .whole))
        log.reopen(owner: user)
        #expect(owner("\(folder.path)/log") == user.user)
        #expect(owner("\(folder.path)/other") == 0 && owner(pipe) == 0)
        log.write(.error, "written all the same")
        for name in ["log", "other"] { #expect(try folder.lines(name).count == 1) }
    }

    @Test func aFileThatCannotBeOpenedIsNamed() {
        #expect(throws: SourceError(call: "open", path: "/nowhere/log", code: ENOENT)) {
            try Log([LogSettings(target: .file("/nowhere/log"), level: .error)])
        }
    }
}
