import COpenSSL

/// HKDF-Expand-Label (RFC 8446 §7.1) with one suite's digest, for all connections of a thread.
///
/// OpenSSL has a function for it (EVP_KDF-TLS13_KDF(7)), which looks digest and MAC up by name and makes both anew for
/// each key. With an HMAC that is kept the four keys of a connection cost 2 µs instead of 8.
// Safety: reached through `TLSScratch`, so by one thread only; `mac` is made in `init` and freed in `deinit`.
@safe
final class TLSKeyDerivation {
    private let mac: OpaquePointer

    /// nil where OpenSSL lacks the digest.
    init?(_ suite: TLSSuite) {
        let hmac = unsafe EVP_MAC_fetch(nil, "HMAC", nil)
        // The context keeps a reference of its own.
        defer { unsafe EVP_MAC_free(hmac) }
        guard let mac = unsafe EVP_MAC_CTX_new(hmac) else { return nil }
        unsafe self.mac = mac
        guard unsafe copenssl_mac_set_digest(mac, suite.digest) == 1 else { return nil }
    }

    deinit { unsafe EVP_MAC_CTX_free(mac) }

    /// Fills `target`, which is no longer than a digest, with what `label` ("tls13 " included) makes of `secret` and an
    /// empty context; false where OpenSSL fails. Nothing of the secret stays here.
    func expand(_ secret: UnsafeRawBufferPointer, _ label: StaticString, into target: UnsafeMutableRawBufferPointer)
        -> Bool
    {
        // The lengths of what is asked for and of the label.
        var head: InlineArray<3, UInt8> = [0, UInt8(target.count), UInt8(label.utf8CodeUnitCount)]
        // No context, and the number of the block (RFC 5869 §2.3): there is but one.
        var tail: InlineArray<2, UInt8> = [0, 1]
        var block = InlineArray<48, UInt8>(repeating: 0)
        var nobody = InlineArray<48, UInt8>(repeating: 0)
        defer { wipe(bytesOf: &block) }
        // Safety: OpenSSL reads what the buffers hold, and writes a digest, which is 48 bytes at most.
        return unsafe withUnsafeMutableBytes(of: &block) { block in
            var written = 0
            let out = unsafe block.baseAddress?.assumingMemoryBound(to: UInt8.self)
            let isDone =
                unsafe setKey(secret) && withUnsafeBytes(of: &head) { unsafe update($0) }
                && EVP_MAC_update(mac, label.utf8Start, label.utf8CodeUnitCount) == 1
                && withUnsafeBytes(of: &tail) { unsafe update($0) }
                && EVP_MAC_final(mac, out, &written, block.count) == 1 && written >= target.count
            let isForgotten = unsafe withUnsafeBytes(of: &nobody) { unsafe setKey($0) }
            if isDone { unsafe target.copyMemory(from: UnsafeRawBufferPointer(rebasing: block[..<target.count])) }
            return isDone && isForgotten
        }
    }

    private func setKey(_ key: UnsafeRawBufferPointer) -> Bool {
        unsafe EVP_MAC_init(mac, key.baseAddress?.assumingMemoryBound(to: UInt8.self), key.count, nil) == 1
    }

    private func update(_ bytes: UnsafeRawBufferPointer) -> Bool {
        unsafe EVP_MAC_update(mac, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count) == 1
    }
}
