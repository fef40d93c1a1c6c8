import COpenSSL
import Glibc

/// The keys that a server's session tickets are encrypted with: from files, or from a seed that moves on by itself.
// Safety: used by the callbacks of one context, on its thread.
@safe
final class TLSTickets {
    /// A ticket's key: its name, which the ticket shows, and its two parts.
    struct Key {
        let name: [UInt8]
        let encryption: Secret
        let authentication: Secret
    }

    /// The first makes tickets, all read them.
    private var keys: [Key] = []
    /// nil with keys from files.
    private var seed: TLSTicketSeed?
    /// When the seed has to move on, in seconds since 1970.
    private var isDue: UInt64 = 0

    /// nginx's forms: 48 bytes are name, AES-128 and HMAC key of 16 bytes each; 80 are 16 of name, 32 of
    /// HMAC key and 32 of AES-256.
    init(_ settings: TLSServerSettings, seed: TLSTicketSeed) throws(TLSSettingsError) {
        guard !settings.ticketKeys.isEmpty else {
            self.seed = seed
            moveOn(UInt64(time(nil)))
            return
        }
        for text in settings.ticketKeys {
            var bytes = text.content.bytes
            defer { wipe(&bytes) }
            switch bytes.count {
            case 48:
                keys.append(
                    Key(
                        name: Array(bytes[..<16]), encryption: Secret(bytes[16..<32]),
                        authentication: Secret(bytes[32...]))
                )
            case 80:
                keys.append(
                    Key(
                        name: Array(bytes[..<16]), encryption: Secret(bytes[48...]),
                        authentication: Secret(bytes[16..<48]))
                )
            default: throw TLSSettingsError("\"\(text.name)\" must be 48 or 80 bytes")
            }
        }
    }

    private func moveOn(_ now: UInt64) {
        guard var seed else { return }
        seed.advance(to: now)
        self.seed = seed
        isDue = (now / TLSTicketSeed.epochSeconds + 1) * TLSTicketSeed.epochSeconds
        keys = seed.secrets.reversed().map { secret in
            Key(
                name: Array(Hashing.hmac(secret, "name").bytes.prefix(16)),
                encryption: Hashing.hmac(secret, "encryption"),
                authentication: Hashing.hmac(secret, "authentication"))
        }
    }

    /// OpenSSL's question about a ticket: sets the ciphers up for making or reading one.
    ///
    /// Returns 1 for success, 2 where the client shall get a new ticket as well, 0 for an unknown key,
    /// below 0 for a failure (SSL_CTX_set_tlsext_ticket_key_cb(3)).
    func prepare(
        _ name: UnsafeMutablePointer<UInt8>, _ iv: UnsafeMutablePointer<UInt8>, _ cipher: OpaquePointer?,
        _ mac: OpaquePointer?, encrypts: Bool, _ isRenewing: Bool
    ) -> Int32 {
        let now = UInt64(time(nil))
        if seed != nil, now >= isDue { moveOn(now) }
        if encrypts {
            let key = keys[0]
            unsafe name.update(from: key.name, count: 16)
            guard unsafe RAND_bytes(iv, 16) == 1 else { return -1 }
            let isSet = unsafe key.encryption.withBytes {
                unsafe EVP_EncryptInit_ex(cipher, algorithm(of: key), nil, $0.baseAddress, iv) == 1
            }
            guard isSet else { return -1 }
            return unsafe setUp(mac, key) ? 1 : -1
        }
        let shown = unsafe Array(UnsafeBufferPointer(start: name, count: 16))
        guard let index = keys.firstIndex(where: { $0.name == shown }) else { return 0 }
        let key = keys[index]
        let isSet = unsafe key.encryption.withBytes {
            unsafe EVP_DecryptInit_ex(cipher, algorithm(of: key), nil, $0.baseAddress, iv) == 1
        }
        guard isSet, unsafe setUp(mac, key) else { return -1 }
        return isRenewing || index > 0 ? 2 : 1
    }

    private func algorithm(of key: Key) -> OpaquePointer? {
        unsafe key.encryption.count == 16 ? EVP_aes_128_cbc() : EVP_aes_256_cbc()
    }

    private func setUp(_ mac: OpaquePointer?, _ key: Key) -> Bool {
        unsafe key.authentication.withBytes { unsafe copenssl_mac_set_key(mac, $0.baseAddress, $0.count) == 1 }
    }
}
