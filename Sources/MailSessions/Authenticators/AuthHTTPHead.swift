import AsyncIO

/// Status line and headers of an auth_http answer, as far as they matter (nginx-mail.md §5.2).
struct AuthHTTPHead: Sendable {
    private(set) var status = 200
    private(set) var decision = Decision.absent
    private(set) var server: [UInt8]?
    private(set) var port: [UInt8]?
    private(set) var login: [UInt8]?
    private(set) var password: Secret?
    private(set) var wait: Duration?
    private(set) var errorCode: [UInt8]?
    /// `Auth-Error-SASL` (freenginx 1.27.1): base64 for the client.
    private(set) var errorChallenge: [UInt8]?
    /// `Auth-SMTP: yes` or `no` (nginx 1.31.7); anything else is as good as absent.
    private(set) var smtpAuth: Bool?
    /// `Auth-SSL-Backend`, whose value may be none that we know.
    private(set) var backEndSecurity: [UInt8]?
    /// `Auth-SSL-Backend-Name`.
    private(set) var backEndName: [UInt8]?
    /// HTTP/1.1, and no header that forbids it.
    private(set) var persists = false
    private(set) var bodyLength = BodyLength.unknown
    private var sawFirstLine = false

    /// What Auth-Status says. A refusal or WAIT is not undone by a later OK.
    enum Decision: Equatable {
        case absent, accept, wait
        case refuse([UInt8])
    }

    /// How the end of the body is found (RFC 9112 §6.3).
    enum BodyLength: Equatable {
        case counted(Int)
        case chunked
        /// Where the connection ends, or contradictory.
        case unknown
    }

    /// The longest Auth-Wait heeded: a session must not be held for days by a slip of the service.
    static let waitMaximum = 3600

    /// The longest Auth-Error-SASL heeded, in bytes: a few hundred are usual.
    static let errorChallengeMaximum = 4096

    /// Takes one line of the head in, the blank one excepted: the first `length` bytes of `input`, read where they are.
    mutating func take(_ input: ByteQueue, _ length: Int) throws(AuthHTTPFault) {
        defer { sawFirstLine = true }
        let hasReturn = input.firstIndex(of: ASCII.cr, to: length) != nil
        try unsafe input.withBytes(in: 0..<length) { (line) throws(AuthHTTPFault) in
            let isStatus = unsafe !sawFirstLine && line.prefix(5).isExactly("HTTP/")
            guard !hasReturn else { throw isStatus ? .response : .header }
            if isStatus { try unsafe takeStatusLine(line) } else { try unsafe takeHeader(line) }
        }
    }

    /// Whether this is an interim answer, followed by another (RFC 9110 §15.2).
    var isInterim: Bool { (100...199).contains(status) }

    private mutating func takeStatusLine(_ text: some RandomAccessCollection<UInt8>) throws(AuthHTTPFault) {
        let version = text.prefix { $0 != ASCII.space }
        persists = version.isExactly("HTTP/1.1")
        let digits = text.dropFirst(version.count).drop { $0 == ASCII.space }.prefix { $0 != ASCII.space }
        guard digits.count == 3, let code = number(digits), code >= 100 else { throw .response }
        status = code
        if status == 204 || status == 304 { bodyLength = .counted(0) }
    }

    private mutating func takeHeader(_ text: some RandomAccessCollection<UInt8>) throws(AuthHTTPFault) {
        let name = text.prefix { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "-") }
        let rest = text[name.endIndex...]
        guard let first = name.first, first != UInt8(ascii: "-"), rest.isEmpty || rest.first == UInt8(ascii: ":")
        else { throw .header }
        let value = trimmed(rest.dropFirst())
        switch CaselessText(name) {
        case "AUTH-STATUS": takeDecision(value)
        case "AUTH-SERVER": server = Array(value)
        case "AUTH-PORT": port = Array(value)
        case "AUTH-USER": login = Array(value)
        case "AUTH-PASS": password = Secret(value)
        case "AUTH-WAIT": if let seconds = number(value) { wait = duration(seconds) }
        case "AUTH-SSL-BACKEND": backEndSecurity = Array(value)
        case "AUTH-SSL-BACKEND-NAME": backEndName = Array(value)
        case "AUTH-ERROR-CODE": takeErrorCode(value)
        case "AUTH-ERROR-SASL": takeErrorChallenge(value)
        case "AUTH-SMTP": takeSMTPAuth(value)
        case "CONNECTION": takeConnection(value)
        case "CONTENT-LENGTH": takeContentLength(value)
        case "TRANSFER-ENCODING": takeTransferEncoding(value)
        default: break
        }
    }

    private mutating func takeSMTPAuth(_ value: some RandomAccessCollection<UInt8>) {
        switch CaselessText(value) {
        case "YES": smtpAuth = true
        case "NO": smtpAuth = false
        default: break
        }
    }

    private mutating func takeDecision(_ value: some RandomAccessCollection<UInt8>) {
        switch decision {
        case .refuse, .wait: return
        case .absent, .accept: break
        }
        decision =
            if value.isExactly("OK") {
                .accept
            } else if value.isExactly("WAIT") {
                .wait
            } else {
                .refuse(ReplyLine(bytes: Array(value)).excerpt)
            }
    }

    /// A code is three digits beginning with 4 or 5 and perhaps words; anything else could tell the
    /// client that it is logged in, or keep it waiting for more lines.
    private mutating func takeErrorCode(_ value: some RandomAccessCollection<UInt8>) {
        let digits = value.prefix(3)
        guard value.count <= 32, let code = number(digits), (400...599).contains(code), digits.count == 3,
            value.dropFirst(3).first.map({ $0 == ASCII.space }) ?? true,
            value.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return }
        errorCode = Array(value)
    }

    /// Base64 that becomes a line to the client; anything else, or what is longer than a reply line of SASL
    /// should be, is as good as absent.
    private mutating func takeErrorChallenge(_ value: some RandomAccessCollection<UInt8>) {
        guard !value.isEmpty, value.count <= AuthHTTPHead.errorChallengeMaximum, Base64.decode(Array(value)) != nil
        else { return }
        errorChallenge = Array(value)
    }

    private mutating func takeConnection(_ value: some RandomAccessCollection<UInt8>) {
        let options = value.split(separator: UInt8(ascii: ","))
        if options.contains(where: { trimmed($0).equals("CLOSE") }) { persists = false }
    }

    private mutating func takeContentLength(_ value: some RandomAccessCollection<UInt8>) {
        guard let length = number(value), bodyLength == .unknown || bodyLength == .counted(length) else {
            persists = false
            return
        }
        bodyLength = .counted(length)
    }

    private mutating func takeTransferEncoding(_ value: some RandomAccessCollection<UInt8>) {
        guard bodyLength == .unknown, value.equals("CHUNKED") else {
            persists = false
            return
        }
        bodyLength = .chunked
    }

    private func duration(_ seconds: Int) -> Duration? {
        seconds == 0 ? nil : .seconds(min(seconds, AuthHTTPHead.waitMaximum))
    }

    private func number(_ digits: some Collection<UInt8>) -> Int? {
        guard !digits.isEmpty else { return nil }
        var number = 0
        for digit in digits {
            guard digit.isDigit, number <= (Int.max - 9) / 10 else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }

    /// Without the spaces and tabs around it (RFC 9110 §5.5).
    private func trimmed<Text: RandomAccessCollection<UInt8>>(_ text: Text) -> Text.SubSequence {
        var value = text.drop { $0 == 0x20 || $0 == 0x09 }
        while value.last == 0x20 || value.last == 0x09 { value.removeLast() }
        return value
    }
}
