import COpenSSL
import Glibc

/// What an engine has for its handshake alone, and until its login is over.
// Safety: belongs to one engine and is used on its thread.
@safe
final class TLSHandshake {
    /// Of a server: contexts for clients that ask for one by name.
    let names: TLSServerNames?
    /// The context that the connection began with, where SNI chose another: OpenSSL's own cache stays that one's.
    var first: TLSContext?
    private let isServer: Bool
    /// The secrets of both directions' keys (RFC 8446 §7.1), for going on without OpenSSL.
    private var secrets: (client: Secret?, server: Secret?) = (nil, nil)
    /// Records protected with those keys.
    private var counts: (sent: UInt64, received: UInt64) = (0, 0)
    private var isWatched = false
    /// OpenSSL has new keys, of which it tells nobody.
    private var hasNewKeys = false
    /// Bytes that OpenSSL has read, less those of the records that it knows of: 0 between records.
    private var unfinishedCount = 0
    /// The end of our side, which leaves with what is said next.
    var ciphertext: [UInt8] = []
    /// Said by the peer in one packet with the end of its side (nginx-mail.md §13 row 26).
    var plaintext: [UInt8] = []

    init(isServer: Bool, names: TLSServerNames?) {
        self.isServer = isServer
        self.names = names
    }

    deinit { wipe(&plaintext) }

    // MARK: Going on without OpenSSL

    /// Has OpenSSL tell of the messages and records of all connections of `context`.
    static func watch(_ context: OpaquePointer) {
        unsafe SSL_CTX_set_msg_callback(context) { isWritten, _, type, bytes, count, ssl, _ in
            guard let handshake = unsafe TLSEngine.of(ssl)?.handshake else { return }
            let bytes = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
            if type == SSL3_RT_HEADER {
                unsafe handshake.noteRecord(bytes, isWritten: isWritten == 1)
            } else if type == SSL3_RT_HANDSHAKE, unsafe SSL_version(ssl) == TLS1_3_VERSION {
                switch unsafe bytes.first.map(Int32.init) {
                case SSL3_MT_FINISHED: unsafe TLSHandshake.listen(SSL_get_SSL_CTX(ssl))
                case SSL3_MT_KEY_UPDATE: handshake.hasNewKeys = true
                default: break
                }
            }
        }
    }

    /// Has OpenSSL tell of the next secret, that of one direction, which it makes at that direction's Finished.
    ///
    /// It has no function for secrets, but one for what debuggers read them from (SSL_CTX_set_keylog_callback(3)): each
    /// is a line, which is written nowhere here. A line costs 2 µs, so none is asked for besides.
    private static func listen(_ context: OpaquePointer?) {
        unsafe SSL_CTX_set_keylog_callback(context) { ssl, line in
            guard let line = unsafe line, let handshake = unsafe TLSEngine.of(ssl)?.handshake,
                unsafe handshake.note(UnsafeRawBufferPointer(start: line, count: strlen(line)))
            else { return }
            unsafe SSL_CTX_set_keylog_callback(SSL_get_SSL_CTX(ssl), nil)
        }
    }

    private func noteRecord(_ header: UnsafeRawBufferPointer, isWritten: Bool) {
        isWatched = true
        if isWritten {
            if (isServer ? secrets.server : secrets.client) != nil { counts.sent += 1 }
        } else {
            if (isServer ? secrets.client : secrets.server) != nil { counts.received += 1 }
            if header.count == TLSRecordCipher.headerLength {
                unsafe unfinishedCount -= header.count + Int(header[3]) << 8 + Int(header[4])
            }
        }
    }

    /// OpenSSL has read so many bytes.
    func noteRead(_ count: Int) { unfinishedCount += count }

    /// Keeps the secret in a line of the key log: a label, the client's random bytes and the secret, in hexadecimals.
    /// False where it is another secret.
    private func note(_ line: UnsafeRawBufferPointer) -> Bool {
        if unsafe line.starts(with: "CLIENT_TRAFFIC_SECRET_0 ".utf8) {
            secrets.client = unsafe TLSHandshake.secret(endOf: line)
        } else if unsafe line.starts(with: "SERVER_TRAFFIC_SECRET_0 ".utf8) {
            secrets.server = unsafe TLSHandshake.secret(endOf: line)
        } else {
            return false
        }
        return true
    }

    private static func secret(endOf line: UnsafeRawBufferPointer) -> Secret {
        func value(_ digit: UInt8) -> UInt8 {
            digit > UInt8(ascii: "9") ? (digit | 32) - 87 : digit - UInt8(ascii: "0")
        }
        let start = unsafe (line.lastIndex(of: UInt8(ascii: " ")) ?? -1) + 1
        var bytes: [UInt8] = []
        bytes.reserveCapacity((line.count - start) / 2)
        for index in stride(from: start, to: line.count - 1, by: 2) {
            unsafe bytes.append(value(line[index]) << 4 | value(line[index + 1]))
        }
        defer { wipe(&bytes) }
        return Secret(bytes)
    }

    /// The records behind what OpenSSL has done for `ssl`, whose handshake is done; nil where it has to go on: before
    /// TLS 1.3, with other ciphers, with shorter records than usual (RFC 6066 §4), with new keys, within a record.
    func takeOver(_ ssl: OpaquePointer?) -> TLSRecords? {
        guard isWatched, !hasNewKeys, unfinishedCount == 0, unsafe SSL_has_pending(ssl) == 0,
            let own = isServer ? secrets.server : secrets.client,
            let peers = isServer ? secrets.client : secrets.server, unsafe SSL_version(ssl) == TLS1_3_VERSION,
            let suite = unsafe TLSSuite(rawValue: SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl))),
            unsafe [0, UInt8.max].contains(SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl))),
            let receiving = TLSTrafficKeys(suite, secret: peers, count: counts.received),
            let sending = TLSTrafficKeys(suite, secret: own, count: counts.sent)
        else { return nil }
        secrets = (nil, nil)
        return TLSRecords(receiving: receiving, sending: sending, isServer: isServer)
    }
}
