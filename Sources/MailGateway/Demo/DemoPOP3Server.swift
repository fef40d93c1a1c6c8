import AsyncIO
import MailSessions

/// The demo back-end's POP3 (RFC 1939): what a client needs to read its mail and delete it.
///
/// ```
/// authorization --USER--> user --PASS, accepted--> transaction --QUIT--> over, deletions done
/// ```
package struct DemoPOP3Server: DemoServer {
    package var input = ByteQueue()
    private var lines = LineFramer(bareLineFeed: .accept)
    var output = Array("+OK mailgateway demo ready\r\n".utf8)
    private var state = State.authorization
    var question: DemoQuestion?
    var isOver = false

    private enum State {
        case authorization
        case user([UInt8])
        /// The messages as they were at the login, and which of them are marked deleted.
        case transaction([DemoMessage], deleted: Set<Int>)
        /// The messages marked are being removed.
        case update
    }

    /// The longest command, in bytes (RFC 2449 §4 asks for 255).
    package static let commandMaximum = 512

    /// A session that begins with the greeting.
    package init() {}

    mutating func advance() -> Bool {
        switch lines.next(in: input, maximum: DemoPOP3Server.commandMaximum) {
        case nil: return false
        case .tooLong:
            refuse("line too long")
            isOver = true
        case .malformed(_, let length):
            input.consume(length)
            refuse("malformed command")
        case .line(let content, let length):
            let command = CommandLine(input, length: content)
            input.consume(length)
            run(command)
        }
        return true
    }

    package mutating func resume(_ answer: DemoAnswer) {
        switch (answer, state) {
        case (.mailbox(let mailbox), .user):
            state = .transaction(mailbox.messages, deleted: [])
            say("\(mailbox.messages.count) messages")
        case (.accepted, .user):
            question = .mailbox
        case (_, .update):
            say("bye")
            isOver = true
        default:
            state = .authorization
            refuse("[AUTH] wrong name or password")
        }
    }

    private mutating func run(_ command: CommandLine) {
        switch (command.verb, state) {
        case ("CAPA", _): output += Array("+OK\r\nUSER\r\nUIDL\r\nTOP\r\nPIPELINING\r\n.\r\n".utf8)
        case ("QUIT", .transaction(let messages, let deleted)) where !deleted.isEmpty:
            state = .update
            question = .remove(uids: Set(deleted.map { messages[$0].uid }))
        case ("QUIT", _):
            say("bye")
            isOver = true
        case ("USER", .authorization), ("USER", .user):
            state = .user(command.remainder.bytes)
            say("now the password")
        case ("PASS", .user(let login)):
            question = .logIn(login: login, password: command.remainder)
        case (_, .transaction(let messages, let deleted)):
            transact(command, DemoDrop(messages: messages, deleted: deleted))
        default: refuse("not now, or not known")
        }
    }

    private mutating func transact(_ command: CommandLine, _ drop: DemoDrop) {
        let arguments = command.arguments.map { String(decoding: $0.bytes, as: UTF8.self) }
        switch (command.verb, arguments.count) {
        case ("NOOP", 0): say("")
        case ("STAT", 0): say("\(drop.present.count) \(drop.present.reduce(0) { $0 + drop.messages[$1].text.count })")
        case ("RSET", 0):
            state = .transaction(drop.messages, deleted: [])
            say("")
        case ("LIST", 0): listing(drop) { "\($0.text.count)" }
        case ("UIDL", 0): listing(drop) { "\($0.uid)" }
        case ("LIST", 1), ("UIDL", 1), ("RETR", 1), ("DELE", 1), ("TOP", 2):
            guard let index = drop.index(arguments[0]) else { return refuse("no such message") }
            answer(command.verb, index, drop, lines: Int(arguments[arguments.count - 1]))
        default: refuse("not known")
        }
    }

    private mutating func answer(_ verb: String, _ index: Int, _ drop: DemoDrop, lines: Int?) {
        let message = drop.messages[index]
        switch verb {
        case "LIST": say("\(index + 1) \(message.text.count)")
        case "UIDL": say("\(index + 1) \(message.uid)")
        case "DELE":
            state = .transaction(drop.messages, deleted: drop.deleted.union([index]))
            say("")
        case "TOP":
            guard let lines, lines >= 0 else { return refuse("how many lines?") }
            say("")
            output += DotStuffing.stuffed(message.text, bodyLinesMaximum: lines)
        default:
            say("\(message.text.count) octets")
            output += DotStuffing.stuffed(message.text, bodyLinesMaximum: nil)
        }
    }

    private mutating func listing(_ drop: DemoDrop, _ value: (DemoMessage) -> String) {
        say("")
        for index in drop.present { output += .line("\(index + 1) \(value(drop.messages[index]))") }
        output += .line(".")
    }

    private mutating func say(_ text: String) { output += .line(text.isEmpty ? "+OK" : "+OK \(text)") }

    private mutating func refuse(_ text: String) { output += .line("-ERR \(text)") }
}

/// A session's messages, numbered from 1 for the client.
private struct DemoDrop {
    let messages: [DemoMessage]
    let deleted: Set<Int>

    var present: [Int] { messages.indices.filter { !deleted.contains($0) } }

    /// The place of the message that the client calls `number`, nil if it is gone or never was.
    func index(_ number: String) -> Int? {
        guard let number = Int(number), number > 0, number <= messages.count, !deleted.contains(number - 1)
        else { return nil }
        return number - 1
    }
}

/// How a conversation with a demo server ends.
package enum DemoEnd: Sendable { case closed }
