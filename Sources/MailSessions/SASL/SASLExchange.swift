import AsyncIO

/// One authentication exchange, from the mechanism's name to credentials or failure; the same for
/// all three protocols, which only wrap challenges and read response lines.
///
/// ```
///   plain, external, bearer ─▶ challenge ─response─▶ credentials
///   cramMD5               ─▶ salt ──────response─▶ credentials
///   loginName             ─▶ "Username:" ─response─▶ loginPassword ─▶ "Password:" ─response─▶ credentials
/// ```
/// An initial response takes the place of the first response. Each response that does not fit ends
/// the exchange; so does `*`, the client's way to cancel (RFC 4954 §4).
package struct SASLExchange: Sendable {
    /// What an exchange leads to next.
    enum Progress: Sendable {
        /// Text for the client, in base64.
        case challenge([UInt8])
        case credentials(Credentials)
        /// Over without credentials; the note says why where a log wants to know.
        case failed(FrontEndNote?)
    }

    private enum State: Sendable {
        case plain
        case external
        case cramMD5(salt: [UInt8])
        case bearer(BearerMechanism)
        case loginName
        case loginPassword(name: [UInt8])
    }

    private let mechanism: SASLMechanism
    private var state: State

    /// - Parameter salts: asked for a fresh one where the mechanism needs it.
    init(_ mechanism: SASLMechanism, salts: inout SaltFactory) {
        self.mechanism = mechanism
        switch mechanism {
        case .plain: state = .plain
        case .external: state = .external
        case .cramMD5: state = .cramMD5(salt: salts.next())
        case .login: state = .loginName
        case .xoauth2: state = .bearer(.xoauth2)
        case .oauthBearer: state = .bearer(.oauthBearer)
        }
    }

    /// Begins: with the initial response, where `=` means an empty one, or with a challenge.
    mutating func begin(_ initialResponse: Secret?) -> Progress {
        guard let initialResponse else { return .challenge(challenge) }
        return respond(initialResponse.equals([UInt8(ascii: "=")]) ? Secret([]) : initialResponse)
    }

    /// Takes the client's answer to the last challenge, still in base64.
    mutating func respond(_ response: Secret) -> Progress {
        if response.equals([UInt8(ascii: "*")]) { return .failed(nil) }
        guard var decoded = unsafe response.withBytes({ unsafe Base64.decode($0) }) else {
            return .failed(.invalidBase64(mechanism: mechanism.rawValue))
        }
        defer { wipe(&decoded) }
        switch state {
        case .plain: return plain(decoded)
        case .cramMD5(let salt): return cramMD5(decoded, salt: salt)
        case .bearer(let mechanism): return bearer(decoded, mechanism)
        case .external:
            guard Credentials.admits(login: decoded) else { return .failed(nil) }
            return .credentials(Credentials(method: .external, login: decoded, password: Secret([])))
        case .loginName:
            guard !decoded.isEmpty, Credentials.admits(login: decoded) else { return .failed(nil) }
            state = .loginPassword(name: decoded)
            return .challenge(challenge)
        case .loginPassword(let name):
            guard !decoded.contains(ASCII.nul) else { return .failed(nil) }
            return .credentials(Credentials(method: .plain, login: name, password: Secret(decoded)))
        }
    }

    private var challenge: [UInt8] {
        switch state {
        case .plain, .bearer: []
        case .loginName, .external: Base64.encode("Username:".utf8)
        case .loginPassword: Base64.encode("Password:".utf8)
        case .cramMD5(let salt): Base64.encode(salt)
        }
    }

    /// `[authzid] NUL authcid NUL passwd` (RFC 4616 §2). Nobody acts for another here, so an authzid has
    /// to be the name itself (nginx-mail.md §13 row 31).
    private func plain(_ message: [UInt8]) -> Progress {
        guard let first = message.firstIndex(of: ASCII.nul) else { return .failed(.invalidPlainLogin) }
        guard let second = message[(first + 1)...].firstIndex(of: ASCII.nul) else {
            return .failed(.invalidPlainPassword)
        }
        let authorization = message[..<first]
        let login = Array(message[(first + 1)..<second])
        guard !login.isEmpty, Credentials.admits(login: login), authorization.isEmpty || authorization == login[...]
        else { return .failed(.invalidPlainLogin) }
        guard !message[(second + 1)...].contains(ASCII.nul) else { return .failed(.invalidPlainPassword) }
        let password = Secret(message[(second + 1)...])
        return .credentials(Credentials(method: .plain, login: login, password: password))
    }

    /// `user SP digest`, the digest being 32 hexadecimal digits (RFC 2195 §2); a user may hold spaces.
    private func cramMD5(_ message: [UInt8], salt: [UInt8]) -> Progress {
        guard let space = message.lastIndex(of: ASCII.space) else { return .failed(.invalidCramMD5Hash) }
        let login = Array(message[..<space])
        let digest = message[(space + 1)...]
        guard digest.count == 32, digest.allSatisfy(\.isHexDigit), !login.isEmpty, Credentials.admits(login: login)
        else { return .failed(.invalidCramMD5Hash) }
        return .credentials(Credentials(method: .cramMD5, login: login, password: Secret(digest), salt: salt))
    }

    private func bearer(_ text: [UInt8], _ mechanism: BearerMechanism) -> Progress {
        guard let message = BearerMessage(text, of: mechanism) else {
            return .failed(.invalidBearer(mechanism: mechanism.rawValue))
        }
        return .credentials(
            Credentials(method: mechanism.method, login: message.login, password: message.token))
    }
}

/// What a client submitted, whichever way.
struct Credentials: Sendable {
    let method: AuthenticationMethod
    let login: [UInt8]
    let password: Secret
    var salt: [UInt8]?

    /// Whether a login name can be passed on: control bytes would become commands, headers or log lines
    /// of their own further on (security-checklist B5, C1; CVE-2025-59028).
    static func admits(login: [UInt8]) -> Bool { !login.contains(where: \.isControl) }
}
