import AsyncIO
import MailSessions

/// What the demo's three servers share: they say what is ready, ask the store, end, or read on.
protocol DemoServer: Dialogue
where Question == DemoQuestion, Answer == DemoAnswer, Note == Never, Outcome == DemoEnd {
    /// Bytes that are ready to be sent, oldest first.
    var output: [UInt8] { get set }
    /// What the store is to be asked next.
    var question: DemoQuestion? { get set }
    /// The session ends when `output` has been sent.
    var isOver: Bool { get set }

    /// Goes on with the input or with work at hand; false when more input is needed.
    mutating func advance() -> Bool
}

extension DemoServer {
    package mutating func next() -> Step<DemoQuestion, Never, DemoEnd> {
        while true {
            if !output.isEmpty {
                defer { output = [] }
                return .send(output)
            }
            if isOver { return .finish(.closed) }
            if let question {
                self.question = nil
                return .ask(question)
            }
            guard advance() else { return .receive }
        }
    }
}
