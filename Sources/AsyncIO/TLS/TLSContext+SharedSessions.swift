import COpenSSL
import Glibc

/// The callbacks by which OpenSSL keeps a server's sessions in shared memory (SSL_CTX_sess_set_new_cb(3)).
extension TLSContext {
    /// Has OpenSSL ask and tell the cache that the connection's context has by then.
    func installSharedCacheCallbacks() {
        unsafe SSL_CTX_sess_set_new_cb(handle) { ssl, session in
            if let cache = unsafe TLSContext.of(ssl)?.sharedSessions, unsafe TLSContext.needsCache(ssl) {
                unsafe TLSContext.keep(session, in: cache)
            }
            // The reference stays OpenSSL's.
            return 0
        }
        unsafe SSL_CTX_sess_set_get_cb(handle) { ssl, id, count, isShared in
            // The reference that we return is handed over, and none is kept.
            unsafe isShared?.pointee = 0
            guard let cache = unsafe TLSContext.of(ssl)?.sharedSessions else { return nil }
            let id = unsafe Array(UnsafeBufferPointer(start: id, count: Int(count)))
            return unsafe TLSContext.session(id, in: cache)
        }
        unsafe SSL_CTX_sess_set_remove_cb(handle) { context, session in
            guard let object = unsafe copenssl_ctx_object(context) else { return }
            let context = unsafe Unmanaged<TLSContext>.fromOpaque(object).takeUnretainedValue()
            unsafe context.sharedSessions?.forget(id: TLSContext.id(of: session))
        }
    }

    /// Sees to it that nobody goes on with `session`, of a connection that has this context.
    func forgetShared(_ session: OpaquePointer?) {
        guard let sharedSessions, let session = unsafe session else { return }
        unsafe sharedSessions.forget(id: TLSContext.id(of: session))
    }

    /// A session of TLS 1.3 with tickets is in its ticket; OpenSSL reports it all the same.
    private static func needsCache(_ ssl: OpaquePointer?) -> Bool {
        unsafe SSL_version(ssl) != TLS1_3_VERSION || SSL_get_options(ssl) & copenssl_no_ticket != 0
    }

    private static func keep(_ session: OpaquePointer?, in cache: TLSSharedSessions) {
        let count = unsafe i2d_SSL_SESSION(session, nil)
        guard count > 0, count <= TLSSharedSessions.sessionMaximum else { return }
        var encoded = [UInt8](repeating: 0, count: Int(count))
        defer { wipe(&encoded) }
        let written = unsafe encoded.withUnsafeMutableBufferPointer { buffer in
            var end = buffer.baseAddress
            return unsafe i2d_SSL_SESSION(session, &end)
        }
        guard written == count else { return }
        let expiry = unsafe SSL_SESSION_get_time(session) + SSL_SESSION_get_timeout(session)
        cache.keep(encoded, id: unsafe id(of: session), until: UInt64(max(0, expiry)), now: UInt64(time(nil)))
    }

    private static func session(_ id: [UInt8], in cache: TLSSharedSessions) -> OpaquePointer? {
        guard var encoded = cache.session(id: id, now: UInt64(time(nil))) else { return nil }
        defer { wipe(&encoded) }
        let session = unsafe encoded.withUnsafeBufferPointer { buffer in
            var start = buffer.baseAddress
            return unsafe d2i_SSL_SESSION(nil, &start, Int(buffer.count))
        }
        guard let session = unsafe session else { return nil }
        // The key is only a part of the identifier.
        guard unsafe self.id(of: session) == id else {
            unsafe SSL_SESSION_free(session)
            return nil
        }
        return unsafe session
    }

    private static func id(of session: OpaquePointer?) -> [UInt8] {
        var count: UInt32 = 0
        let start = unsafe SSL_SESSION_get_id(session, &count)
        return unsafe Array(UnsafeBufferPointer(start: start, count: Int(count)))
    }
}
