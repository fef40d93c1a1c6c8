import AsyncIO

/// One question to an auth_http service and its answer.
///
/// ```
/// request --> head --blank line--> body --its end--> over
///               ^          |         +-- over at once where no length is told or the connection ends
///               +-- 1xx ---+
/// ```
/// The answer counts as soon as the head is complete (`decided`); the body is read only so that the
/// connection can be used again.
package struct AuthHTTPExchange: Dialogue {
    package var input = ByteQueue()
    /// A byte of the answer came: the service has read the question.
    package var hasAnswer: Bool { hasLine || !input.isEmpty }
    private var hasLine = false
    private var part: Part
    private var head = AuthHTTPHead()
    private var lines = LineFramer(bareLineFeed: .accept)
    /// What the head may still be long.
    private var room = AuthHTTPExchange.headMaximum
    /// As far as it is understood.
    private var answer = AuthHTTPAnswer.invalid(.response)
    private let mailProtocol: MailProtocol
    /// The client has shown a token.
    private let isBearer: Bool
    private let needsPassword: Bool
    private let keepsConnection: Bool

    private enum Part {
        // Large, and needed no more while the answer is waited for.
        indirect case request(AuthHTTPRequest)
        case head
        case body(HTTPBodySkipper)
        case over(isReusable: Bool)
    }

    /// The longest status line and headers, in bytes (nginx: 1024, nginx-mail.md §13 row 15).
    package static let headMaximum = 16 * 1024
    /// The longest body worth reading for the sake of the connection, in bytes, chunk framing included.
    package static let bodyMaximum = 16 * 1024

    /// An exchange over a connection that is open and waits for a request.
    /// - Parameter keepsConnection: there may be a next one over it.
    package init(_ request: AuthHTTPRequest, keepsConnection: Bool = true) {
        self.keepsConnection = keepsConnection
        mailProtocol = request.mailProtocol
        isBearer = request.attempt.method.isBearer
        needsPassword = request.needsPassword
        part = .request(request)
    }

    /// The answer, while only its body is still to come: whatever becomes of that, the answer stays.
    package var decided: AuthHTTPAnswer? { if case .body = part { answer } else { nil } }

    package mutating func resume(_ answer: Never) {}

    @inline(never)
    package mutating func next() -> Step<Never, Never, AuthHTTPOutcome> {
        while true {
            switch part {
            case .request(let request):
                part = .head
                return .send(request.bytes())
            case .head:
                switch lines.next(in: input, maximum: room) {
                case nil: return .receive
                case .tooLong: finish(.invalid(.tooLong))
                case .line(let content, let length), .malformed(let content, let length):
                    takeLine(content)
                    room -= length
                    input.consume(length)
                }
            case .body(var skipper):
                switch skipper.skip(in: &input) {
                case .incomplete:
                    part = .body(skipper)
                    return .receive
                case .complete: part = .over(isReusable: true)
                case .endless: part = .over(isReusable: false)
                }
            case .over(let isReusable):
                return .finish(AuthHTTPOutcome(answer: answer, isReusable: isReusable))
            }
        }
    }

    /// Takes in the line at the beginning of the input, `length` bytes without its end.
    private mutating func takeLine(_ length: Int) {
        hasLine = true
        guard length == 0 else {
            do throws(AuthHTTPFault) { try head.take(input, length) } catch { finish(.invalid(error)) }
            return
        }
        if head.isInterim {
            head = AuthHTTPHead()
            return
        }
        finish(answer(from: head))
        guard keepsConnection, head.persists,
            let skipper = HTTPBodySkipper(head.bodyLength, maximum: AuthHTTPExchange.bodyMaximum)
        else { return }
        part = .body(skipper)
    }

    private mutating func finish(_ answer: AuthHTTPAnswer) {
        self.answer = answer
        part = .over(isReusable: false)
    }

    /// Weighs the headers (nginx-mail.md §5.3). The status counts only where Auth-Status is absent:
    /// a page that knows nothing of us, be it an error or a welcome, lets nobody in.
    private func answer(from head: AuthHTTPHead) -> AuthHTTPAnswer {
        switch head.decision {
        case .refuse(let text):
            let text = text.isEmpty ? Array("Invalid login or password".utf8) : text
            return .refusal(
                text: text, code: mailProtocol == .smtp ? head.errorCode : nil, wait: head.wait,
                challenge: isBearer ? head.errorChallenge : nil)
        case .wait:
            return .waitAndRetry(head.wait ?? .seconds(1))
        case .absent where !(200...299).contains(head.status):
            return .invalid(.status(head.status))
        case .absent where head.server == nil:
            return .invalid(.missingServerOrPort)
        case .absent, .accept:
            do throws(AuthHTTPFault) {
                let server = try server(from: head)
                if needsPassword, head.password == nil { return .invalid(.missingPassword) }
                return .success(
                    server: server, login: head.login, password: head.password, smtpAuth: head.smtpAuth,
                    tls: try demand(from: head))
            } catch {
                return .invalid(error)
            }
        }
    }

    /// A value that is none must not end in less protection than was meant.
    private func demand(from head: AuthHTTPHead) throws(AuthHTTPFault) -> BackEndDemand {
        var demand = BackEndDemand()
        if let value = head.backEndSecurity {
            guard let security = BackEndSecurity(rawValue: String(decoding: value, as: UTF8.self).lowercased()) else {
                throw .backEndSecurity(ReplyLine(bytes: value).excerpt)
            }
            demand.security = security
        }
        if let value = head.backEndName {
            // What a host name or an address in numbers consists of (RFC 1035 §2.3.4 for the length).
            guard (1...253).contains(value.count),
                value.allSatisfy({ $0.isLetter || $0.isDigit || "-._:".utf8.contains($0) })
            else { throw .backEndName(ReplyLine(bytes: value).excerpt) }
            demand.certificateName = String(decoding: value, as: UTF8.self)
        }
        return demand
    }

    /// An address needs a port, as in nginx; the name of a group or a host, which nginx refuses, does not.
    private func server(from head: AuthHTTPHead) throws(AuthHTTPFault) -> BackEndChoice? {
        if head.server == nil, head.port == nil { return nil }
        guard let host = head.server else { throw .missingServerOrPort }
        let number = try head.port.map { (port) throws(AuthHTTPFault) in
            guard port.allSatisfy(\.isDigit),
                let number = UInt16(String(decoding: port, as: UTF8.self)), number > 0
            else { throw AuthHTTPFault.serverPort(ReplyLine(bytes: port).excerpt) }
            return number
        }
        let text = String(decoding: host, as: UTF8.self)
        if HostName.isValid(host) { return .name(text, port: number) }
        guard let number else { throw .missingServerOrPort }
        // A NUL would end the text early for the parser behind `literal`.
        guard !host.contains(ASCII.nul), let address = SocketAddress(literal: text, port: number)
        else { throw .serverAddress(ReplyLine(bytes: host).excerpt) }
        return .address(address)
    }
}
