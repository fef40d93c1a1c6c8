import AsyncIO
import CCrypt
import Glibc

/// A password hash in crypt(3) form (`$y$…`, `$6$…`), checked through libxcrypt.
package struct CryptHash: Sendable {
    private let hash: Secret
    private let isDecoy: Bool

    /// Nil for what crypt(3) could not check a password against.
    init?(_ hash: ArraySlice<UInt8>) {
        guard hash.first == UInt8(ascii: "$"), !hash.contains(ASCII.nul) else { return nil }
        let acceptable = unsafe CryptHash.withCString(hash) { setting in
            let judgement = unsafe crypt_checksalt(setting)
            return judgement == CRYPT_SALT_OK || judgement == CRYPT_SALT_METHOD_LEGACY
        }
        guard acceptable else { return nil }
        self.init(hash: Secret(hash), isDecoy: false)
    }

    private init(hash: Secret, isDecoy: Bool) {
        self.hash = hash
        self.isDecoy = isDecoy
    }

    /// Costs as much to check as this one, and no password fits (security-checklist G2).
    var decoy: CryptHash { CryptHash(hash: hash, isDecoy: true) }

    /// Whether `password` fits. Slow by design, tens of milliseconds and more: call it off the ring.
    /// A password with a NUL fits never, for crypt(3) would check what is in front of it only.
    package func verify(_ password: Secret) -> Bool {
        guard !password.contains(where: { $0 == ASCII.nul }) else { return false }
        var phrase = password.bytes
        var setting = hash.bytes
        defer {
            wipe(&phrase)
            wipe(&setting)
        }
        var work = [UInt8](repeating: 0, count: Int(crypt_work_size()))
        defer { wipe(&work) }
        let fits = unsafe CryptHash.withCString(phrase[...]) { phrase in
            unsafe CryptHash.withCString(setting[...]) { setting in
                guard let result = unsafe crypt_rn(phrase, setting, &work, crypt_work_size()) else { return false }
                var computed = unsafe UnsafeBufferPointer(start: result, count: strlen(result)).map(
                    UInt8.init(bitPattern:))
                defer { wipe(&computed) }
                return hash.equals(computed)
            }
        }
        return fits && !isDecoy
    }

    /// Ways to make a hash, as `mailgateway passwd` names them.
    package enum Method: String, Sendable, CaseIterable {
        case yescrypt
        case bcrypt
        case sha512 = "sha512-crypt"

        fileprivate var prefix: String {
            switch self {
            case .yescrypt: "$y$"
            case .bcrypt: "$2b$"
            case .sha512: "$6$"
            }
        }

        /// The longest password, in bytes: bcrypt would not look at what is behind.
        package var passwordMaximum: Int { self == .bcrypt ? 72 : Int(CRYPT_MAX_PASSPHRASE_SIZE) - 1 }
    }

    /// The text of a hash of `password`, with a fresh salt and the cost that libxcrypt thinks right; nil where the method
    /// cannot take the password or the system has no random numbers.
    package static func text(of password: Secret, by method: Method) -> [UInt8]? {
        guard !password.isEmpty, password.count <= method.passwordMaximum,
            !password.contains(where: { $0 == ASCII.nul })
        else { return nil }
        // Null and zero: the salt comes from the system's generator.
        guard let setting = unsafe crypt_gensalt_ra(method.prefix, 0, nil, 0) else { return nil }
        defer { unsafe free(setting) }
        var phrase = password.bytes
        defer { wipe(&phrase) }
        var work = [UInt8](repeating: 0, count: Int(crypt_work_size()))
        defer { wipe(&work) }
        return unsafe withCString(phrase[...]) { phrase in
            guard let hash = unsafe crypt_rn(phrase, setting, &work, crypt_work_size()) else { return nil }
            return unsafe UnsafeBufferPointer(start: hash, count: strlen(hash)).map(UInt8.init(bitPattern:))
        }
    }

    /// The bytes with a NUL behind them, wiped afterwards.
    private static func withCString<Result>(
        _ bytes: ArraySlice<UInt8>, _ body: (UnsafePointer<CChar>) -> Result
    ) -> Result {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
            for (index, byte) in bytes.enumerated() { unsafe buffer[index] = CChar(bitPattern: byte) }
            unsafe buffer[bytes.count] = 0
            guard let base = buffer.baseAddress else { preconditionFailure("room for the NUL at least") }
            defer { unsafe explicit_bzero(base, buffer.count) }
            return unsafe body(base)
        }
    }
}
