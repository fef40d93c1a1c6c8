import Foundation
import Testing

extension RawClient {
    /// Logs in as `account` on a connection that was greeted, and returns the last line of the answer.
    func logIn(_ mail: Mail, as account: Account, password: String? = nil) throws -> String {
        let password = password ?? account.password
        switch mail {
        case .imap:
            say("a1 LOGIN \(account.name) {\(password.utf8.count)+}")
            return try ask(password)
        case .pop3:
            let answer = try ask("USER \(account.name)")
            try #require(answer == "+OK")
            return try ask("PASS \(password)")
        case .smtp:
            say("EHLO client.example.test")
            _ = try lines { $0.hasPrefix("250 ") }
            return try ask("AUTH PLAIN \(plainCredentials(account.name, password))")
        }
    }

    /// Whether the session is alive: a NOOP is answered.
    func isAnswered(_ mail: Mail) -> Bool {
        do {
            switch mail {
            case .imap:
                say("n1 NOOP")
                return try lines { $0.hasPrefix("n1 ") }.last?.hasPrefix("n1 OK") == true
            case .pop3: return try ask("NOOP").hasPrefix("+OK")
            case .smtp: return try ask("NOOP").hasPrefix("250")
            }
        } catch {
            // Silence or the end of the connection is the answer "no".
            return false
        }
    }
}

/// The lines that say a login worked, by how they begin; SMTP's is the gateway's own.
extension Mail {
    var loggedInPrefix: String {
        switch self {
        case .imap: "a1 OK"
        case .pop3: "+OK"
        case .smtp: "235 2.0.0 OK"
        }
    }

    /// What a client that has not logged in reads before the end.
    var farewellPrefix: String {
        switch self {
        case .imap: "* BYE "
        case .pop3: "-ERR "
        case .smtp: "421 "
        }
    }

    /// The answer to a wrong password, as the tests' auth service words it.
    var loginFailed: String {
        switch self {
        case .imap: "a1 NO Invalid login or password"
        case .pop3: "-ERR Invalid login or password"
        case .smtp: "535 5.7.0 Invalid login or password"
        }
    }
}

/// The initial response of SASL PLAIN (RFC 4616).
func plainCredentials(_ name: String, _ password: String) -> String {
    Data("\0\(name)\0\(password)".utf8).base64EncodedString()
}
