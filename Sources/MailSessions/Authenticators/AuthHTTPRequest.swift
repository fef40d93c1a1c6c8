import AsyncIO

/// One question to an auth_http service, as the bytes of an HTTP request (nginx-mail.md §5.1).
///
/// The headers and their order are nginx's. The request line says HTTP/1.1, whose connections stay
/// open by themselves. No value can end its line: user, password and certificate are escaped as
/// nginx does; in all others control bytes become `%XX` (nginx-mail.md §13 row 33, security-checklist C1).
package struct AuthHTTPRequest: Sendable {
    private let template: AuthHTTPTemplate
    package var mailProtocol: MailProtocol
    package var attempt: LoginAttempt
    package var client: ClientFacts
    /// Whether success without a password is none (nginx-mail.md §5.2).
    package var needsPassword: Bool

    /// A question about `attempt`, a login by `client`, to the service of `template`.
    package init(
        _ template: AuthHTTPTemplate, mailProtocol: MailProtocol, attempt: LoginAttempt, client: ClientFacts
    ) {
        self.template = template
        self.mailProtocol = mailProtocol
        self.attempt = attempt
        self.client = client
        needsPassword = mailProtocol != .smtp && attempt.method != .plain
    }

    /// The whole request; it holds the password, so it is made for the moment of sending.
    package func bytes() -> [UInt8] {
        var lines = HeaderLines(template.beginning, room: room)
        lines.add("Auth-Method", attempt.method.rawValue)
        lines.add("Auth-User", escaped: attempt.login)
        unsafe attempt.password.withBytes { unsafe lines.add("Auth-Pass", escaped: $0) }
        if attempt.method == .apop || attempt.method == .cramMD5 { lines.add("Auth-Salt", attempt.salt ?? []) }
        lines.add("Auth-Protocol", mailProtocol.rawValue)
        lines.add("Auth-Login-Attempt", attempt.number)
        lines.add("Client-IP", client.address.hostText)
        if mailProtocol == .smtp { lines.add("Client-Host", client.hostName) }
        addProxyAddresses(to: &lines)
        addEnvelope(to: &lines)
        addTLS(to: &lines)
        lines.bytes += template.end
        assert(lines.bytes.count <= room, "growing has left a password behind")
        return lines.bytes
    }

    /// Bytes that are enough for the whole request: escaping makes at most three of one.
    private var room: Int {
        var texts = client.hostName.utf8.count + attempt.login.count + attempt.password.count
        texts += attempt.salt?.count ?? 0
        // All names and short values, of what there may be beside.
        var room = template.beginning.count + template.end.count + 512
        if client.proxyAddresses != nil { room += 512 }
        if let envelope = attempt.envelope {
            room += 64
            texts += (envelope.helo?.count ?? 0) + (envelope.mailFrom?.count ?? 0) + (envelope.recipient?.count ?? 0)
        }
        if let tls = client.tls {
            room += 512
            texts += tls.version.utf8.count + tls.cipher.utf8.count + (tls.verification?.utf8.count ?? 0)
            if let certificate = tls.certificate {
                texts += certificate.subject.utf8.count + certificate.issuer.utf8.count
                texts += certificate.serial.utf8.count + certificate.fingerprint.utf8.count
                texts += certificate.pem?.utf8.count ?? 0
            }
        }
        return room + 3 * texts
    }

    private func addProxyAddresses(to lines: inout HeaderLines) {
        guard let addresses = client.proxyAddresses else { return }
        lines.add("Proxy-Protocol-Addr", addresses.source.hostText)
        lines.add("Proxy-Protocol-Port", Int(addresses.source.port))
        lines.add("Proxy-Protocol-Server-Addr", addresses.destination.hostText)
        lines.add("Proxy-Protocol-Server-Port", Int(addresses.destination.port))
    }

    private func addEnvelope(to lines: inout HeaderLines) {
        guard attempt.method == .none, let envelope = attempt.envelope else { return }
        lines.add("Auth-SMTP-Helo", envelope.helo ?? [])
        lines.add("Auth-SMTP-From", envelope.mailFrom ?? [])
        lines.add("Auth-SMTP-To", envelope.recipient ?? [])
    }

    private func addTLS(to lines: inout HeaderLines) {
        guard let tls = client.tls else { return }
        lines.add("Auth-SSL", "on")
        lines.add("Auth-SSL-Protocol", tls.version)
        lines.add("Auth-SSL-Cipher", tls.cipher)
        guard let verification = tls.verification else { return }
        lines.add("Auth-SSL-Verify", verification)
        guard let certificate = tls.certificate else { return }
        lines.add("Auth-SSL-Subject", certificate.subject)
        lines.add("Auth-SSL-Issuer", certificate.issuer)
        lines.add("Auth-SSL-Serial", certificate.serial)
        lines.add("Auth-SSL-Fingerprint", certificate.fingerprint)
        if let pem = certificate.pem { lines.add("Auth-SSL-Cert", escaped: pem.utf8) }
    }
}

/// What the requests to one service have in common, made once.
package struct AuthHTTPTemplate: Sendable {
    /// The request line and what comes first.
    fileprivate let beginning: [UInt8]
    /// `auth_http_header`s and the blank line.
    fileprivate let end: [UInt8]

    /// The template for the service in `settings`.
    package init(_ settings: AuthHTTPSettings) {
        var lines = HeaderLines(.line("GET \(settings.uri) HTTP/1.1"))
        lines.add("Host", settings.host)
        beginning = lines.bytes
        lines = HeaderLines([])
        for header in settings.headers {
            lines.bytes += header.name.utf8
            lines.endHeader(with: header.value.utf8)
        }
        lines.bytes.endLine()
        end = lines.bytes
    }
}

/// The lines of a request, each ended as soon as it is written.
private struct HeaderLines {
    var bytes: [UInt8] = []

    /// - Parameter room: kept from the beginning, for growing would leave a password in freed memory.
    init(_ beginning: [UInt8], room: Int = 0) {
        bytes.reserveCapacity(room)
        bytes += beginning
    }

    /// Adds a header whose control bytes become `%XX`; spaces and `%` stay as they are.
    mutating func add(_ name: StaticString, _ value: some Collection<UInt8>) {
        bytes.append(name)
        endHeader(with: value)
    }

    /// The same for text.
    mutating func add(_ name: StaticString, _ value: String) { add(name, value.utf8) }

    /// The same for a number.
    mutating func add(_ name: StaticString, _ value: Int) {
        bytes.append(name)
        bytes.append(": ")
        bytes.append(decimal: value)
        bytes.endLine()
    }

    /// Adds a header whose 00–20 and `%` become `%XX`; a decoder finds every byte again.
    mutating func add(_ name: StaticString, escaped value: some Collection<UInt8>) {
        bytes.append(name)
        bytes.append(": ")
        append(value) { $0 <= ASCII.space || $0 == UInt8(ascii: "%") }
        bytes.endLine()
    }

    /// Adds what comes behind a header's name.
    mutating func endHeader(with value: some Collection<UInt8>) {
        bytes.append(": ")
        append(value, escapes: \.isControl)
        bytes.endLine()
    }

    private mutating func append(_ value: some Collection<UInt8>, escapes: (UInt8) -> Bool) {
        // Nearly always: in one piece.
        guard value.contains(where: escapes) else { return bytes.append(contentsOf: value) }
        for byte in value {
            if escapes(byte) {
                bytes.append(UInt8(ascii: "%"))
                bytes.appendHexadecimal(byte)
            } else {
                bytes.append(byte)
            }
        }
    }
}
