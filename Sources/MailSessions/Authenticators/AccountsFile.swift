import AsyncIO

/// The accounts of an `auth_file`, kept in memory.
///
/// ```
/// # name:{PLAIN}password or name:{CRYPT}hash; a bare hash begins with `$`
/// ann:{PLAIN}correct horse
/// bob:{CRYPT}$y$j9T$…
/// eve:backend=mail2.example:143:$6$…
/// ```
/// A back-end stands in front of the password, which may hold colons, so that no password can be one.
/// CRAM-MD5 and APOP need the password itself, so only `{PLAIN}` accounts can use them. Whoever is
/// unknown costs as much to refuse as whoever mistyped (security-checklist G2).
package struct AccountsFile: Sendable {
    private var accounts: [[UInt8]: Account] = [:]
    /// What unknown names and `{PLAIN}` accounts with a wrong password are checked against where
    /// the file has hashes; their first decides what a check costs.
    private var decoyHash: CryptHash?

    private struct Account: Sendable {
        var password: StoredPassword
        var backEnd = BackEndChoice.configured
    }

    /// The largest file, in bytes; it is read whole.
    package static let fileMaximum = 16 * 1024 * 1024
    /// The most accounts.
    package static let accountsMaximum = 100_000
    /// The longest line, in bytes without its end; crypt(3) takes 512 for hash and password each.
    package static let lineMaximum = 1024

    /// Whether a login is right.
    package enum Decision: Sendable {
        /// It is; `password` is what the back-end can be shown.
        case accepted(password: Secret)
        case refused
        /// It is if `verify(_:)` of the attempt's password says so; then that is the back-end's password.
        case needsHash(CryptHash)
    }

    /// An empty file, which refuses everybody.
    package init() {}

    /// Reads the text of an accounts file; the caller wipes its own copy.
    package init(parsing text: [UInt8]) throws(AccountsFileError) {
        guard text.count <= AccountsFile.fileMaximum else { throw AccountsFileError(line: 1, reason: .fileTooLarge) }
        var number = 0
        var rest = text[...]
        while !rest.isEmpty {
            number += 1
            let line = rest.prefix { $0 != ASCII.lf }
            rest = rest[line.endIndex...].dropFirst()
            do throws(AccountsFileError.Reason) {
                try take(line.last == ASCII.cr ? line.dropLast() : line)
            } catch {
                throw AccountsFileError(line: number, reason: error)
            }
        }
    }

    /// How many accounts there are.
    package var count: Int { accounts.count }

    /// Whether there is an account of this name.
    package func knows(_ login: [UInt8]) -> Bool { accounts[login] != nil }

    /// Where an account's mail is.
    package func backEnd(of login: [UInt8]) -> BackEndChoice { accounts[login]?.backEnd ?? .configured }

    /// Whether each account names its back-end, so that no other has to be configured.
    package var allNameBackEnds: Bool { accounts.values.allSatisfy { $0.backEnd != .configured } && !accounts.isEmpty }

    /// Decides a login, or says which hash has to be checked off the ring.
    package func check(_ attempt: LoginAttempt) -> Decision {
        let account = accounts[attempt.login]?.password
        switch attempt.method {
        case .plain: return checkPlain(account, attempt.password)
        case .cramMD5, .apop:
            return StoredPassword.provenDigest(by: attempt, against: account).map { .accepted(password: $0) }
                ?? .refused
        // The file knows neither certificates nor tokens nor senders without a name.
        case .external, .xoauth2, .oauthBearer, .none: return .refused
        }
    }

    private func checkPlain(_ account: StoredPassword?, _ password: Secret) -> Decision {
        var given = password.bytes
        defer { wipe(&given) }
        switch account {
        case .hashed(let hash): return .needsHash(hash)
        case .plain(let secret) where secret.equals(given): return .accepted(password: secret)
        case .plain, nil:
            if let decoyHash { return .needsHash(decoyHash) }
            if account == nil { _ = StoredPassword.nobodys.equals(given) }
            return .refused
        }
    }

    private mutating func take(_ line: ArraySlice<UInt8>) throws(AccountsFileError.Reason) {
        guard !line.isEmpty, line.first != UInt8(ascii: "#") else { return }
        guard line.count <= AccountsFile.lineMaximum else { throw .lineTooLong }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { throw .noColon }
        let name = line[..<colon]
        guard !name.isEmpty, !name.contains(where: \.isControl) else { throw .invalidName }
        guard accounts[Array(name)] == nil else { throw .duplicate }
        guard accounts.count < AccountsFile.accountsMaximum else { throw .tooManyAccounts }
        accounts[Array(name)] = try account(line[(colon + 1)...])
    }

    private mutating func account(_ text: ArraySlice<UInt8>) throws(AccountsFileError.Reason) -> Account {
        guard let end = AccountsFile.endOfBackEnd(in: text) else { return Account(password: try password(text)) }
        let value = text[..<end].dropFirst(AccountsFile.backEndField.utf8.count)
        guard let backEnd = BackEndChoice(String(decoding: value, as: UTF8.self)) else { throw .invalidBackEnd }
        return Account(password: try password(text[(end + 1)...]), backEnd: backEnd)
    }

    private static let backEndField = "backend="

    /// The colon behind the back-end in what follows an account's name; nil where there is no back-end. A password
    /// begins with its scheme, or with the dollar of a hash.
    package static func endOfBackEnd(in text: ArraySlice<UInt8>) -> Int? {
        guard text.starts(with: backEndField.utf8) else { return nil }
        return text.indices.first { index in
            let next = text[index...].dropFirst().first
            return text[index] == UInt8(ascii: ":") && (next == ASCII.openBrace || next == UInt8(ascii: "$"))
        }
    }

    private mutating func password(_ text: ArraySlice<UInt8>) throws(AccountsFileError.Reason) -> StoredPassword {
        let password: StoredPassword
        do throws(StoredPassword.Fault) {
            password = try StoredPassword(text)
        } catch {
            switch error {
            case .scheme: throw .unknownScheme
            case .password: throw .invalidPassword
            case .hash: throw .invalidHash
            }
        }
        if case .hashed(let hash) = password, decoyHash == nil { decoyHash = hash.decoy }
        return password
    }
}

/// Why an accounts file is not accepted. It never quotes the line, which may hold a password.
package struct AccountsFileError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Counted from 1.
    package var line: Int
    package var reason: Reason

    /// What was found, or what was expected instead.
    package enum Reason: String, Error, Sendable {
        case fileTooLarge = "the file is larger than 16 MiB"
        case lineTooLong = "the line is longer than 1024 bytes"
        case tooManyAccounts = "there are more than 100000 accounts"
        case noColon =
            "expected \"name:{PLAIN}password\", \"name:{CRYPT}hash\", \"name:$hash\", a comment (#) or an empty line"
        case invalidName = "expected a name without control characters in front of \":\""
        case duplicate = "this name is already there; expected each name once"
        case invalidPassword = "expected a password without NUL behind \"{PLAIN}\""
        case unknownScheme = "expected \"{PLAIN}password\", \"{CRYPT}hash\" or a hash beginning with \"$\" behind \":\""
        case invalidBackEnd = "expected a host, host:port, address:port or the name of a group behind \"backend=\""
        case invalidHash = "expected a crypt(3) hash such as \"$y$…\" or \"$6$…\""
    }

    package var description: String { "\(reason.rawValue) in line \(line)" }
}
