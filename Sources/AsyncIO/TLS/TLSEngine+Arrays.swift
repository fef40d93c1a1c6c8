/// An engine for whoever has its bytes in arrays: a handshake, a login. There may be passwords among them.
extension TLSEngine {
    /// What has to be said first: a client's hello; nothing for a server.
    package func start() -> [UInt8] { TLSScratch.current.collect { wire in start(wire: &wire) } }

    /// Takes what the peer has sent; plaintext is appended to `plaintext`. Returns what has to be sent to
    /// the peer, also after a failure (an alert).
    package func receive(_ ciphertext: RawSpan, into plaintext: inout ByteQueue) -> [UInt8] {
        let scratch = TLSScratch.current
        return unsafe ciphertext.withUnsafeBytes { bytes in
            scratch.collect { wire in
                scratch.collectPlaintext(into: &plaintext) { heard in
                    unsafe receive(bytes, plaintext: &heard, wire: &wire)
                }
            }
        }
    }

    /// The same for bytes in an array.
    func receive(_ ciphertext: [UInt8], into plaintext: inout ByteQueue) -> [UInt8] {
        unsafe receive(ciphertext.span.bytes, into: &plaintext)
    }

    /// Encrypts `plaintext`; nothing comes out unless the connection is open or the peer's stream has ended.
    package func send(_ plaintext: [UInt8]) -> [UInt8] {
        guard canSend else { return [] }
        return TLSScratch.current.collect { wire in
            if let handshake {
                unsafe handshake.ciphertext.withUnsafeBytes { unsafe wire.append($0) }
                handshake.ciphertext = []
            }
            unsafe plaintext.withUnsafeBytes { unsafe send($0, wire: &wire) }
        }
    }

    /// Says that nothing more will come (close_notify); nothing comes out where that was said or cannot be.
    package func close() -> [UInt8] { TLSScratch.current.collect { wire in close(wire: &wire) } }

    /// Keeps what the end of the handshake left over: what has to be sent, and what the peer has said already.
    func keep(ciphertext: [UInt8], plaintext: [UInt8]) {
        handshake?.ciphertext = ciphertext
        handshake?.plaintext = plaintext
    }

    /// Moves what `keep` was given to `queue`.
    func takePlaintext(into queue: inout ByteQueue) {
        guard let handshake, !handshake.plaintext.isEmpty else { return }
        queue.append(contentsOf: handshake.plaintext)
        wipe(&handshake.plaintext)
    }
}
