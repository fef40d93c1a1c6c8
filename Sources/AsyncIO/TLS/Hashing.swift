import COpenSSL

/// Digests that TLS needs of its own.
enum Hashing {
    /// SHA-256 of `bytes`.
    static func sha256(_ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let isDone = unsafe EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil) == 1
        precondition(isDone, "OpenSSL has SHA-256")
        return digest
    }

    /// HMAC-SHA-256 of a label under `key`.
    static func hmac(_ key: Secret, _ label: String) -> Secret {
        var digest = hmac(key, Array(label.utf8))
        defer { wipe(&digest) }
        return Secret(digest)
    }

    /// HMAC-SHA-256 of `bytes` under `key`.
    static func hmac(_ key: Secret, _ bytes: [UInt8]) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        let isDone = unsafe key.withBytes {
            unsafe HMAC(EVP_sha256(), $0.baseAddress, Int32($0.count), bytes, bytes.count, &digest, nil) != nil
        }
        precondition(isDone, "OpenSSL has HMAC")
        return digest
    }

    /// Random bytes fit for keys.
    static func random(_ count: Int) -> Secret {
        var bytes = [UInt8](repeating: 0, count: count)
        defer { wipe(&bytes) }
        let isDone = unsafe RAND_bytes(&bytes, Int32(count)) == 1
        precondition(isDone, "the system has randomness")
        return Secret(bytes)
    }
}
