import AsyncIO
import MailSessions
import TestSupport
import Testing

/// Random and mutated clients against the three front-ends: none may trap, stand still, run in a
/// circle, keep more than its buffer, or answer differently because the bytes were cut otherwise.
///
/// Each run prints the seed it begins with, and a failure its own; put either into `FUZZ_SEED` in the
/// environment to repeat it.
@Suite("front-ends under fuzz")
struct FrontEndFuzzTests {
    /// Bounds each test to about a second on a slow machine in debug.
    private static let budget = Duration.seconds(1)
    private static let clientBuffer = 96

    @Test("IMAP")
    func imap() { fuzz(.imap, words: FuzzWords.imap, IMAPFrontEnd.init) }

    @Test("POP3")
    func pop3() { fuzz(.pop3, words: FuzzWords.pop3, POP3FrontEnd.init) }

    @Test("SMTP")
    func smtp() { fuzz(.smtp, words: FuzzWords.smtp, SMTPFrontEnd.init) }

    private func fuzz<Subject: FrontEnd>(
        _ mailProtocol: MailProtocol, words: [String], _ make: (ServerSettings, Bool, SaltFactory) -> Subject
    ) {
        let clock = ContinuousClock()
        let end = clock.now + FrontEndFuzzTests.budget
        var seed = SeededRandom.freshSeed
        // First of all: a trap leaves no time for it.
        print("\(mailProtocol) begins with seed \(seed)")
        repeat {
            var random = SeededRandom(seed: seed)
            let settings = settings(mailProtocol, &random)
            let isSecure = Bool.random(using: &random)
            let verdicts = random.next()
            let bytes = FuzzWords.input(from: words, &random)
            let whole = [bytes]
            let cut = FuzzWords.cut(bytes, &random)
            let first = trace(make(settings, isSecure, .counting), whole, verdicts)
            let second = trace(make(settings, isSecure, .counting), cut, verdicts)
            let third = trace(make(settings, isSecure, .counting), bytes.map { [$0] }, verdicts)
            guard first == second, first == third, !first.hasSuffix("circle") else {
                Issue.record("seed \(seed): \(bytes)\n\(first)\n\(second)\n\(third)")
                return
            }
            seed += 1
        } while clock.now < end
    }

    private func settings(_ mailProtocol: MailProtocol, _ random: inout SeededRandom) -> ServerSettings {
        var settings = ServerSettings.fixture(mailProtocol)
        settings.clientBuffer = FrontEndFuzzTests.clientBuffer
        settings.maxErrors = Int.random(in: 0..<50, using: &random)
        settings.mechanisms = MechanismSet(rawValue: UInt8.random(in: 0...255, using: &random))
        settings.errorTexts = ErrorTexts.allCases.randomElement(using: &random) ?? .nginx
        settings.startTLS = StartTLSPolicy.allCases.randomElement(using: &random) ?? .off
        settings.bareLineFeed = Bool.random(using: &random) ? .accept : .refuse
        return settings
    }

    /// Everything a front-end does with the bytes, in one text, however they were cut. After TLS has
    /// begun what came with the command in clear is lost, so the trace ends there.
    private func trace(_ subject: some FrontEnd, _ pieces: [[UInt8]], _ verdicts: UInt64) -> String {
        var subject = subject
        var pieces = pieces[...]
        var verdicts = SeededRandom(seed: verdicts)
        var trace = ""
        // No received byte leads to more than a few steps.
        let stepsMaximum = pieces.reduce(100) { $0 + $1.count * 8 }
        for _ in 0..<stepsMaximum {
            switch subject.next() {
            case .send(let bytes): trace += String(decoding: bytes, as: UTF8.self)
            case .receive:
                #expect(subject.input.count < FrontEndFuzzTests.clientBuffer, "more than a command is kept")
                guard let piece = pieces.popFirst() else { return trace }
                subject.input.append(contentsOf: piece)
            case .note(let note): trace += "\(note)"
            case .ask(let attempt):
                #expect(!attempt.login.contains { $0 < 32 || $0 == 127 }, "control bytes in a login name")
                trace += "ask \(attempt.method) \(attempt.login) \(attempt.password.bytes) \(attempt.number)"
                subject.resume(verdict(&verdicts))
            case .pause, .pauseUnlessInput: trace += "pause"
            case .startTLS:
                #expect(subject.input.isEmpty, "input kept for TLS")
                return trace + "TLS"
            case .finish(let outcome): return trace + "\(outcome)"
            }
        }
        return trace + "circle"
    }

    private func verdict(_ random: inout SeededRandom) -> Verdict {
        switch random.next() % 9 {
        case 0: .accept
        case 1: .unavailable
        case 2: .refuse(text: Array("no".utf8))
        case 3: .refuse(text: Array("no".utf8), wait: .seconds(1), challenge: Array("e30=".utf8))
        case 4: .limited(.logins)
        default: .refuse(text: [10, 13, 0, 255], code: [10], wait: .seconds(1))
        }
    }
}
