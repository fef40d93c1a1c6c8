import COpenSSL
import Glibc

/// One TLS connection as a machine fed by hand: ciphertext in, ciphertext out, plaintext both ways. No I/O.
///
/// ```
///   handshaking ──done──▶ open ──close_notify, end of stream──▶ ended
///        └──────────┴── anything wrong ──▶ failed
/// ```
/// Everything that is fed is worked off at once, so nothing is left inside but the beginning of a record.
///
/// OpenSSL does the handshake. What follows it is its work, too, or that of `TLSRecords`, which hold less.
// Safety: belongs to one connection and is used on its executor's thread; OpenSSL's object is made in
// `init` and freed in `deinit`, or as soon as it has nothing to do any more.
@safe
package final class TLSEngine: @unchecked Sendable {
    package enum State: Sendable, Hashable {
        case handshaking, open
        /// The peer's stream is over. `isTruncated`: without close_notify, so somebody may have cut it.
        case ended(isTruncated: Bool)
        indirect case failed(TLSFailure)
    }

    /// The context in force, which SNI may have chosen.
    package internal(set) var context: TLSContext
    package private(set) var state = State.handshaking
    /// A client's name for the server, by which it remembers sessions.
    let peer: String?
    /// nil once it is let go.
    private(set) var ssl: OpaquePointer?
    /// Until what it leaves behind is taken.
    private(set) var handshake: TLSHandshake?
    /// What goes on without OpenSSL behind the handshake.
    private var records: TLSRecords?

    /// The server's side of a connection.
    /// - Parameter names: contexts for clients that ask for one by name (SNI).
    package convenience init(server context: TLSContext, names: TLSServerNames? = nil) {
        self.init(context, peer: nil, names)
        unsafe SSL_set_accept_state(ssl)
    }

    /// The client's side of a connection.
    ///
    /// - Parameters:
    ///   - peer: whose sessions are gone on with; an address, for instance.
    ///   - name: that the server's certificate must be for; a host name or an address in numbers.
    ///   - sendsName: whether the server is told the name (SNI); addresses never are (RFC 6066 §3).
    package convenience init(client context: TLSContext, peer: String, name: String, sendsName: Bool) {
        // What is verified belongs to what is remembered.
        self.init(context, peer: "\(peer) \(name)")
        unsafe SSL_set_connect_state(ssl)
        let isAddress = SocketAddress(literal: name, port: 0) != nil
        if sendsName, !isAddress { unsafe copenssl_set_server_name(ssl, name) }
        if context.verifies {
            let parameters = unsafe SSL_get0_param(ssl)
            unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            let isSet =
                isAddress
                ? unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name)
                : unsafe X509_VERIFY_PARAM_set1_host(parameters, name, 0)
            // A name that cannot be compared is no reason to compare none.
            if isSet != 1 || name.isEmpty { fail(TLSFailure(.ours, "\"\(name)\" is no name for a certificate")) }
        }
        if context.reusesSessions, let peer = self.peer, let session = unsafe context.sessions.session(for: peer) {
            unsafe SSL_set_session(ssl, session)
        }
    }

    private init(_ context: TLSContext, peer: String?, _ names: TLSServerNames? = nil) {
        self.context = context
        self.peer = peer
        handshake = TLSHandshake(isServer: peer == nil, names: names)
        guard let ssl = unsafe SSL_new(context.handle), let bio = unsafe TLSScratch.makeBIO() else {
            preconditionFailure("no memory for a TLS connection")
        }
        unsafe self.ssl = ssl
        unsafe SSL_set_bio(ssl, bio, bio)
    }

    deinit { letGoOfOpenSSL() }

    private func letGoOfOpenSSL() {
        guard unsafe ssl != nil else { return }
        // Else OpenSSL would take a connection that just ended for an attack, and its session with it.
        if canSend { unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN) }
        unsafe SSL_free(ssl)
        unsafe ssl = nil
    }

    /// The engine that OpenSSL calls back about: the one at work, as long as it is `ssl`'s.
    static func of(_ ssl: OpaquePointer?) -> TLSEngine? {
        guard let engine = TLSScratch.current.engine, let ssl = unsafe ssl, unsafe engine.ssl == ssl else { return nil }
        return engine
    }

    // MARK: Bytes

    /// Says what has to be said first: a client's hello; nothing for a server.
    func start(wire: inout OwnedBytes) {
        guard peer != nil else { return }
        unsafe TLSScratch.current.lend(TLSScratch.nothing, to: self, &wire) { shakeHands() }
    }

    /// Takes what the peer has sent. What it said is appended to `plaintext`, what has to be sent to it to `wire`, also
    /// after a failure (an alert).
    func receive(_ ciphertext: UnsafeRawBufferPointer, plaintext: inout OwnedBytes, wire: inout OwnedBytes) {
        var rest = unsafe ciphertext
        if records == nil {
            let scratch = TLSScratch.current
            unsafe scratch.lend(ciphertext, to: self, &wire) {
                if state == .handshaking { shakeHands() }
                while mayRead(scratch), read(scratch, &plaintext) {}
                unsafe rest = scratch.takeUnread()
            }
        }
        guard let records, state == .open else { return }
        do throws(TLSRecordError) {
            if try unsafe records.receive(rest, plaintext: &plaintext) { state = .ended(isTruncated: false) }
        } catch {
            if case .refused(let alert) = error { records.refuse(alert, wire: &wire) }
            fail(TLSFailure(error))
        }
    }

    /// Appends `plaintext`, encrypted, to `wire`: nothing unless the connection is open or the peer's stream has ended.
    func send(_ plaintext: UnsafeRawBufferPointer, wire: inout OwnedBytes) {
        guard canSend, unsafe !plaintext.isEmpty else { return }
        if let records {
            if unsafe !records.send(plaintext, wire: &wire) { fail(.ofQueue(during: "SSL_write()")) }
            return
        }
        unsafe TLSScratch.current.lend(TLSScratch.nothing, to: self, &wire) {
            var written = 0
            let result = unsafe SSL_write_ex(ssl, plaintext.baseAddress, plaintext.count, &written)
            if result != 1 { fail(.ofQueue(during: "SSL_write()")) }
        }
    }

    /// Says that nothing more will come (close_notify): nothing where that was said or cannot be.
    func close(wire: inout OwnedBytes) {
        guard canSend else { return }
        if let records { return records.close(wire: &wire) }
        guard unsafe SSL_get_shutdown(ssl) & SSL_SENT_SHUTDOWN == 0 else { return }
        unsafe TLSScratch.current.lend(TLSScratch.nothing, to: self, &wire) { _ = unsafe SSL_shutdown(ssl) }
    }

    /// The peer's stream has ended, be it with a close_notify before or not.
    package func endOfStream() {
        switch state {
        // No reason to forget a session that was to be gone on with, so no `fail`.
        case .handshaking: state = .failed(.closedInHandshake)
        case .open: state = .ended(isTruncated: true)
        case .ended, .failed: break
        }
    }

    var canSend: Bool {
        switch state {
        case .open, .ended: true
        case .handshaking, .failed: false
        }
    }

    /// Whether there is anything for OpenSSL to read. Asked in vain, it would take a buffer of 16 KiB to find nothing.
    private func mayRead(_ scratch: TLSScratch) -> Bool {
        unsafe state == .open && records == nil && (scratch.unread > 0 || SSL_pending(ssl) > 0)
    }

    /// Reads at most one record's plaintext; false when there is none.
    private func read(_ scratch: TLSScratch, _ plaintext: inout OwnedBytes) -> Bool {
        // A record that began before may be longer than what is left of this.
        let room = max(1024, min(scratch.unread, TLSRecords.plaintextMaximum))
        let result = unsafe plaintext.append(upTo: room) { memory in
            unsafe Int(SSL_read(ssl, memory.baseAddress, Int32(clamping: memory.count)))
        }
        if result > 0 { return true }
        switch unsafe SSL_get_error(ssl, Int32(result)) {
        case SSL_ERROR_WANT_READ: break
        case SSL_ERROR_ZERO_RETURN: state = .ended(isTruncated: false)
        default: fail(.ofQueue(during: "SSL_read()"))
        }
        return false
    }

    // MARK: The handshake, and what becomes of it

    private func shakeHands() {
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 {
            state = .open
            // What failed on the way and was of no consequence must not be taken for the next call's failure.
            emptyErrorQueue()
            // A client goes on with OpenSSL until its login is over: the tickets that follow are OpenSSL's to keep.
            if context.role == .server { takeOver() }
            // From here on there may be passwords among what it decrypts. Not before: with this, OpenSSL overwrites
            // the whole of a buffer of 16 KiB each time that it has read it, which is six times in a handshake.
            unsafe SSL_set_options(ssl, copenssl_cleanse_plaintext)
        } else if unsafe SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ {
            let code = unsafe Int32(truncatingIfNeeded: SSL_get_verify_result(ssl))
            if context.verifies, code != X509_V_OK {
                let words = unsafe String(cString: X509_verify_cert_error_string(Int(code)))
                ERR_clear_error()
                fail(TLSFailure(.certificate(code), "(\(code):\(words))"))
            } else {
                fail(.ofQueue(during: "SSL_do_handshake()"))
            }
        }
    }

    private func takeOver() {
        if context.handsOver { unsafe records = handshake?.takeOver(ssl) }
    }

    /// Lets go of OpenSSL's object where the connection goes on without it: `facts` are not asked for any more.
    package func concludeHandshake() {
        if records != nil { letGoOfOpenSSL() }
    }

    /// The handshake is over and what it left behind is taken, and no more passwords will come: OpenSSL need not
    /// overwrite what it has decrypted any more, and what was for the handshake alone is let go, since silence lasts
    /// for hours.
    func beginRelay() {
        if records == nil, state == .open { takeOver() }
        handshake = nil
        concludeHandshake()
        guard let ssl = unsafe ssl else { return }
        unsafe SSL_clear_options(ssl, copenssl_cleanse_plaintext)
        guard canSend else { return }
        unsafe TLSScratch.current.shareBIO(with: ssl)
        // The keys of the key exchange, 430 bytes: nothing needs them once the secrets are derived, and a private
        // key that is gone cannot be stolen. OpenSSL keeps them to answer questions that nobody here asks.
        unsafe TLSEngine.clear(copenssl_own_exchange_key(ssl))
        unsafe TLSEngine.clear(copenssl_peer_exchange_key(ssl))
    }

    /// Frees what is in `key`, of which this is one reference of several, and the reference.
    private static func clear(_ key: OpaquePointer?) {
        guard let key = unsafe key else { return }
        // EVP_PKEY_set_type(3): it clears "all the previous key data and methods"; some type there must be.
        unsafe EVP_PKEY_set_type(key, EVP_PKEY_EC)
        unsafe EVP_PKEY_free(key)
    }

    private func fail(_ failure: TLSFailure) {
        if case .failed = state { return }
        state = .failed(failure)
        // OpenSSL says so to the context that the connection began with, which may share other memory or be gone.
        if let ssl = unsafe ssl { unsafe context.forgetShared(SSL_get_session(ssl)) }
    }
}
