import Testing

/// Somebody who has mail here.
struct Account: Sendable {
    let name: String
    let password: String

    /// The address, in the domain that the tests' servers are responsible for.
    var address: String { "\(name)@\(Account.domain)" }

    static let domain = "example.test"
    static let ann = Account(name: "ann", password: "correct horse")
    static let bob = Account(name: "bob", password: "b%tt\"ry+st\\ple")
    static let all = [ann, bob]
}

/// The protocols of the gateway, as the tests name them.
enum Mail: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case imap, pop3, smtp

    var testDescription: String { rawValue.uppercased() }

    /// The line that a client gets when something behind the gateway failed (nginx-mail.md §5.3).
    var internalError: String {
        switch self {
        case .imap: "* BAD internal server error"
        case .pop3: "-ERR internal server error"
        case .smtp: "451 4.3.2 Internal server error"
        }
    }

    /// How the line begins by which a client is turned away because there are too many.
    var busyPrefix: String {
        switch self {
        case .imap: "* BYE "
        case .pop3: "-ERR "
        case .smtp: "421 "
        }
    }

    /// How the greeting begins.
    var greetingPrefix: String {
        switch self {
        case .imap: "* OK "
        case .pop3: "+OK "
        case .smtp: "220 "
        }
    }
}
