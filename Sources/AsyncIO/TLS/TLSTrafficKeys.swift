import COpenSSL

/// A cipher suite of TLS 1.3, by its number (RFC 8446 §B.4): those that ours may agree on.
enum TLSSuite: UInt16, CaseIterable {
    case aes128GCM = 0x1301
    case aes256GCM = 0x1302
    case chaCha20Poly1305 = 0x1303

    /// Its place among `allCases`.
    var index: Int { Int(rawValue - TLSSuite.aes128GCM.rawValue) }

    /// OpenSSL's name of the cipher.
    var cipher: String {
        switch self {
        case .aes128GCM: "AES-128-GCM"
        case .aes256GCM: "AES-256-GCM"
        case .chaCha20Poly1305: "ChaCha20-Poly1305"
        }
    }

    /// OpenSSL's name of the digest that keys are derived with.
    var digest: String { self == .aes256GCM ? "SHA384" : "SHA256" }

    /// Lengths in bytes, the secret's being the digest's.
    var secretLength: Int { self == .aes256GCM ? 48 : 32 }
    var keyLength: Int { self == .aes128GCM ? 16 : 32 }
}

/// The keys of one direction of a TLS 1.3 connection (RFC 8446 §7.3), and how many records they have protected.
///
/// In one piece and without a cipher that is set up, which would be 1.2 KB. There is no second copy, for no two records
/// may have the same number. Whoever owns them wipes them.
struct TLSTrafficKeys: ~Copyable {
    private var secret = InlineArray<48, UInt8>(repeating: 0)
    private(set) var key = InlineArray<32, UInt8>(repeating: 0)
    /// Records protected so far: the number of the next.
    var count: UInt64
    private var iv = InlineArray<12, UInt8>(repeating: 0)
    let suite: TLSSuite

    /// Keys of `secret`; nil where it has another length than the suite's, or OpenSSL cannot derive them.
    /// - Parameter count: records that were protected with them elsewhere.
    init?(_ suite: TLSSuite, secret: Secret, count: UInt64 = 0) {
        self.suite = suite
        self.count = count
        guard secret.count == suite.secretLength else { return nil }
        unsafe secret.withBytes { bytes in
            for index in 0..<bytes.count { unsafe self.secret[index] = bytes[index] }
        }
        guard derive() else { return nil }
    }

    /// The next generation of keys (RFC 8446 §7.2); false where OpenSSL fails.
    mutating func update() -> Bool {
        count = 0
        var next = InlineArray<48, UInt8>(repeating: 0)
        defer { AsyncIO.wipe(bytesOf: &next) }
        guard TLSTrafficKeys.expand(secret, suite, "tls13 traffic upd", suite.secretLength, into: &next)
        else { return false }
        secret = next
        return derive()
    }

    /// Overwrites everything that is secret.
    mutating func wipe() {
        AsyncIO.wipe(bytesOf: &secret)
        AsyncIO.wipe(bytesOf: &key)
        AsyncIO.wipe(bytesOf: &iv)
    }

    /// What the cipher gets with the next record: the IV, with the record's number in its end (RFC 8446 §5.3).
    var nonce: InlineArray<12, UInt8> {
        var nonce = iv
        for index in 0..<8 { nonce[11 - index] ^= UInt8(truncatingIfNeeded: count >> (8 * UInt64(index))) }
        return nonce
    }

    private mutating func derive() -> Bool {
        TLSTrafficKeys.expand(secret, suite, "tls13 key", suite.keyLength, into: &key)
            && TLSTrafficKeys.expand(secret, suite, "tls13 iv", iv.count, into: &iv)
    }

    /// HKDF-Expand-Label of `secret`, into an array in place of `length` bytes or more.
    private static func expand(
        _ secret: borrowing InlineArray<48, UInt8>, _ suite: TLSSuite, _ label: StaticString, _ length: Int,
        into target: inout some BitwiseCopyable
    ) -> Bool {
        guard let derivation = TLSScratch.current.derivation(suite) else { return false }
        // Safety: the secrets of a suite, and what is made of them, are no longer than these arrays.
        return unsafe withUnsafeBytes(of: secret) { secret in
            unsafe withUnsafeMutableBytes(of: &target) { target in
                unsafe derivation.expand(
                    UnsafeRawBufferPointer(rebasing: secret[..<suite.secretLength]), label,
                    into: UnsafeMutableRawBufferPointer(rebasing: target[..<length]))
            }
        }
    }
}
