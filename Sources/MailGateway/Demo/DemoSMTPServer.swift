import AsyncIO
import MailSessions

/// The demo back-end's SMTP (RFC 5321): takes messages for the demo user from clients that logged
/// in, by AUTH PLAIN or because XCLIENT says so; the demo listens where only the proxy comes.
package struct DemoSMTPServer: DemoServer {
    package var input = ByteQueue()
    private var lines = LineFramer(bareLineFeed: .refuse)
    var output = Array("220 demo.mailgateway.invalid ESMTP\r\n".utf8)
    private var mode = Mode.command
    var question: DemoQuestion?
    var isOver = false
    private var helo: [UInt8]?
    private var login: [UInt8]?
    private var hasSender = false
    private var recipients = 0
    /// The message so far.
    private var text: [UInt8] = []

    private enum Mode {
        case command
        /// AUTH PLAIN without initial response waits for it.
        case token
        /// A login is being checked.
        case login([UInt8])
        /// Lines of a message.
        case data(isTooLong: Bool)
        /// The message is being stored.
        case delivery
    }

    /// The longest command line, in bytes: 512, and room for AUTH (RFC 4954 §4 asks for 12288).
    package static let commandMaximum = 12_288
    /// The longest line of a message, in bytes (RFC 5321 asks for 1000; mail in the wild has more).
    package static let dataLineMaximum = 64 * 1024
    /// The most recipients of a message (RFC 5321 §4.5.3.1.8).
    package static let recipientsMaximum = 100

    /// A session that begins with the greeting.
    package init() {}

    mutating func advance() -> Bool {
        switch lines.next(in: input, maximum: lineMaximum) {
        case nil: return false
        case .tooLong:
            say("500 5.5.6 Line too long")
            isOver = true
        case .malformed(_, let length):
            // Anything but CRLF as line end is how smuggling begins (security-checklist C8).
            input.consume(length)
            say("500 5.5.2 Lines end with CRLF")
            isOver = true
        case .line(let content, let length):
            take(content, length)
        }
        return true
    }

    package mutating func resume(_ answer: DemoAnswer) {
        switch (mode, answer) {
        case (.login(let name), .accepted):
            login = name
            say("235 2.7.0 Welcome")
        case (.login, _):
            say("535 5.7.8 Wrong name or password")
        case (_, .accepted):
            say("250 2.0.0 Stored")
        default:
            say("452 4.3.1 The demo's store is full")
        }
        mode = .command
    }

    private var lineMaximum: Int {
        if case .data = mode { return DemoSMTPServer.dataLineMaximum }
        return DemoSMTPServer.commandMaximum
    }

    private mutating func take(_ content: Int, _ length: Int) {
        switch mode {
        case .data(let isTooLong):
            takeData(input.take(length).prefix(content), isTooLong)
        case .token:
            mode = .command
            let token = input.take(length).prefix(content)
            authenticate(Array(token))
        case .command, .login, .delivery:
            let command = CommandLine(input, length: content)
            input.consume(length)
            run(command)
        }
    }

    private mutating func run(_ command: CommandLine) {
        let argument = command.remainder.bytes
        switch command.verb {
        case "EHLO", "HELO":
            guard !argument.isEmpty else { return say("501 5.5.4 Who are you?") }
            helo = argument
            forget()
            say(command.verb == "HELO" ? "250 demo.mailgateway.invalid" : DemoSMTPServer.capabilities)
        case "XCLIENT": identify(command.arguments)
        case "AUTH":
            guard login == nil else { return say("503 5.5.1 Already logged in") }
            guard command.arguments.first?.bytes.asciiUppercased == "PLAIN" else {
                return say("504 5.5.4 Only AUTH PLAIN here")
            }
            if command.arguments.count == 1 {
                mode = .token
                say("334 ")
            } else {
                authenticate(command.arguments[1].bytes)
            }
        case "MAIL":
            guard login != nil else { return say("530 5.7.0 Authentication required") }
            guard !hasSender, helo != nil else { return say("503 5.5.1 Bad sequence of commands") }
            guard argument.asciiUppercased.hasPrefix("FROM:") else { return say("501 5.5.4 MAIL FROM:<sender>") }
            hasSender = true
            say("250 2.1.0 OK")
        case "RCPT":
            guard hasSender else { return say("503 5.5.1 Bad sequence of commands") }
            guard argument.asciiUppercased.hasPrefix("TO:") else { return say("501 5.5.4 RCPT TO:<recipient>") }
            guard recipients < DemoSMTPServer.recipientsMaximum else { return say("452 4.5.3 Too many recipients") }
            recipients += 1
            say("250 2.1.5 OK")
        case "DATA":
            guard recipients > 0 else { return say("503 5.5.1 Bad sequence of commands") }
            mode = .data(isTooLong: false)
            say("354 End with a dot")
        case "RSET":
            forget()
            say("250 2.0.0 OK")
        case "NOOP": say("250 2.0.0 OK")
        case "QUIT":
            say("221 2.0.0 Bye")
            isOver = true
        default: say("500 5.5.1 Unknown command")
        }
    }

    /// Believes LOGIN, and begins the session anew as Postfix does.
    private mutating func identify(_ attributes: [Secret]) {
        guard !hasSender else { return say("503 5.5.1 Bad sequence of commands") }
        for attribute in attributes.map(\.bytes) where attribute.prefix(6).asciiUppercased == "LOGIN=" {
            guard let name = XText.decode(attribute.dropFirst(6)) else { return say("501 5.5.4 Bad attribute") }
            login = name
        }
        helo = nil
        say("220 demo.mailgateway.invalid ESMTP")
    }

    private mutating func authenticate(_ token: [UInt8]) {
        guard let credentials = DemoPlainToken(token) else { return say("501 5.5.2 Bad token") }
        mode = .login(credentials.login)
        question = .logIn(login: credentials.login, password: credentials.password)
    }

    private mutating func takeData(_ line: ArraySlice<UInt8>, _ isTooLong: Bool) {
        if line.elementsEqual([UInt8(ascii: ".")]) {
            mode = .command
            if isTooLong {
                say("552 5.3.4 Longer than \(DemoStore.messageBytesMaximum) bytes")
            } else {
                mode = .delivery
                question = .deliver(DemoDelivery(helo: helo ?? [], login: login, text: text))
            }
            return forget()
        }
        let content = line.first == UInt8(ascii: ".") ? line.dropFirst() : line
        // Past the bound the rest is read and dropped, so that the reply comes where the client waits for it.
        if isTooLong || text.count + content.count + 2 > DemoStore.messageBytesMaximum {
            text = []
            mode = .data(isTooLong: true)
        } else {
            text += .line(content)
        }
    }

    private mutating func forget() {
        hasSender = false
        recipients = 0
        text = []
    }

    private mutating func say(_ line: String) { output += .line(line) }

    private static let capabilities = [
        "250-demo.mailgateway.invalid", "250-XCLIENT NAME ADDR LOGIN", "250-AUTH PLAIN",
        "250-SIZE \(DemoStore.messageBytesMaximum)", "250-8BITMIME", "250 PIPELINING",
    ].joined(separator: "\r\n")
}

/// xtext (RFC 3461 §4) read back.
enum XText {
    /// Nil where a `+` is not followed by two hexadecimal digits.
    static func decode(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = text
        while let byte = rest.popFirst() {
            guard byte == ASCII.plus else {
                result.append(byte)
                continue
            }
            guard rest.prefix(2).allSatisfy(\.isHexDigit),
                let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16), rest.count >= 2
            else { return nil }
            result.append(value)
            rest = rest.dropFirst(2)
        }
        return result
    }
}

/// The token of SASL PLAIN (RFC 4616 §2), whose authorisation identity the demo ignores.
struct DemoPlainToken {
    let login: [UInt8]
    let password: Secret

    /// Nil for what is not base64 of three parts.
    init?(_ token: [UInt8]) {
        guard var message = Base64.decode(token) else { return nil }
        defer { wipe(&message) }
        let parts = message.split(separator: ASCII.nul, omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        login = Array(parts[1])
        password = Secret(parts[2])
    }
}
