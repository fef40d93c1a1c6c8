import AsyncIO

/// Somebody who may log in at the back-ends in every user's name (`proxy_master_user`).
package struct MasterUser: Sendable {
    package var name: [UInt8]
    package var password: Secret

    package init(name: [UInt8], password: Secret) {
        self.name = name
        self.password = password
    }
}

/// What proves a login at a back-end.
enum BackEndProof: Sendable {
    /// The user's own password, by the protocol's own command.
    case password(Secret)
    /// Something that needs SASL, and so a back-end that offers it.
    case exchange(BackEndSASL)

    /// Nil when no password is known, or nothing can be sent that means what is meant.
    init?(_ credentials: BackEndCredentials, _ proxy: ProxySettings) {
        if let master = proxy.master {
            guard let exchange = BackEndSASL(master, for: credentials.login) else { return nil }
            self = .exchange(exchange)
        } else if let mechanism = credentials.bearer {
            guard let exchange = BackEndSASL(mechanism, credentials) else { return nil }
            self = .exchange(exchange)
        } else if let password = credentials.password {
            self = .password(password)
        } else {
            return nil
        }
    }
}

/// A SASL exchange at a back-end in which we speak first, and once.
///
/// ```
/// response ──▶ [challenge that says why not ─▶ acknowledgement] ──▶ the protocol's own reply
/// ```
struct BackEndSASL: Sendable {
    /// As back-ends offer it.
    let mechanism: String
    private var answers: [Secret]
    /// The response was said.
    private(set) var hasResponded = false

    /// PLAIN, with the user as the identity to act as (RFC 4616 §2). Without one the back-end would take the
    /// master for the user.
    init?(_ master: MasterUser, for user: [UInt8]) {
        guard !user.isEmpty, !user.contains(ASCII.nul) else { return nil }
        mechanism = SASLMechanism.plain.rawValue
        // There is nothing to be said to a challenge behind it but that we give up (RFC 4954 §4).
        answers = [
            BackEndSASL.plain(user: user, login: master.name, password: master.password), Secret([UInt8(ascii: "*")]),
        ]
    }

    /// The token of the client, by the mechanism that it used.
    init?(_ mechanism: BearerMechanism, _ credentials: BackEndCredentials) {
        guard let token = credentials.password, Credentials.admits(login: credentials.login),
            !credentials.login.isEmpty || mechanism == .oauthBearer
        else { return nil }
        self.mechanism = mechanism.rawValue
        let message = BearerMessage(login: credentials.login, token: token).bytes(of: mechanism)
        answers = [BackEndSASL.base64(message), Secret(mechanism.acknowledgement)]
    }

    /// Our next words: the response, then the answer to a challenge behind it; nil when nothing is left to say.
    mutating func next() -> Secret? {
        hasResponded = true
        return answers.isEmpty ? nil : answers.removeFirst()
    }

    /// The command that begins: with the response in it where `limit` bytes, CRLF included, allow.
    mutating func command(_ verb: [UInt8], limit: Int) -> [UInt8] {
        let start = verb + Array(" \(mechanism)".utf8)
        guard let response = answers.first, start.count + 1 + response.count + 2 <= limit else { return .line(start) }
        _ = next()
        return .line(start + [ASCII.space], response)
    }

    /// `[authzid] NUL authcid NUL passwd` in base64 (RFC 4616 §2).
    static func plain(user: [UInt8], login: [UInt8], password: Secret) -> Secret {
        var message: [UInt8] = []
        message.reserveCapacity(user.count + login.count + password.count + 2)
        message += user + [ASCII.nul] + login + [ASCII.nul]
        message.append(password)
        defer { wipe(&message) }
        return encoded(message)
    }

    private static func base64(_ message: Secret) -> Secret {
        var bytes = message.bytes
        defer { wipe(&bytes) }
        return encoded(bytes)
    }

    private static func encoded(_ bytes: [UInt8]) -> Secret {
        var text = Base64.encode(bytes)
        defer { wipe(&text) }
        return Secret(text)
    }
}
