import AsyncIO
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
    _ subject: Subject, _ pieces: [ArraySlice<UInt8>], answer: (Subject.Question) -> Subject.Answer,
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
            result.unread = subject.input.bytes + rest.joined()
            return result
        case .note, .pause, .pauseUnlessInput: break
        case .startTLS: subject.input.removeAll()
        }
    }
    Issue.record("the dialogue runs in a circle")
    return result
}

/// Feeds random sentences to fresh dialogues, whole and in pieces: both take the same steps, nothing
/// traps, and the input kept never exceeds `backlogMaximum`.
func fuzz<Subject: Dialogue>(
    seed: UInt64, words: [String], backlogMaximum: Int, answer: (Subject.Question) -> Subject.Answer,
    describe: (Subject.Outcome) -> String, _ make: () -> Subject
) {
    var random = SeededBytes(seed: seed)
    for round in 0..<300 {
        let bytes = random.sentence(of: words, count: 30)
        var whole = run(make(), [bytes[...]], answer: answer, describe: describe)
        var pieced = run(make(), random.pieces(of: bytes), answer: answer, describe: describe)
        #expect(pieced.backlog < backlogMaximum + 16, "seed \(seed) round \(round)")
        (whole.backlog, pieced.backlog) = (0, 0)
        #expect(whole == pieced, "seed \(seed) round \(round)")
    }
}
