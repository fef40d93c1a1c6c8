import AsyncIO
import MailSessions
import TestSupport
import Testing

/// What a dialogue did with random input.
struct DialogueRun: Equatable {
    var sent: [UInt8] = []
    /// The outcome in words, nil while the dialogue waits for more.
    var outcome: String?
    var unread: [UInt8] = []
    /// The longest input that was ever kept unread.
    var backlog = 0
}

/// Feeds `pieces` to a dialogue one after another; more steps than bytes could explain are a circle.
func run<Subject: Dialogue>(
    _ subject: Subject, _ pieces: [[UInt8]], answer: (Subject.Question) -> Subject.Answer,
    describe: (Subject.Outcome) -> String
) -> DialogueRun {
    var subject = subject
    var result = DialogueRun()
    var rest = pieces[...]
    let stepsMaximum = 1000 + 8 * pieces.reduce(0) { $0 + $1.count }
    for _ in 0..<stepsMaximum {
        switch subject.next() {
        case .send(let bytes):
            #expect(!bytes.isEmpty)
            result.sent += bytes
        case .receive:
            result.backlog = max(result.backlog, subject.input.count)
            guard let piece = rest.popFirst() else {
                result.unread = subject.input.bytes
                return result
            }
            subject.input.append(contentsOf: piece)
        case .ask(let question): subject.resume(answer(question))
        case .finish(let outcome):
            result.outcome = describe(outcome)
            result.unread = subject.input.bytes + Array(rest.joined())
            return result
        case .note, .pause, .pauseUnlessInput: break
        case .startTLS: subject.input.removeAll()
        }
    }
    Issue.record("the dialogue runs in a circle")
    return result
}

/// Feeds random words to fresh dialogues, whole and in pieces: both take the same steps, nothing
/// traps, and less than `backlogMaximum` of input is ever kept. `FUZZ_SEED` repeats a failure.
func fuzz<Subject: Dialogue>(
    words: [String], backlogMaximum: Int, answer: (Subject.Question) -> Subject.Answer,
    describe: (Subject.Outcome) -> String, _ make: () -> Subject
) {
    let first = SeededRandom.freshSeed
    // First of all: a trap leaves no time for it.
    print("\(Subject.self) begins with seed \(first)")
    for seed in first..<first + 500 {
        var random = SeededRandom(seed: seed)
        let bytes = FuzzWords.input(from: words, &random)
        var whole = run(make(), [bytes], answer: answer, describe: describe)
        var pieced = run(make(), FuzzWords.cut(bytes, &random), answer: answer, describe: describe)
        #expect(pieced.backlog < backlogMaximum, "seed \(seed)")
        (whole.backlog, pieced.backlog) = (0, 0)
        guard whole == pieced else {
            Issue.record("seed \(seed): \(bytes)\n\(whole)\n\(pieced)")
            return
        }
    }
}
