import AsyncIO
import MailSessions

/// An account in the making, and its line in an accounts file.
struct AccountsEntry: Sendable {
    /// How a password is kept.
    enum Scheme: String, Sendable, CaseIterable {
        case yescrypt, bcrypt
        case sha512 = "sha512-crypt"
        /// In clear, which CRAM-MD5 and APOP need.
        case plain

        /// The hash that it is; nil for none.
        var method: CryptHash.Method? { CryptHash.Method(rawValue: rawValue) }
    }

    let name: [UInt8]
    /// `backend=`; nil for the one that the account has already, if it has one.
    let backEnd: String?

    /// Checks what an accounts file could not hold.
    init(name: String, backEnd: String?) throws(PasswdFailure) {
        self.name = Array(name.utf8)
        self.backEnd = backEnd
        guard !name.isEmpty, !name.hasPrefix("#"), !name.utf8.contains(UInt8(ascii: ":")),
            !name.utf8.contains(where: \.isControl)
        else {
            throw PasswdFailure("the name must not be empty, begin with \"#\", or hold \":\" or control characters")
        }
        guard backEnd.map({ BackEndChoice($0) != nil }) ?? true else {
            throw PasswdFailure("the back-end must be a host, host:port, address:port or the name of a group")
        }
    }

    /// The line without its end; the caller wipes it. `former` is the line it replaces, whose back-end stays.
    func line(_ password: Secret, _ scheme: Scheme, replacing former: ArraySlice<UInt8>? = nil) throws(PasswdFailure)
        -> [UInt8]
    {
        var line = name + [UInt8(ascii: ":")]
        if let backEnd {
            line += Array("backend=\(backEnd):".utf8)
        } else if let former, let end = AccountsFile.endOfBackEnd(in: former.dropFirst(line.count)) {
            line += former[former.index(former.startIndex, offsetBy: line.count)...end]
        }
        if let method = scheme.method {
            guard password.count <= method.passwordMaximum else {
                throw PasswdFailure("\(scheme.rawValue) takes passwords of at most \(method.passwordMaximum) bytes")
            }
            guard let hash = CryptHash.text(of: password, by: method) else {
                throw PasswdFailure("crypt() cannot hash this password")
            }
            line += Array("{CRYPT}".utf8) + hash
        } else {
            var bytes = password.bytes
            defer { wipe(&bytes) }
            line += Array("{PLAIN}".utf8)
            // Once, to the size needed: an array that grows leaves its former storage behind.
            line.reserveCapacity(line.count + bytes.count)
            line += bytes
        }
        guard line.count <= AccountsFile.lineMaximum else {
            throw PasswdFailure("the line would be longer than \(AccountsFile.lineMaximum) bytes")
        }
        return line
    }
}
