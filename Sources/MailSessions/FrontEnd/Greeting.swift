/// What a client is greeted with. It needs no front-end, so one is made for clients that answer.
package struct Greeting: Sendable {
    /// CRLF included.
    let line: [UInt8]
    /// Of POP3, for APOP; nil where nothing needs it.
    let salt: [UInt8]?

    /// - Parameters:
    ///   - name: the server's (`server_name`).
    ///   - mechanisms: with which of them a client may log in.
    init(of mailProtocol: MailProtocol, name: String, mechanisms: MechanismSet, salts: inout SaltFactory) {
        switch mailProtocol {
        case .imap:
            line = .line("* OK IMAP4 ready")
            salt = nil
        case .pop3:
            salt = mechanisms.isDisjoint(with: [.apop, .cramMD5]) ? nil : salts.next()
            line = .line(Array("+OK POP3 ready".utf8) + (salt.map { [ASCII.space] + $0 } ?? []))
        case .smtp:
            line = .line("220 " + name + " ESMTP ready")
            salt = nil
        }
    }
}
