import AsyncIO

/// The columns of an answer, by their names in any case.
package enum MySQLColumn: String, Sendable, Hashable, CaseIterable {
    /// As `StoredPassword`; NULL locks the account.
    case password
    /// The back-end: an address, a host name, a group, or `unix:/path`; NULL or empty for `proxy_pass`.
    case host
    case port
    /// The login name at the back-end instead of the client's.
    case user
    /// The password for the back-end instead of the client's.
    case backEndPassword = "backend_password"
    /// As `proxy_ssl`.
    case proxySSL = "proxy_ssl"
    /// Refuses the login, right or wrong, until it is NULL again; those who know the password read it.
    case reason
    /// With `reason`: seconds after which the client may try again.
    case wait

    /// The longest value, in bytes: crypt(3) takes 512 for hashes and passwords.
    package static let lengthMaximum = 1024
}

/// What a database knows of one account.
struct MySQLAccount: Sendable {
    /// Nil locks it.
    var password: StoredPassword?
    var backEnd = BackEndChoice.configured
    var login: [UInt8]?
    var backEndPassword: Secret?
    var security: BackEndSecurity?
    var refusal: MySQLRefusal?

    /// Reads the values of a row; those that are NULL are not among them.
    init(_ values: [MySQLColumn: [UInt8]]) throws(MySQLAnswerFault) {
        if let text = values[.password] {
            do throws(StoredPassword.Fault) {
                password = try StoredPassword(text[...])
            } catch {
                throw .invalid(.password)
            }
        }
        let text = MySQLAccount.texts(values)
        backEnd = try MySQLAccount.backEnd(text(.host), port: text(.port))
        login = values[.user].flatMap { $0.isEmpty ? nil : $0 }
        backEndPassword = values[.backEndPassword].flatMap { $0.isEmpty ? nil : Secret($0) }
        if let word = text(.proxySSL) {
            guard let named = MySQLAccount.security(word) else { throw .invalid(.proxySSL) }
            security = named
        }
        if let reason = text(.reason) {
            refusal = MySQLRefusal(text: reason.utf8.prefix(MySQLRefusal.textMaximum).withoutControls)
            if let wait = text(.wait) {
                guard let seconds = Int(wait), seconds >= 0 else { throw .invalid(.wait) }
                refusal?.wait = .seconds(min(seconds, MySQLRefusal.waitMaximum))
            }
        }
    }

    /// The values as texts; empty ones are as good as none.
    private static func texts(_ values: [MySQLColumn: [UInt8]]) -> (MySQLColumn) -> String? {
        { column in
            guard let value = values[column], !value.isEmpty else { return nil }
            return String(decoding: value, as: UTF8.self)
        }
    }

    private static func backEnd(_ host: String?, port: String?) throws(MySQLAnswerFault) -> BackEndChoice {
        var number: UInt16?
        if let port {
            guard let parsed = UInt16(port), parsed > 0 else { throw .invalid(.port) }
            number = parsed
        }
        guard let host else {
            guard number == nil else { throw .portWithoutHost }
            return .configured
        }
        if host.hasPrefix("unix:") {
            guard let address = SocketAddress(host) else { throw .invalid(.host) }
            return .address(address)
        }
        let literal = SocketAddress(literal: host, port: number ?? 0)
        if let literal, number != nil { return .address(literal) }
        let isName =
            host.utf8.count <= 255 && host.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }
        guard literal != nil || isName else { throw .invalid(.host) }
        return .name(host, port: number)
    }

    private static func security(_ word: String) -> BackEndSecurity? {
        switch word.lowercased() {
        case "0": .off
        case "1": .on
        case let word: BackEndSecurity(rawValue: word)
        }
    }
}

/// A refusal that the database words itself.
package struct MySQLRefusal: Sendable, Equatable {
    /// Free of control bytes.
    package var text: [UInt8]
    /// Nil ends the session.
    package var wait: Duration?

    /// The longest text, in bytes.
    static let textMaximum = 500
    /// The longest wait, in seconds.
    static let waitMaximum = 3600
}
