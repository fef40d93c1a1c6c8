import COpenSSL

/// OpenSSL's cipher for the records of one suite and direction, shared by all connections of a thread.
///
/// A cipher that is set up takes 1.2 KB, and a connection would have two. Setting it up anew where another
/// connection's turn comes costs 0.2 to 0.3 µs, which is less than what OpenSSL does around its own.
// Safety: reached through `TLSScratch`, so by one thread only; `context` is made in `init` and freed in `deinit`.
@safe
final class TLSRecordCipher {
    /// What a record has in front of what is protected.
    static let headerLength = 5
    /// What is added to what is protected: a byte that tells its type, and the tag.
    static let overhead = 1 + tagLength
    private static let tagLength = 16

    private let context: OpaquePointer
    private let seals: Bool
    /// What the context is set up for.
    private var key = InlineArray<32, UInt8>(repeating: 0)
    private var isSetUp = false

    /// nil where OpenSSL lacks the cipher.
    init?(_ suite: TLSSuite, seals: Bool) {
        guard let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
        unsafe self.context = context
        self.seals = seals
        let cipher = unsafe EVP_CIPHER_fetch(nil, suite.cipher, nil)
        // The context keeps a reference of its own.
        defer { unsafe EVP_CIPHER_free(cipher) }
        guard unsafe EVP_CipherInit_ex(context, cipher, nil, nil, nil, seals ? 1 : 0) == 1 else { return nil }
    }

    deinit {
        unsafe EVP_CIPHER_CTX_free(context)
        wipe(bytesOf: &key)
    }

    /// Writes `plaintext` as a record (RFC 8446 §5.2) to `target`, which has room for it: 22 bytes more.
    ///
    /// False where OpenSSL fails; then what was written means nothing.
    func seal(
        _ plaintext: UnsafeRawBufferPointer, as type: TLSContentType, _ keys: inout TLSTrafficKeys,
        to target: UnsafeMutableRawPointer
    ) -> Bool {
        let length = plaintext.count + TLSRecordCipher.overhead
        let header = unsafe target.assumingMemoryBound(to: UInt8.self)
        unsafe header[0] = TLSContentType.applicationData.rawValue
        // Every record says that it is of TLS 1.2 (RFC 8446 §5.2).
        unsafe header[1] = 3
        unsafe header[2] = 3
        unsafe header[3] = UInt8(length >> 8)
        unsafe header[4] = UInt8(length & 0xff)
        guard unsafe begin(header, keys) else { return false }
        let source = unsafe plaintext.baseAddress?.assumingMemoryBound(to: UInt8.self)
        let body = unsafe header + TLSRecordCipher.headerLength
        let tag = unsafe body + plaintext.count + 1
        var (written, type) = (Int32(0), type.rawValue)
        keys.count += 1
        return
            unsafe (plaintext.isEmpty
            || EVP_EncryptUpdate(context, body, &written, source, Int32(plaintext.count)) == 1)
            && EVP_EncryptUpdate(context, body + plaintext.count, &written, &type, 1) == 1
            && EVP_EncryptFinal_ex(context, tag, &written) == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(TLSRecordCipher.tagLength), tag) == 1
    }

    /// Writes what is in `record`, header included, to `target`, which has room for 21 bytes less: what was said, its
    /// type and perhaps padding. Returns how many bytes these are; nil where the record is not the peer's, and then what
    /// was written means nothing.
    func open(
        _ record: UnsafeRawBufferPointer, _ keys: inout TLSTrafficKeys, to target: UnsafeMutableRawPointer
    ) -> Int? {
        let length = record.count - TLSRecordCipher.headerLength - TLSRecordCipher.tagLength
        guard length > 0, let header = unsafe record.baseAddress?.assumingMemoryBound(to: UInt8.self),
            unsafe begin(header, keys)
        else { return nil }
        let body = unsafe header + TLSRecordCipher.headerLength
        let target = unsafe target.assumingMemoryBound(to: UInt8.self)
        let tag = unsafe UnsafeMutableRawPointer(mutating: body + length)
        var written: Int32 = 0
        keys.count += 1
        let isGenuine =
            unsafe EVP_DecryptUpdate(context, target, &written, body, Int32(length)) == 1
            && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(TLSRecordCipher.tagLength), tag) == 1
            && EVP_DecryptFinal_ex(context, target + length, &written) == 1
        return isGenuine ? length : nil
    }

    /// Sets the context up for the next record of `keys`, and shows it the header, which is protected as well.
    private func begin(_ header: UnsafePointer<UInt8>, _ keys: borrowing TLSTrafficKeys) -> Bool {
        let nonce = keys.nonce
        // Safety: all three are arrays of bytes, at least as long as what is read of them.
        return unsafe withUnsafeBytes(of: keys.key) { new in
            let isNew =
                unsafe !isSetUp
                || withUnsafeBytes(of: key) { unsafe CRYPTO_memcmp($0.baseAddress, new.baseAddress, new.count) != 0 }
            isSetUp = unsafe withUnsafeBytes(of: nonce) {
                unsafe EVP_CipherInit_ex(
                    context, nil, nil, isNew ? new.baseAddress : nil, $0.baseAddress, seals ? 1 : 0) == 1
            }
            if isNew { key = keys.key }
            var written: Int32 = 0
            return unsafe isSetUp
                && EVP_CipherUpdate(context, nil, &written, header, Int32(TLSRecordCipher.headerLength)) == 1
        }
    }
}
