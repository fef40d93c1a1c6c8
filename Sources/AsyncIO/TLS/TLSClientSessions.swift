import COpenSSL

/// The sessions that a client remembers: the last one of each server, so that the next handshake is short.
// Safety: holds a reference to each session and gives it back; touched on its context's thread.
@safe
final class TLSClientSessions {
    /// Servers remembered at once; beyond it all are forgotten, which costs each a full handshake.
    static let maximum = 1024

    private var sessions: [String: OpaquePointer] = unsafe [:]

    deinit { unsafe sessions.values.forEach { unsafe SSL_SESSION_free($0) } }

    /// Keeps `session` in place of an older one; takes its reference over.
    func keep(_ session: OpaquePointer?, for peer: String) {
        if unsafe sessions.count >= TLSClientSessions.maximum, unsafe sessions[peer] == nil {
            unsafe sessions.values.forEach { unsafe SSL_SESSION_free($0) }
            unsafe sessions.removeAll()
        }
        if let older = unsafe sessions[peer] { unsafe SSL_SESSION_free(older) }
        unsafe sessions[peer] = session
    }

    /// The last session with `peer`; it stays ours.
    func session(for peer: String) -> OpaquePointer? { unsafe sessions[peer] }
}
