import AsyncIO
import MailSessions
import TestSupport
import Testing

/// The transcript runner has to notice what goes wrong; these are dialogues that do.
@Suite("Transcript")
struct TranscriptTests {
    /// Echoes lines, wrongly where it is told to.
    struct Echo: Dialogue {
        enum Fault { case none, answersEachPiece, keepsInputForTLS, runsInACircle }

        var input = ByteQueue()
        var fault = Fault.none
        var pending: [Step<Never, Never, String>] = []

        mutating func next() -> Step<Never, Never, String> {
            if !pending.isEmpty { return pending.removeFirst() }
            if fault == .runsInACircle { return .send([]) }
            if fault == .answersEachPiece, !input.isEmpty { return .send(input.takeAll()) }
            guard let end = input.firstIndex(of: 10) else { return .receive }
            let line = input.take(end + 1)
            switch String(decoding: line.dropLast(2), as: UTF8.self) {
            case "quit": return .finish("done")
            case "tls":
                if fault != .keepsInputForTLS { input.removeAll() }
                return .startTLS
            case "wait":
                pending = [.pauseUnlessInput(.seconds(2)), .send(Array("over\r\n".utf8))]
                return .pause(.milliseconds(5))
            default: return .send(line)
            }
        }

        mutating func resume(_ answer: Never) {}
    }

    private func play(_ text: String, _ fault: Echo.Fault = .none) throws(TranscriptFailure) {
        try Transcript(text).check(Vocabulary { $0 }) { Echo(fault: fault) }
    }

    @Test(
        "what agrees",
        arguments: [
            "",
            "C: a\nS: a\nC: quit\n= done",
            "C: a\nC: b\ns: a\\r\\nb\nS:",
            "c: a\nc: b\\r\\n\nS: ab",
            "C: quit\nC: a\n= done\nL: a",
            "c: qu\nl: qu",
            "C: tls\nC: lost\nstartTLS\nC: a\nS: a",
            "C: wait\n~ 5ms\n~ 2s unless input\nS: over",
            "C: wait\n~ 5ms\n~ 2s unless input\nC: a\nS: over\nS: a",
            "# nothing but a remark",
            "C: \\x41\\t\\s\\\\\nS: A\\x09 \\x5C",
        ])
    func agrees(_ text: String) throws { try play(text) }

    @Test(
        "what does not, and the line that is blamed",
        arguments: [
            ("C: a\nS: b", "line 2"),
            ("C: a\nS: a\nS: a", "line 3"),
            ("C: a\nC: b\nS: a", "line 3"),
            ("S: a", "line 1"),
            ("C: quit\n= over", "line 2"),
            ("C: quit\nS: a", "line 2"),
            ("C: quit\n= done\nC: a\nS: a", "line 2"),
            ("C: quit\nC: a\n= done\nL: b", "line 4"),
            ("C: wait\n~ 6ms", "line 2"),
            ("C: wait\n~ 5ms\n~ 2s", "line 3"),
            ("C: tls\n= done", "line 2"),
            ("nonsense", "line 1"),
            ("C: \\q", "line 1"),
            ("? no answer", "line 1"),
        ])
    func disagrees(_ text: String, _ blamed: String) {
        let failure = #expect(throws: TranscriptFailure.self) { try play(text) }
        #expect(failure?.description.hasPrefix(blamed) == true)
    }

    @Test("a dialogue that depends on cuts, keeps input for TLS or runs in a circle")
    func faults() {
        #expect(throws: TranscriptFailure.self) { try play("C: ab\nS: ab\n= done", .answersEachPiece) }
        #expect(throws: TranscriptFailure.self) { try play("C: tls\nC: a\nstartTLS", .keepsInputForTLS) }
        #expect(throws: TranscriptFailure.self) { try play("C: a\nS: a", .runsInACircle) }
    }
}
