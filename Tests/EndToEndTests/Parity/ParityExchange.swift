/// One session of the Parity tables: what the client says, what the auth service answers, and what the
/// back-end replies. What each of them sees is compared, not written down.
///
/// ```
/// == server            the server {} of the following exchanges
/// - title [id] {id}    begins an exchange; [id] names the listed difference that it shows to one of the three,
///                      {id} one in the log
/// C line | line        the client's lines, each sent when the one before was answered
/// P line | line        the same in one segment; as many lines of answers are waited for, with P5 five
/// T line               before the greeting
/// N line               not answered: the next follows at once
/// X bytes              without a line end; Y: and not answered
/// Z                    no probe at the end (a NOOP, which shows whether the session goes on)
/// A answer || answer   of the auth service, one per question, the last for all others; its header lines are
///                      separated by bars. OK and WAIT alone are whole answers; ! begins raw bytes; !close is none
/// B reply | reply      of the back-end, the greeting first; $T is the tag of the login; ! as above, and !late
///                      begins one that is sent when the gateway has ended its stream
/// E line | line        an exchange for each line
/// ```
struct ParityExchange: Sendable {
    /// Something the client says.
    struct Step: Sendable {
        var bytes: [UInt8]
        var isAnswered = true
        /// Lines of the answer, at least.
        var lines = 1
    }

    let mail: Mail
    let server: String
    let title: String
    /// The difference from nginx that it shows (docs/differences-from-nginx.md).
    let difference: String?
    /// The same for the log.
    let logDifference: String?
    fileprivate(set) var steps: [Step] = []
    fileprivate(set) var isProbed = true
    /// Said at once, before the greeting.
    fileprivate(set) var early: [UInt8] = []
    fileprivate(set) var answers = ["OK"]
    fileprivate(set) var replies: [String] = []

    /// Reads the table of a protocol.
    static func read(_ mail: Mail, _ table: String) -> [ParityExchange] {
        var exchanges: [ParityExchange] = []
        var server = mail.rawValue
        for line in table.split(separator: "\n") {
            let text = line.dropFirst(2)
            switch line.prefix(2) {
            case "==": server = String(text.dropFirst())
            case "- ": exchanges.append(ParityExchange(mail: mail, server: server, heading: text))
            case "E ":
                for command in parts(text) {
                    var exchange = ParityExchange(mail: mail, server: server, heading: "")
                    exchange.say([command + "\\r\\n"])
                    exchanges.append(exchange)
                }
            case "C ": exchanges.changeLast { $0.say(parts(text).map { $0 + "\\r\\n" }) }
            case _ where line.hasPrefix("P"):
                // "P5 …" or "P …".
                let count = line.dropFirst().prefix { $0.isNumber }
                let commands = parts(line.dropFirst(count.count + 2))
                exchanges.changeLast {
                    $0.say([commands.map { $0 + "\\r\\n" }.joined()], lines: Int(count) ?? commands.count)
                }
            case "T ": exchanges.changeLast { $0.early = ParityText.bytes(text + "\\r\\n") }
            case "N ": exchanges.changeLast { $0.say(parts(text).map { $0 + "\\r\\n" }, isAnswered: false) }
            case "X ": exchanges.changeLast { $0.say([String(text)]) }
            case "Y ": exchanges.changeLast { $0.say([String(text)], isAnswered: false) }
            case "Z": exchanges.changeLast { $0.isProbed = false }
            case "A ": exchanges.changeLast { $0.answers = text.split(separator: " || ").map(String.init) }
            case "B ": exchanges.changeLast { $0.replies = parts(text) }
            case "# ": break
            default: preconditionFailure("a line of a Parity table: \(line)")
            }
        }
        return exchanges
    }

    private static func parts(_ text: Substring) -> [String] { text.split(separator: " | ").map(String.init) }

    private init(mail: Mail, server: String, heading: Substring) {
        self.mail = mail
        self.server = server
        let match = heading.wholeMatch(of: /(.*?)(?: \[([a-z0-9-]+)\])?(?: \{([a-z0-9-]+)\})?/)
        title = String(match?.output.1 ?? heading)
        difference = match?.output.2.map { String($0) }
        logDifference = match?.output.3.map { String($0) }
    }

    private mutating func say(_ texts: [String], isAnswered: Bool = true, lines: Int = 1) {
        steps += texts.map { Step(bytes: ParityText.bytes($0), isAnswered: isAnswered, lines: lines) }
    }

    /// All that the client says, the probe included.
    var allSteps: [Step] {
        let probe = Step(bytes: Array((mail == .imap ? "zz NOOP\r\n" : "NOOP\r\n").utf8))
        return isProbed ? steps + [probe] : steps
    }
}

extension ParityExchange: CustomStringConvertible {
    var description: String {
        "\(server): \(title) \(steps.map { ParityText.shown($0.bytes.prefix(200)) })"
    }
}

extension [ParityExchange] {
    fileprivate mutating func changeLast(_ change: (inout ParityExchange) -> Void) {
        precondition(!isEmpty, "a Parity table begins with an exchange")
        change(&self[count - 1])
    }
}
