import AsyncIO
import MailSessions

/// How the questions, answers, notes and outcomes of one kind of dialogue are written in transcripts.
package struct Vocabulary<Subject: Dialogue> {
    let question: (Subject.Question) -> String
    let answer: (String) -> Subject.Answer?
    let note: (Subject.Note) -> String
    let outcome: (Subject.Outcome) -> String

    package init(
        question: @escaping (Subject.Question) -> String, answer: @escaping (String) -> Subject.Answer?,
        note: @escaping (Subject.Note) -> String, outcome: @escaping (Subject.Outcome) -> String
    ) {
        self.question = question
        self.answer = answer
        self.note = note
        self.outcome = outcome
    }
}

extension Vocabulary where Subject.Question == Never, Subject.Answer == Never, Subject.Note == Never {
    /// Words for a dialogue that only ends, such as the login at a back-end.
    package init(outcome: @escaping (Subject.Outcome) -> String) {
        self.init(
            question: String.init(describing:), answer: { _ in nil }, note: String.init(describing:), outcome: outcome)
    }
}

extension Transcript {
    /// Plays the transcript whole, byte by byte, and cut in two at every place; every time the
    /// dialogue has to take the same steps (design.md §7). Only how sends are joined may differ.
    /// - Parameter make: a fresh dialogue for each time.
    package func check<Subject: Dialogue>(
        _ words: Vocabulary<Subject>, _ make: () -> Subject
    ) throws(TranscriptFailure) {
        try play(.whole, words, make())
        try play(.everyByte, words, make())
        for offset in 0..<feedCount where offset > 0 { try play(.once(before: offset), words, make()) }
    }

    private func play<Subject: Dialogue>(
        _ cut: Cut, _ words: Vocabulary<Subject>, _ subject: Subject
    ) throws(TranscriptFailure) {
        var player = TranscriptPlayer(transcript: self, words: words, cut: cut, subject: subject)
        do { try player.run() } catch { throw TranscriptFailure(error, cut: "\(cut)") }
    }
}

/// How the peer's bytes are handed over.
enum Cut: CustomStringConvertible {
    case whole, everyByte
    /// In two, in front of the byte at this offset of all that the peer says.
    case once(before: Int)

    var description: String {
        switch self {
        case .whole: "not cut"
        case .everyByte: "cut at every byte"
        case .once(let offset): "cut in front of byte \(offset)"
        }
    }

    /// The pieces of `feed`, which is `offset` bytes from the beginning.
    func pieces(of feed: [UInt8], at offset: Int) -> [[UInt8]] {
        switch self {
        case .everyByte: return feed.map { [$0] }
        case .once(let place) where place > offset && place < offset + feed.count:
            return [Array(feed[..<(place - offset)]), Array(feed[(place - offset)...])]
        case .once, .whole: return feed.isEmpty ? [] : [feed]
        }
    }
}

/// One pass of a dialogue through a transcript.
private struct TranscriptPlayer<Subject: Dialogue> {
    let transcript: Transcript
    let words: Vocabulary<Subject>
    let cut: Cut
    var subject: Subject
    /// The exchange being played, its pieces not yet fed, and its expectations not yet met.
    var exchange = 0
    var pieces: ArraySlice<[UInt8]> = []
    var expectations: ArraySlice<Transcript.Expectation> = []
    /// How much of the expected send at hand was sent.
    var sent = 0
    var lastLine = Transcript.Line(number: 0, text: "(start)")

    init(transcript: Transcript, words: Vocabulary<Subject>, cut: Cut, subject: Subject) {
        self.transcript = transcript
        self.words = words
        self.cut = cut
        self.subject = subject
        open()
    }

    /// Steps until the transcript or the dialogue ends. A dialogue that takes more steps than any
    /// transcript could mean is running in a circle.
    mutating func run() throws(TranscriptFailure) {
        for _ in 0..<(transcript.feedCount * 4 + 1000) {
            let step = subject.next()
            switch step {
            case .receive:
                guard try feed() else { return try checkLeftover() }
            case .send(let bytes): try expectSend(bytes)
            case .note(let note): try expect(.note(words.note(note)))
            case .startTLS:
                try expect(.startTLS)
                guard subject.input.isEmpty else { throw TranscriptFailure("input kept for TLS", at: lastLine) }
                // What was still on its way in clear would break the handshake.
                pieces = []
            case .ask(let question): try answer(words.question(question))
            case .pause(let duration): try expect(.pause(duration, endsOnInput: false))
            case .pauseUnlessInput(let duration):
                try expect(.pause(duration, endsOnInput: true))
                if expectations.isEmpty { _ = try feed() }
            case .finish(let outcome):
                try expect(.finish(words.outcome(outcome)))
                return try checkEnd()
            }
        }
        throw TranscriptFailure("the dialogue runs in a circle", at: lastLine)
    }

    /// Hands over the next piece; false at the end of the transcript.
    private mutating func feed() throws(TranscriptFailure) -> Bool {
        while pieces.isEmpty {
            if let missing = expectations.first {
                throw TranscriptFailure("expected, but the dialogue waits for input", at: missing.line)
            }
            guard exchange + 1 < transcript.exchanges.count else { return false }
            exchange += 1
            open()
        }
        if let piece = pieces.popFirst() { subject.input.append(contentsOf: piece) }
        return true
    }

    private mutating func open() {
        let before = transcript.exchanges[..<exchange].reduce(0) { $0 + $1.feed.count }
        pieces = cut.pieces(of: transcript.exchanges[exchange].feed, at: before)[...]
        expectations = transcript.exchanges[exchange].expectations[...]
    }

    private mutating func expectSend(_ bytes: [UInt8]) throws(TranscriptFailure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard let expectation = expectations.first, case .send(let wanted) = expectation.event else {
                throw unexpected("sent `\(printable(rest))`")
            }
            let part = wanted[sent...].prefix(rest.count)
            guard rest.starts(with: part) else {
                throw TranscriptFailure("sent `\(printable(bytes[...]))`", at: expectation.line)
            }
            rest = rest.dropFirst(part.count)
            sent += part.count
            if sent == wanted.count { meet(expectation) }
        }
    }

    private mutating func expect(_ event: Transcript.Event) throws(TranscriptFailure) {
        guard let expectation = expectations.first, sent == 0, expectation.event == event else {
            throw unexpected("\(event)")
        }
        meet(expectation)
    }

    private mutating func answer(_ question: String) throws(TranscriptFailure) {
        guard let expectation = expectations.first, sent == 0,
            case .question(question, let text) = expectation.event
        else { throw unexpected("asked `\(question)`") }
        guard let answer = words.answer(text) else {
            throw TranscriptFailure("an answer without meaning", at: expectation.line)
        }
        meet(expectation)
        subject.resume(answer)
    }

    private mutating func meet(_ expectation: Transcript.Expectation) {
        expectations.removeFirst()
        sent = 0
        lastLine = expectation.line
    }

    private func unexpected(_ what: String) -> TranscriptFailure {
        guard let expectation = expectations.first else {
            return TranscriptFailure("the dialogue went on after it: \(what)", at: lastLine)
        }
        return TranscriptFailure(what, at: expectation.line)
    }

    private func checkEnd() throws(TranscriptFailure) {
        if let missing = expectations.first {
            throw TranscriptFailure("expected, but the dialogue has finished", at: missing.line)
        }
        guard exchange + 1 == transcript.exchanges.count else {
            throw TranscriptFailure("the dialogue finished before the transcript", at: lastLine)
        }
        try checkLeftover()
    }

    private func checkLeftover() throws(TranscriptFailure) {
        guard let leftover = transcript.leftover else { return }
        let unread = subject.input.bytes + pieces.joined()
        guard unread == leftover.bytes else {
            throw TranscriptFailure("left `\(printable(unread[...]))`", at: leftover.line)
        }
    }

    private func printable(_ bytes: ArraySlice<UInt8>) -> String {
        bytes.map { byte in
            switch byte {
            case 13: #"\r"#
            case 10: #"\n"#
            case 92: #"\\"#
            case 32..<127: String(UnicodeScalar(byte))
            default: #"\x"# + (byte < 16 ? "0" : "") + String(byte, radix: 16)
            }
        }.joined()
    }
}
