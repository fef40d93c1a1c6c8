import COpenSSL
import Glibc

/// The client's side of TLS on one of the load's connections; OpenSSL reads and writes the descriptor itself.
// Safety: `ssl` is made in `init`, freed in `deinit`, and used on the one thread there is.
@safe
final class TLSSession {
    /// What all clients of a load share: settings, and the newest session that can be resumed.
    @safe
    final class Context {
        private let context: OpaquePointer
        private let resumes: Bool
        private var newest: OpaquePointer?

        /// TLS 1.3, no certificates checked: the load measures the server.
        /// - Parameter resumes: connections after the first resume the one before.
        init(resumes: Bool) throws(HarnessError) {
            guard let context = unsafe SSL_CTX_new(TLS_client_method()) else {
                throw HarnessError("OpenSSL has no context for a client")
            }
            unsafe self.context = context
            self.resumes = resumes
            guard unsafe copenssl_ctx_set_version_range(context, TLS1_3_VERSION, TLS1_3_VERSION) == 1 else {
                throw HarnessError("OpenSSL refuses TLS 1.3")
            }
        }

        deinit {
            unsafe SSL_SESSION_free(newest)
            unsafe SSL_CTX_free(context)
        }

        /// TLS for a connected descriptor.
        func begin(on descriptor: Int32) throws(HarnessError) -> TLSSession {
            guard let ssl = unsafe SSL_new(context), unsafe SSL_set_fd(ssl, descriptor) == 1 else {
                throw HarnessError("OpenSSL has no connection for a client")
            }
            unsafe SSL_set_connect_state(ssl)
            if resumes, let newest = unsafe newest { unsafe SSL_set_session(ssl, newest) }
            return unsafe TLSSession(ssl, mustResume: resumes && newest != nil)
        }

        /// Remembers what `session` can be resumed by; tickets come with the first bytes behind the handshake.
        func keep(_ session: TLSSession) {
            guard resumes, let found = unsafe SSL_get1_session(session.ssl) else { return }
            // A connection freed without a farewell takes its session with it.
            unsafe SSL_set_shutdown(session.ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
            guard unsafe SSL_SESSION_is_resumable(found) == 1 else { return unsafe SSL_SESSION_free(found) }
            unsafe SSL_SESSION_free(newest)
            unsafe newest = unsafe found
        }
    }

    fileprivate let ssl: OpaquePointer
    private let mustResume: Bool
    private(set) var isEstablished = false

    fileprivate init(_ ssl: OpaquePointer, mustResume: Bool) {
        unsafe self.ssl = ssl
        self.mustResume = mustResume
    }

    deinit { unsafe SSL_free(ssl) }

    /// Goes on with the handshake; true when it is done, false when more must arrive.
    func handshake() throws(HarnessError) -> Bool {
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 {
            guard unsafe !mustResume || SSL_session_reused(ssl) == 1 else {
                throw HarnessError("the server resumed no session")
            }
            isEstablished = true
            return true
        }
        guard unsafe SSL_get_error(ssl, result) == SSL_ERROR_WANT_READ else {
            throw HarnessError("the TLS handshake failed")
        }
        return false
    }

    /// As `LoopbackSocket.receive`.
    func receive(into buffer: inout [UInt8], at offset: Int) -> Transfer {
        let count = unsafe buffer.withUnsafeMutableBytes { bytes in
            let free = unsafe UnsafeMutableRawBufferPointer(rebasing: bytes[offset...])
            return unsafe SSL_read(ssl, free.baseAddress, Int32(clamping: free.count))
        }
        return transfer(count)
    }

    /// As `LoopbackSocket.send`; what would block is to be sent again, the same bytes.
    func send(_ bytes: [UInt8], _ part: Range<Int>) -> Transfer {
        let count = unsafe bytes.withUnsafeBytes {
            unsafe SSL_write(ssl, $0.baseAddress?.advanced(by: part.lowerBound), Int32(clamping: part.count))
        }
        return transfer(count)
    }

    private func transfer(_ count: Int32) -> Transfer {
        if count > 0 { return .moved(Int(count)) }
        switch unsafe SSL_get_error(ssl, count) {
        case SSL_ERROR_WANT_READ, SSL_ERROR_WANT_WRITE: return .wouldBlock
        case SSL_ERROR_ZERO_RETURN: return .ended
        default: return .failed(errno == 0 ? EPROTO : errno)
        }
    }
}
