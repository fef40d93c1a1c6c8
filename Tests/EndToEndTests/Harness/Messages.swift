import Foundation

/// Messages for the tests to send, deliver and find again.
enum Messages {
    /// A small message with CRLF line ends.
    static func small(subject: String, to account: Account = .ann) -> String {
        """
        From: Sender <sender@example.test>\r
        To: <\(account.address)>\r
        Subject: \(subject)\r
        \r
        Hello \(account.name),\r
        .this line begins with a dot.\r
        Goodbye\r

        """
    }

    /// A message of about `bytes` bytes, every line of it different.
    static func large(subject: String, bytes: Int) -> String {
        var text = small(subject: subject)
        text.reserveCapacity(bytes + 100)
        var line = 0
        while text.utf8.count < bytes {
            line += 1
            text += "\(line): \(line &* 2_654_435_761) the quick brown fox jumps over the lazy dog\r\n"
        }
        return text
    }
}

/// What the Python clients print.
struct ClientReport: Decodable {
    var folders: [String] = []
    var messages: [Message] = []

    struct Message: Decodable, Equatable {
        let subject: String
        /// SHA-256 of the whole message, and of what follows its header.
        let whole: String
        let body: String
    }

    /// Reads the output of a client that succeeded.
    init(_ result: CommandResult) throws {
        guard result.succeeded else { throw EndedEarly(name: "client", output: "\(result)") }
        self = try JSONDecoder().decode(ClientReport.self, from: Data(result.output.utf8))
    }
}

extension Site {
    /// Puts a small message into ann's INBOX.
    func deliver(subject: String) throws {
        try Dovecot.deliver(Messages.small(subject: subject), named: "1.\(subject).test", to: .ann, on: stage)
    }

    /// What ann finds in her INBOX through the gateway.
    func mailbox(_ mail: Mail, of account: Account = .ann) throws -> [ClientReport.Message] {
        let endpoint = try gateway.endpoint(mail)
        let arguments = [endpoint.host, "\(endpoint.port)", account.name, account.password]
        return switch mail {
        case .imap: try ClientReport(stage.runScript("imap_client.py", arguments + ["fetch"])).messages
        default: try ClientReport(stage.runScript("pop3_client.py", arguments)).messages
        }
    }

    /// Waits until Postfix has delivered as many messages as `count` into ann's INBOX.
    func waitForDelivery(of count: Int = 1) throws {
        try waitUntil("\(count) delivered messages", within: .seconds(20)) {
            stage.directory.files(startingWith: "mail/ann/Maildir/new/").count >= count
        }
    }
}
