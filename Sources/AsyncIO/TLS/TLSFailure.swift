import COpenSSL

/// Why a connection cannot go on with TLS.
package struct TLSFailure: Error, Sendable, Hashable {
    package enum Reason: Sendable, Hashable {
        /// The peer ended the connection before the handshake was done.
        case closedInHandshake
        /// The peer's certificate was refused: OpenSSL's code (X509_V_ERR_…).
        case certificate(Int32)
        /// The peer showed no certificate where one is required.
        case certificateMissing
        /// What the peer said is no TLS that both sides can speak, or it said so of us (an alert).
        case peer
        /// Something within OpenSSL failed.
        case ours
        /// Bytes came in clear behind the agreement to begin with TLS.
        case injected
        /// No TLS is configured for this side.
        case notConfigured

        /// The peer's certificate is what is wrong.
        package var isCertificate: Bool {
            if case .certificate = self { return true }
            return false
        }
    }

    package let reason: Reason
    /// For the log: OpenSSL's words.
    package let text: String

    /// A failure with OpenSSL's or our own words.
    package init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }

    package static let closedInHandshake = TLSFailure(.closedInHandshake, "peer closed connection in SSL handshake")

    package static let injected = TLSFailure(.injected, "data in clear arrived behind the agreement to TLS")

    package static let notConfigured = TLSFailure(.notConfigured, "TLS is not configured for this connection")

    /// The failure of records behind the handshake, in words that begin like OpenSSL's.
    init(_ error: TLSRecordError) {
        switch error {
        case .refused(let alert): self.init(.peer, "SSL_read() failed (\(alert.text))")
        case .told(let alert): self.init(.peer, "SSL_read() failed (SSL alert number \(alert.rawValue): \(alert.text))")
        }
    }

    /// The failure that OpenSSL's error queue of this thread tells of, which is emptied.
    static func ofQueue(during call: String) -> TLSFailure {
        let first = ERR_peek_error()
        let isPeers = copenssl_error_library(first) == ERR_LIB_SSL
        return TLSFailure(isPeers ? .peer : .ours, "\(call) failed\(errorQueueText())")
    }
}

/// Empties this thread's error queue, which SSL_get_error(3) demands before each call. It nearly always is empty, and
/// looking costs a twentieth of clearing.
func emptyErrorQueue() {
    if ERR_peek_error() != 0 { ERR_clear_error() }
}

/// ` (SSL: error:…)`: the errors in this thread's queue, as nginx writes them; empties the queue.
func errorQueueText() -> String {
    var texts: [String] = []
    var buffer = [CChar](repeating: 0, count: 256)
    var data: UnsafePointer<CChar>?
    var flags: Int32 = 0
    while true {
        let code = unsafe ERR_get_error_all(nil, nil, nil, &data, &flags)
        guard code != 0 else { break }
        unsafe ERR_error_string_n(code, &buffer, buffer.count)
        var text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if flags & ERR_TXT_STRING != 0, let detail = unsafe data {
            let words = unsafe String(cString: detail)
            if !words.isEmpty { text += ":\(words)" }
        }
        texts.append(text)
    }
    return texts.isEmpty ? "" : " (SSL: \(texts.joined(separator: " ")))"
}
