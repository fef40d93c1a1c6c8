import AsyncIO

/// An `auth_mysql_query`: SQL whose placeholders are bound, never replaced by text (security-checklist C4).
///
/// `:login` and its siblings may stand wherever SQL takes a value, any number of times; a bare `?` is the login.
/// In strings, quoted names and comments nothing is a placeholder.
package struct MySQLQuery: Sendable, Hashable {
    /// What can be bound.
    package enum Parameter: String, Sendable, Hashable, CaseIterable {
        case login
        /// In front of the last `@`; the whole login where there is none.
        case localPart = "local_part"
        /// Behind the last `@`; empty where there is none.
        case domain
        /// `imap`, `pop3`, `smtp`.
        case mailProtocol = "protocol"
        /// In numbers; `unix:` for clients of unix sockets.
        case clientIP = "client_ip"
    }

    /// The statement as the database gets it, with `?` for every placeholder.
    package let text: String
    /// What is bound to each `?`.
    package let parameters: [Parameter]

    /// The most placeholders in one statement.
    package static let parametersMaximum = 32

    /// Why a query is not accepted; the text says what would be.
    package enum Failure: Error, Sendable, Equatable {
        case unknownPlaceholder(String)
        case noPlaceholder
        case tooManyPlaceholders
        case unterminated
    }

    /// Before the directive is read.
    package static let empty = MySQLQuery(text: "", parameters: [])

    private init(text: String, parameters: [Parameter]) {
        self.text = text
        self.parameters = parameters
    }

    /// Finds the placeholders of `query`.
    package init(_ query: String) throws(Failure) {
        var scanner = MySQLScanner(Array(query.utf8))
        var text: [UInt8] = []
        var parameters: [Parameter] = []
        while let piece = try scanner.next() {
            switch piece {
            case .text(let bytes): text += bytes
            case .placeholder(let name):
                guard let parameter = name.isEmpty ? .login : Parameter(rawValue: name) else {
                    throw .unknownPlaceholder(name)
                }
                parameters.append(parameter)
                text.append(UInt8(ascii: "?"))
            }
        }
        guard !parameters.isEmpty else { throw .noPlaceholder }
        guard parameters.count <= MySQLQuery.parametersMaximum else { throw .tooManyPlaceholders }
        self.init(text: String(decoding: text, as: UTF8.self), parameters: parameters)
    }

    /// The values to bind for a login, in the order of the `?`.
    package func values(
        for login: [UInt8], of client: ClientFacts, _ mailProtocol: MailProtocol
    ) -> [[UInt8]] {
        let at = login.lastIndex(of: UInt8(ascii: "@"))
        return parameters.map { parameter in
            switch parameter {
            case .login: login
            case .localPart: at.map { Array(login[..<$0]) } ?? login
            case .domain: at.map { Array(login[($0 + 1)...]) } ?? []
            case .mailProtocol: Array(mailProtocol.rawValue.utf8)
            case .clientIP: Array(client.address.hostText.utf8)
            }
        }
    }
}

/// Cuts SQL into text and placeholders, knowing no more of it than where neither can be.
private struct MySQLScanner {
    enum Piece {
        case text(ArraySlice<UInt8>)
        /// Its name; empty for `?`.
        case placeholder(String)
    }

    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func next() throws(MySQLQuery.Failure) -> Piece? {
        guard position < bytes.count else { return nil }
        let start = position
        position += 1
        switch bytes[start] {
        case UInt8(ascii: "?"): return .placeholder("")
        // `a::b` and `@x := 1` are none.
        case UInt8(ascii: ":") where start == 0 || bytes[start - 1] != UInt8(ascii: ":"):
            let name = bytes[position...].prefix { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") }
            guard let first = name.first, !first.isDigit else { break }
            position = name.endIndex
            return .placeholder(String(decoding: name, as: UTF8.self))
        case let quote where quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "`"):
            try skipQuoted(quote)
        case UInt8(ascii: "#"): skipLine()
        case UInt8(ascii: "-") where isComment(start): skipLine()
        case UInt8(ascii: "/") where peek(position) == UInt8(ascii: "*"): try skipComment()
        default: break
        }
        return .text(bytes[start..<position])
    }

    private func peek(_ index: Int) -> UInt8? { index < bytes.count ? bytes[index] : nil }

    /// Two dashes begin a comment only with a space or the end behind them.
    private func isComment(_ start: Int) -> Bool {
        guard peek(start + 1) == UInt8(ascii: "-") else { return false }
        guard let third = peek(start + 2) else { return true }
        return third == ASCII.space || third.isControl
    }

    /// A doubled quote is two strings, which is as good; a backslash takes the next byte along, but for names.
    private mutating func skipQuoted(_ quote: UInt8) throws(MySQLQuery.Failure) {
        while let byte = peek(position) {
            position += 1
            if byte == quote { return }
            if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "`") { position += 1 }
        }
        throw .unterminated
    }

    private mutating func skipLine() {
        while let byte = peek(position), byte != ASCII.lf { position += 1 }
    }

    private mutating func skipComment() throws(MySQLQuery.Failure) {
        position += 1
        while let byte = peek(position) {
            position += 1
            if byte == UInt8(ascii: "*"), peek(position) == UInt8(ascii: "/") {
                position += 1
                return
            }
        }
        throw .unterminated
    }
}
