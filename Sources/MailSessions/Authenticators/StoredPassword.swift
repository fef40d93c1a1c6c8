import AsyncIO

/// A password as accounts keep it: `{PLAIN}password`, `{CRYPT}hash`, or a bare crypt(3) hash, which begins with `$`.
package enum StoredPassword: Sendable {
    case plain(Secret)
    case hashed(CryptHash)

    /// What a text is not.
    package enum Fault: Error, Sendable {
        /// It begins as none of the three.
        case scheme
        /// Empty, or with a NUL.
        case password
        /// crypt(3) could check no password against it.
        case hash
    }

    /// Reads one of the three forms.
    package init(_ text: ArraySlice<UInt8>) throws(Fault) {
        let plain = "{PLAIN}".utf8
        let crypt = "{CRYPT}".utf8
        if text.starts(with: plain) {
            let password = text.dropFirst(plain.count)
            guard !password.isEmpty, !password.contains(ASCII.nul) else { throw .password }
            self = .plain(Secret(password))
        } else {
            guard text.starts(with: crypt) || text.first == UInt8(ascii: "$") else { throw .scheme }
            guard let hash = CryptHash(text.starts(with: crypt) ? text.dropFirst(crypt.count) : text) else {
                throw .hash
            }
            self = .hashed(hash)
        }
    }

    /// The password that `attempt` proves, for the back-end; nil where it is wrong, or `stored` is nil because nobody
    /// has the name or the account is locked.
    ///
    /// It blocks for as long as a hash takes. What is wrong takes as long, whatever is wrong with it
    /// (security-checklist G2): where there is no hash to check, `decoy` is checked. CRAM-MD5 and APOP need the
    /// password itself.
    package static func proven(
        by attempt: LoginAttempt, against stored: StoredPassword?, decoy: CryptHash
    ) -> Secret? {
        switch attempt.method {
        case .plain: provenPlain(attempt.password, stored, decoy)
        default: provenDigest(by: attempt, against: stored)
        }
    }

    /// The same for a digest, which costs nothing worth a thread; nil for methods that show none. A digest is made
    /// in each case.
    static func provenDigest(by attempt: LoginAttempt, against stored: StoredPassword?) -> Secret? {
        let digest: ([UInt8], Secret) -> [UInt8]?
        switch attempt.method {
        case .cramMD5: digest = MessageDigest.cramMD5(challenge:password:)
        case .apop: digest = MessageDigest.apop(salt:password:)
        default: return nil
        }
        let known: Secret? = if case .plain(let secret) = stored { secret } else { nil }
        // A salt is there for both methods; without one nothing can be right.
        let expected = digest(attempt.salt ?? [], known ?? nobodys)
        let given = attempt.password.bytes.map { $0.isLetter ? $0 & 0xDF : $0 }
        guard let expected, Secret(expected).equals(given), attempt.salt != nil else { return nil }
        return known
    }

    /// What is compared with where there is no password.
    static let nobodys = Secret(Array("no account has this password".utf8))

    private static func provenPlain(_ password: Secret, _ stored: StoredPassword?, _ decoy: CryptHash) -> Secret? {
        switch stored {
        case .hashed(let hash): return hash.verify(password) ? password : nil
        case .plain(let secret) where secret == password: return password
        case .plain, nil:
            _ = decoy.decoy.verify(password)
            return nil
        }
    }
}

extension CryptHash {
    /// What is checked before anybody's hash is known: yescrypt as Debian makes it, else SHA-512.
    package static let usual: CryptHash = {
        let yescrypt = "$y$j9T$5vMOCeI8LHjlnR6LLVqfm.$GoyfXY9tNmXz9k9ILqw7mS9S5e1gqGcxjBDrdF3FCR5"
        let sha512 = "$6$mailgateway$"
        for text in [yescrypt, sha512] {
            if let hash = CryptHash(Array(text.utf8)[...]) { return hash.decoy }
        }
        preconditionFailure("crypt(3) knows SHA-512")
    }()
}
