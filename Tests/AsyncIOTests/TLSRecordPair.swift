import COpenSSL
import Testing

@testable import AsyncIO

extension TLSRecords {
    /// Both ends of a connection, which have protected `count` records each.
    static func pair(_ suite: TLSSuite, count: UInt64 = 0) -> (near: TLSRecords, far: TLSRecords) {
        let secrets = (Hashing.random(suite.secretLength), Hashing.random(suite.secretLength))
        return (
            TLSRecords(receiving: .of(secrets.0, suite, count), sending: .of(secrets.1, suite, count), isServer: true),
            TLSRecords(receiving: .of(secrets.1, suite, count), sending: .of(secrets.0, suite, count), isServer: false)
        )
    }

    /// One end, and a peer that says whatever it is told to.
    static func forged(isServer: Bool = true) -> (near: TLSRecords, peer: Forger) {
        let secret = Hashing.random(32)
        return (
            TLSRecords(receiving: .of(secret), sending: .of(Hashing.random(32)), isServer: isServer),
            Forger(.of(secret))
        )
    }

    /// What comes out of `ciphertext`, and whether the peer's stream ends there.
    func hear(_ ciphertext: [UInt8]) throws(TLSRecordError) -> (text: [UInt8], isEnd: Bool) {
        var text: [UInt8] = []
        let isEnd = try hear(ciphertext, adding: &text)
        return (text, isEnd)
    }

    /// The same, with what came out added to `text` also where the rest is refused.
    func hear(_ ciphertext: [UInt8], adding text: inout [UInt8]) throws(TLSRecordError) -> Bool {
        var plaintext = OwnedBytes()
        defer { text += plaintext.bytes }
        return try unsafe ciphertext.span.bytes.withUnsafeBytes { (bytes) throws(TLSRecordError) in
            try unsafe receive(bytes, plaintext: &plaintext)
        }
    }

    /// `text` as it goes over the wire.
    func say(_ text: [UInt8]) -> [UInt8] {
        var wire = OwnedBytes()
        let isSaid = unsafe text.withUnsafeBytes { unsafe send($0, wire: &wire) }
        #expect(isSaid)
        return wire.bytes
    }

    func farewell() -> [UInt8] {
        var wire = OwnedBytes()
        close(wire: &wire)
        return wire.bytes
    }
}

extension TLSTrafficKeys {
    static func of(_ secret: Secret, _ suite: TLSSuite = .aes128GCM, _ count: UInt64 = 0) -> TLSTrafficKeys {
        guard let keys = TLSTrafficKeys(suite, secret: secret, count: count) else { preconditionFailure("no keys") }
        return keys
    }
}

/// A peer whose records are genuine and carry anything: text, type and padding as they come.
final class Forger {
    private var keys: TLSTrafficKeys

    init(_ keys: consuming TLSTrafficKeys) { self.keys = keys }

    func record(_ inner: [UInt8]) -> [UInt8] {
        let length = inner.count + 16
        let header = [23, 3, 3, UInt8(length >> 8), UInt8(length & 0xff)]
        var body = [UInt8](repeating: 0, count: length)
        let context = unsafe EVP_CIPHER_CTX_new()
        defer { unsafe EVP_CIPHER_CTX_free(context) }
        var written: Int32 = 0
        let nonce = keys.nonce
        let isSealed = unsafe withUnsafeBytes(of: keys.key) { key in
            unsafe withUnsafeBytes(of: nonce) { nonce in
                unsafe EVP_EncryptInit_ex(context, EVP_aes_128_gcm(), nil, key.baseAddress, nonce.baseAddress) == 1
            }
        }
        unsafe EVP_EncryptUpdate(context, nil, &written, header, 5)
        unsafe EVP_EncryptUpdate(context, &body, &written, inner, Int32(inner.count))
        unsafe body.withUnsafeMutableBufferPointer { body in
            let tag = unsafe body.baseAddress.map { unsafe $0 + inner.count }
            unsafe EVP_EncryptFinal_ex(context, tag, &written)
            unsafe EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, tag)
        }
        #expect(isSealed)
        keys.count += 1
        return header + body
    }

    /// Goes on with new keys, as a peer does behind its announcement.
    func update() {
        let isDone = keys.update()
        #expect(isDone)
    }
}

extension InlineArray<32, UInt8> {
    func prefix(_ count: Int) -> [UInt8] { (0..<count).map { self[$0] } }
}

/// The bytes of a text in hexadecimals.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count - 1, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
