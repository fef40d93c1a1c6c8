import AsyncIO
import COpenSSL

/// The two digests that mail still answers challenges with, as upper-case hexadecimal text.
enum MessageDigest {
    /// MD5 of salt and password (APOP, RFC 1939 §7); nil where OpenSSL refuses MD5, as under FIPS.
    static func apop(salt: [UInt8], password: Secret) -> [UInt8]? {
        var message = salt + password.bytes
        defer { wipe(&message) }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        guard unsafe EVP_Digest(message, message.count, &digest, &length, EVP_md5(), nil) == 1 else { return nil }
        return text(digest.prefix(Int(length)))
    }

    /// HMAC-MD5 of the challenge, keyed with the password (CRAM-MD5, RFC 2195); nil as above.
    static func cramMD5(challenge: [UInt8], password: Secret) -> [UInt8]? {
        var key = password.bytes
        defer { wipe(&key) }
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var length: UInt32 = 0
        let result = unsafe HMAC(
            EVP_md5(), key, Int32(key.count), challenge, challenge.count, &digest, &length)
        guard unsafe result != nil else { return nil }
        return text(digest.prefix(Int(length)))
    }

    private static func text(_ digest: some Sequence<UInt8>) -> [UInt8] {
        digest.reduce(into: []) { $0.appendHexadecimal($1) }
    }
}
