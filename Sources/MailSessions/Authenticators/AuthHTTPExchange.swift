import AsyncIO

/// One question to an auth_http service and its answer.
///
/// ```
/// request --> head --blank line--> body --its end--> over
///               ^          |         +-- over at once where no length is told or the connection ends
///               +-- 1xx ---+
/// ```
/// The answer counts as soon as the head is complete; the body is read only so that the connection
/// can be used again.
package struct AuthHTTPExchange: Dialogue {
    package var input = ByteQueue()
    /// A byte of the answer came: the service has read the question.
    package var hasAnswer: Bool { hasLine || !input.isEmpty }
    private var hasLine = false
    private var state: State
    /// Beside the state, where each line of it would be a copy of all before.
    private var head = AuthHTTPHead()
    private var lines = ReplyFramer(maximum: AuthHTTPExchange.headMaximum)
    private let mailProtocol: MailProtocol
    private let method: AuthenticationMethod
    private let needsPassword: Bool

    private enum State {
        case request(AuthHTTPRequest)
        case head
        case body(HTTPBodySkipper, AuthHTTPAnswer)
        case over(AuthHTTPOutcome)
    }

    /// The longest status line and headers, in bytes (nginx: 1024, nginx-mail.md §13 row 15).
    package static let headMaximum = 16 * 1024
    /// The longest body worth reading for the sake of the connection, in bytes, chunk framing included.
    package static let bodyMaximum = 16 * 1024

    /// An exchange over a connection that is open and waits for a request.
    package init(_ request: AuthHTTPRequest) {
        mailProtocol = request.mailProtocol
        method = request.attempt.method
        needsPassword = request.needsPassword
        state = .request(request)
    }

    package mutating func resume(_ answer: Never) {}

    package mutating func next() -> Step<Never, Never, AuthHTTPOutcome> {
        while true {
            switch state {
            case .request(let request):
                state = .head
                return .send(request.bytes())
            case .head:
                switch lines.next(from: &input) {
                case .incomplete: return .receive
                case .tooLong: fail(.tooLong)
                case .line(var line):
                    take(line)
                    line.wipe()
                }
            case .body(var skipper, let answer):
                switch skipper.skip(in: &input) {
                case .incomplete:
                    state = .body(skipper, answer)
                    return .receive
                case .complete: finish(answer, isReusable: true)
                case .endless: finish(answer, isReusable: false)
                }
            case .over(let outcome):
                return .finish(outcome)
            }
        }
    }

    private mutating func take(_ line: ReplyLine) {
        hasLine = true
        guard line.text.isEmpty else {
            do throws(AuthHTTPFault) { try head.take(line) } catch { fail(error) }
            return
        }
        if head.isInterim {
            head = AuthHTTPHead()
            return
        }
        let answer = answer(from: head)
        if head.persists, let skipper = HTTPBodySkipper(head.bodyLength, maximum: AuthHTTPExchange.bodyMaximum) {
            state = .body(skipper, answer)
        } else {
            finish(answer, isReusable: false)
        }
    }

    private mutating func fail(_ fault: AuthHTTPFault) { finish(.invalid(fault), isReusable: false) }

    private mutating func finish(_ answer: AuthHTTPAnswer, isReusable: Bool) {
        state = .over(AuthHTTPOutcome(answer: answer, isReusable: isReusable))
    }

    /// Weighs the headers (nginx-mail.md §5.3). The status counts only where Auth-Status is absent:
    /// a page that knows nothing of us, be it an error or a welcome, lets nobody in.
    private func answer(from head: AuthHTTPHead) -> AuthHTTPAnswer {
        switch head.decision {
        case .refuse(let text):
            let text = text.isEmpty ? Array("Invalid login or password".utf8) : text
            return .refusal(
                text: text, code: mailProtocol == .smtp ? head.errorCode : nil, wait: head.wait,
                challenge: method.isBearer ? head.errorChallenge : nil)
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
