import AsyncIO
import MailSessions

/// The demo back-end's IMAP (RFC 3501): one mailbox, and what curl, imaplib and mbsync need of it.
///
/// ```
/// notAuthenticated --LOGIN, AUTHENTICATE--> authenticated --SELECT, EXAMINE--> selected
///                                                ^----------CLOSE---------------+
/// ```
/// LOGOUT ends it anywhere. In `selected` the session keeps its own view of the mailbox, whose
/// numbers change only where a command allows it (RFC 3501 §7.4.1).
package struct DemoIMAPServer: DemoServer {
    package var input = ByteQueue()
    private var reader = DemoIMAPReader()
    var output = Array("* OK [\(DemoIMAPServer.capability)] mailgateway demo ready\r\n".utf8)
    private var state = State.notAuthenticated
    private var expected = Expected.command
    private var pending: Pending?
    var question: DemoQuestion?
    private var fetch: Fetch?
    private var errors = 0
    var isOver = false

    private enum State {
        case notAuthenticated, authenticated
        case selected(DemoIMAPView)
    }

    /// What the next line is.
    private enum Expected {
        case command
        case plainToken(tag: [UInt8])
        /// The end of IDLE.
        case done(tag: [UInt8])
    }

    /// What the question in flight is for.
    private enum Pending {
        case login(tag: [UInt8])
        case select(tag: [UInt8], isReadOnly: Bool)
        case status(tag: [UInt8], items: [String])
        /// Flags changed; the messages to be shown again, unless `isSilent`.
        case store(tag: [UInt8], shown: [Int], usesUIDs: Bool, isSilent: Bool)
        case fetch(Fetch)
        /// The mailbox is looked at anew, and what changed is told before the reply.
        case refresh(tag: [UInt8], reply: String)
        case close(tag: [UInt8])
    }

    /// A FETCH being answered, one message a time.
    private struct Fetch {
        var tag: [UInt8]
        var items: [DemoIMAPFetchItem]
        var rest: ArraySlice<Int>
    }

    /// Commands that were none before the session ends.
    package static let errorsMaximum = 20
    private static let capability = "CAPABILITY IMAP4rev1 LITERAL+ SASL-IR IDLE AUTH=PLAIN"

    /// A session that begins with the greeting.
    package init() {}

    mutating func advance() -> Bool {
        if fetch != nil {
            fetchOne()
            return true
        }
        let readsLine = if case .command = expected { false } else { true }
        guard let event = reader.next(from: &input, readsLine: readsLine) else { return false }
        take(event)
        return true
    }

    package mutating func resume(_ answer: DemoAnswer) {
        guard let pending else { return }
        self.pending = nil
        switch (pending, answer) {
        case (.login(let tag), .accepted):
            state = .authenticated
            reply(tag, "OK [\(DemoIMAPServer.capability)] logged in")
        case (.login(let tag), _):
            reply(tag, "NO [AUTHENTICATIONFAILED] wrong name or password")
        case (_, .mailbox(let mailbox)):
            resume(pending, mailbox)
        default:
            preconditionFailure("the store answers what it was asked")
        }
    }

    private mutating func resume(_ pending: Pending, _ mailbox: DemoMailbox) {
        switch (pending, state) {
        case (.select(let tag, let isReadOnly), _):
            let view = DemoIMAPView(messages: mailbox.messages, isReadOnly: isReadOnly)
            state = .selected(view)
            output += view.greeting(of: mailbox)
            reply(tag, "OK [READ-\(isReadOnly ? "ONLY" : "WRITE")] selected")
        case (.status(let tag, let items), _):
            output += .line("* STATUS INBOX (\(mailbox.status(items)))")
            reply(tag, "OK completed")
        case (.close(let tag), _):
            state = .authenticated
            reply(tag, "OK completed")
        case (.store(let tag, let shown, let usesUIDs, let isSilent), .selected(var view)):
            view.takeFlags(from: mailbox)
            state = .selected(view)
            if !isSilent { for index in shown { output += view.line(index, usesUIDs ? [.uid, .flags] : [.flags]) } }
            reply(tag, "OK completed")
        case (.fetch(let fetch), .selected(var view)):
            view.takeFlags(from: mailbox)
            state = .selected(view)
            self.fetch = fetch
        case (.refresh(let tag, let text), .selected(var view)):
            output += view.refresh(from: mailbox)
            state = .selected(view)
            reply(tag, text)
        default:
            preconditionFailure("the state stays while the store is asked")
        }
    }

    private mutating func take(_ event: DemoIMAPReader.Event) {
        switch (event, expected) {
        case (.command(let command), _): run(command)
        case (.continuation, _): output += .line("+ go on")
        case (.line(let token), .plainToken(let tag)):
            expected = .command
            logIn(tag, DemoPlainToken(token))
        case (.line(let line), .done(let tag)):
            expected = .command
            if line.asciiUppercased == "DONE" { ask(.mailbox, .refresh(tag: tag, reply: "OK done")) } else { bad(tag) }
        case (.line, .command): bad(nil)
        case (.malformed(let tag), _):
            expected = .command
            bad(tag)
        case (.tooLong, _): end("command too long")
        }
    }

    private mutating func run(_ command: DemoIMAPCommand) {
        let tag = command.tag
        switch (command.verb, state) {
        case ("CAPABILITY", _):
            output += .line("* \(DemoIMAPServer.capability)")
            reply(tag, "OK completed")
        case ("LOGOUT", _):
            output += .line("* BYE bye")
            reply(tag, "OK completed")
            isOver = true
        case ("NOOP", .selected), ("CHECK", .selected): ask(.mailbox, .refresh(tag: tag, reply: "OK completed"))
        case ("NOOP", _): reply(tag, "OK completed")
        case (_, .notAuthenticated): logIn(command)
        case (_, .selected(let view)) where runSelected(command, view): break
        default: runAuthenticated(command)
        }
    }

    private mutating func logIn(_ command: DemoIMAPCommand) {
        var command = command
        switch command.verb {
        case "LOGIN":
            guard let login = command.string(), let password = command.string(), command.isComplete else {
                return bad(command.tag)
            }
            ask(.logIn(login: login, password: Secret(password)), .login(tag: command.tag))
        case "AUTHENTICATE":
            guard command.string()?.asciiUppercased == "PLAIN" else {
                return reply(command.tag, "NO [CANNOT] only PLAIN here")
            }
            if command.isComplete {
                expected = .plainToken(tag: command.tag)
                output += .line("+ ")
            } else {
                logIn(command.tag, command.string().flatMap(DemoPlainToken.init))
            }
        default: bad(command.tag)
        }
    }

    private mutating func logIn(_ tag: [UInt8], _ token: DemoPlainToken?) {
        guard let token else { return bad(tag) }
        ask(.logIn(login: token.login, password: token.password), .login(tag: tag))
    }

    private mutating func runAuthenticated(_ command: DemoIMAPCommand) {
        var command = command
        let tag = command.tag
        switch command.verb {
        case "LIST", "LSUB":
            guard command.string() != nil, let pattern = command.string(), command.isComplete else { return bad(tag) }
            if pattern.isEmpty { output += .line("* \(command.verb) (\\Noselect) \"/\" \"\"") }
            if ["*", "%", "INBOX", "INBOX*", "INBOX%"].contains(pattern.asciiUppercased) {
                output += .line("* \(command.verb) () \"/\" INBOX")
            }
            reply(tag, "OK completed")
        case "SELECT", "EXAMINE":
            guard let name = command.string() else { return bad(tag) }
            // RFC 3501 §6.3.1: a failed SELECT leaves nothing selected.
            state = .authenticated
            guard name.asciiUppercased == "INBOX" else { return reply(tag, "NO [NONEXISTENT] only INBOX here") }
            ask(.mailbox, .select(tag: tag, isReadOnly: command.verb == "EXAMINE"))
        case "STATUS":
            guard let name = command.string(), let items = command.list() else { return bad(tag) }
            guard name.asciiUppercased == "INBOX" else { return reply(tag, "NO [NONEXISTENT] only INBOX here") }
            ask(.mailbox, .status(tag: tag, items: items.map(\.asciiUppercased)))
        case "APPEND", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "UNSUBSCRIBE", "COPY", "UID COPY":
            reply(tag, "NO [CANNOT] the demo has one mailbox, filled by SMTP")
        default: bad(tag)
        }
    }

    /// Runs a command of the selected state; false if it is none.
    private mutating func runSelected(_ command: DemoIMAPCommand, _ view: DemoIMAPView) -> Bool {
        let usesUIDs = command.verb.hasPrefix("UID ")
        switch usesUIDs ? String(command.verb.dropFirst(4)) : command.verb {
        case "FETCH": runFetch(command, view, usesUIDs: usesUIDs)
        case "STORE": runStore(command, view, usesUIDs: usesUIDs)
        case "SEARCH":
            guard let found = view.search(command, usesUIDs: usesUIDs) else { return answerBad(command) }
            output += .line("* SEARCH" + found.map { " \($0)" }.joined())
            reply(command.tag, "OK completed")
        case "EXPUNGE":
            guard !view.isReadOnly else { return answerReadOnly(command) }
            ask(.remove(uids: view.deleted), .refresh(tag: command.tag, reply: "OK completed"))
        case "CLOSE":
            ask(view.isReadOnly ? .mailbox : .remove(uids: view.deleted), .close(tag: command.tag))
        case "IDLE":
            expected = .done(tag: command.tag)
            output += .line("+ idling")
        default: return false
        }
        return true
    }

    private mutating func answerBad(_ command: DemoIMAPCommand) -> Bool {
        bad(command.tag)
        return true
    }

    private mutating func answerReadOnly(_ command: DemoIMAPCommand) -> Bool {
        reply(command.tag, "NO [READ-ONLY] the mailbox is open for reading")
        return true
    }

    private mutating func runFetch(_ command: DemoIMAPCommand, _ view: DemoIMAPView, usesUIDs: Bool) {
        var command = command
        guard let set = command.messages(), let names = command.list(), command.isComplete else {
            return bad(command.tag)
        }
        var items: [DemoIMAPFetchItem] = usesUIDs ? [.uid] : []
        for name in names where !(usesUIDs && name.asciiUppercased == "UID") {
            guard let named = DemoIMAPFetchItem.named(name) else { return bad(command.tag) }
            items += named
        }
        let indices = view.indices(set, usesUIDs: usesUIDs)
        let fetch = Fetch(tag: command.tag, items: items, rest: indices[...])
        guard !view.isReadOnly, items.contains(where: \.marks), !indices.isEmpty else {
            self.fetch = fetch
            return
        }
        ask(.change(uids: Set(indices.map { view.messages[$0].uid }), .add, .seen), .fetch(fetch))
    }

    private mutating func fetchOne() {
        guard var fetch, case .selected(let view) = state else { return }
        if let index = fetch.rest.popFirst() {
            output += view.line(index, fetch.items)
            self.fetch = fetch
        } else {
            self.fetch = nil
            reply(fetch.tag, "OK completed")
        }
    }

    private mutating func runStore(_ command: DemoIMAPCommand, _ view: DemoIMAPView, usesUIDs: Bool) {
        var command = command
        guard let set = command.messages(), let verb = command.string()?.asciiUppercased, let names = command.list(),
            command.isComplete
        else { return bad(command.tag) }
        guard !view.isReadOnly else { return _ = answerReadOnly(command) }
        let isSilent = verb.hasSuffix(".SILENT")
        let change: DemoFlagChange
        switch isSilent ? String(verb.dropLast(7)) : verb {
        case "FLAGS": change = .replace
        case "+FLAGS": change = .add
        case "-FLAGS": change = .remove
        default: return bad(command.tag)
        }
        let flags = names.reduce(into: DemoFlags()) {
            $0.formUnion(DemoFlags(name: String(decoding: $1, as: UTF8.self)))
        }
        let indices = view.indices(set, usesUIDs: usesUIDs)
        ask(
            .change(uids: Set(indices.map { view.messages[$0].uid }), change, flags),
            .store(tag: command.tag, shown: indices, usesUIDs: usesUIDs, isSilent: isSilent))
    }

    private mutating func ask(_ question: DemoQuestion, _ pending: Pending) {
        self.question = question
        self.pending = pending
    }

    private mutating func reply(_ tag: [UInt8], _ text: String) { output += .line(tag + Array(" \(text)".utf8)) }

    private mutating func bad(_ tag: [UInt8]?) {
        reply(tag ?? Array("*".utf8), "BAD not understood")
        errors += 1
        if errors >= DemoIMAPServer.errorsMaximum { end("too many errors") }
    }

    private mutating func end(_ reason: String) {
        output += .line("* BYE \(reason)")
        isOver = true
    }
}
