import COpenSSL
import Glibc

/// What engines work with: one for each thread, shared by all its engines.
///
/// An engine works in one go: it lends its ciphertext, OpenSSL asks for it through a BIO of ours, and
/// what OpenSSL says piles up here until the engine takes it. So a silent connection keeps no buffers
/// (3.5 KB less than with memory BIOs, ring-facts.md §4).
// Safety: reached through a thread-specific key, so no other thread ever sees it; `input` is set and
// emptied within one call of `lend`, whose caller lends the memory for that long.
@safe
final class TLSScratch {
    /// Ciphertext that OpenSSL has not asked for yet.
    private var input = unsafe TLSScratch.nothing
    /// Where what OpenSSL says goes.
    private var output = OwnedBytes()
    /// Memory for what a login says and hears, used again and again.
    private var wire = OwnedBytes()
    private var plaintext = OwnedBytes(capacity: plaintextCapacity)
    /// Whose work OpenSSL does at present, and so whom it calls back about.
    private(set) var engine: TLSEngine?

    /// Read from and written to by every connection whose handshake is over, which holds a reference: it keeps
    /// nothing of them. Until then each has one of its own, for OpenSSL puts a buffer in front.
    private let sharedBIO = unsafe TLSScratch.makeBIO()

    deinit { unsafe BIO_free(sharedBIO) }

    /// The calling thread's.
    static var current: TLSScratch {
        if let known = unsafe pthread_getspecific(key) {
            return unsafe Unmanaged<TLSScratch>.fromOpaque(known).takeUnretainedValue()
        }
        let scratch = TLSScratch()
        unsafe pthread_setspecific(key, Unmanaged.passRetained(scratch).toOpaque())
        return scratch
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let result = unsafe pthread_key_create(&key) {
            if let scratch = unsafe $0 { unsafe Unmanaged<TLSScratch>.fromOpaque(scratch).release() }
        }
        precondition(result == 0, "a process has thread-specific keys to spare")
        return key
    }()

    /// Lends `ciphertext` to OpenSSL during `body`, the work of `engine`; what OpenSSL says is appended to `wire`.
    func lend(
        _ ciphertext: UnsafeRawBufferPointer, to engine: TLSEngine, _ wire: inout OwnedBytes, during body: () -> Void
    ) {
        precondition(self.engine == nil, "two engines at work at once")
        emptyErrorQueue()
        self.engine = engine
        unsafe input = ciphertext
        swap(&output, &wire)
        body()
        swap(&output, &wire)
        unsafe input = TLSScratch.nothing
        self.engine = nil
    }

    /// No ciphertext.
    static var nothing: UnsafeRawBufferPointer { unsafe UnsafeRawBufferPointer(start: nil, count: 0) }

    /// Ciphertext not read yet, in bytes.
    var unread: Int { unsafe input.count }

    /// The same bytes, for somebody else than OpenSSL; good for as long as they are lent.
    func takeUnread() -> UnsafeRawBufferPointer {
        defer { unsafe input = TLSScratch.nothing }
        return unsafe input
    }

    // MARK: Ciphers and keys

    private var derivations: [TLSKeyDerivation?] = Array(repeating: nil, count: TLSSuite.allCases.count)
    private var ciphers: [TLSRecordCipher?] = Array(repeating: nil, count: 2 * TLSSuite.allCases.count)

    /// The thread's cipher of `suite` for one direction; nil where OpenSSL lacks it.
    func cipher(_ suite: TLSSuite, seals: Bool) -> TLSRecordCipher? {
        let index = 2 * suite.index + (seals ? 1 : 0)
        if let known = ciphers[index] { return known }
        ciphers[index] = TLSRecordCipher(suite, seals: seals)
        return ciphers[index]
    }

    /// What derives keys of `suite` on this thread; nil where OpenSSL lacks the digest.
    func derivation(_ suite: TLSSuite) -> TLSKeyDerivation? {
        if let known = derivations[suite.index] { return known }
        derivations[suite.index] = TLSKeyDerivation(suite)
        return derivations[suite.index]
    }

    // MARK: Bytes of a login

    /// What `body` appends.
    func collect(_ body: (inout OwnedBytes) -> Void) -> [UInt8] {
        body(&wire)
        let said = wire.bytes
        // A burst must not keep its memory for ever.
        if wire.count > TLSScratch.wireMaximum { wire = OwnedBytes() } else { wire.removeAll() }
        return said
    }

    /// Moves the plaintext that `body` appends to `queue`, and leaves none of it here.
    func collectPlaintext(into queue: inout ByteQueue, _ body: (inout OwnedBytes) -> Void) {
        body(&plaintext)
        unsafe plaintext.withBytes { unsafe queue.append(RawSpan(_unsafeBytes: $0)) }
        plaintext.wipe()
    }

    private static let wireMaximum = 64 << 10
    /// What comes of a lent buffer and of a record that began before it, and room for another: what does not grow leaves
    /// no copy of a password behind.
    private static let plaintextCapacity = 48 << 10

    // MARK: The BIO

    /// A BIO that reads and writes here; it belongs to whoever asked.
    static func makeBIO() -> OpaquePointer? { unsafe BIO_new(method) }

    /// Has `ssl` read and write through the BIO that all share.
    func shareBIO(with ssl: OpaquePointer) {
        // SSL_set_bio(3): one reference for both directions, and the connection's own BIO is freed.
        unsafe BIO_up_ref(sharedBIO)
        unsafe SSL_set_bio(ssl, sharedBIO, sharedBIO)
    }

    // Safety: built once, and only read afterwards.
    private nonisolated(unsafe) static let method: OpaquePointer? = {
        let method = unsafe BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "borrowed memory")
        unsafe BIO_meth_set_read(method) { bio, target, count in unsafe TLSScratch.read(bio, target, count) }
        unsafe BIO_meth_set_write(method) { bio, source, count in unsafe TLSScratch.write(bio, source, count) }
        unsafe BIO_meth_set_ctrl(method) { _, command, _, _ in
            // Nothing is kept back, so there is nothing to flush.
            command == BIO_CTRL_FLUSH ? 1 : 0
        }
        unsafe BIO_meth_set_create(method) { bio in
            unsafe BIO_set_init(bio, 1)
            return 1
        }
        return unsafe method
    }()

    private static func read(_ bio: OpaquePointer?, _ target: UnsafeMutablePointer<CChar>?, _ count: Int32) -> Int32 {
        let scratch = current
        let taken = unsafe min(Int(count), scratch.input.count)
        guard taken > 0, let target = unsafe target, let source = unsafe scratch.input.baseAddress else {
            unsafe copenssl_bio_retry_read(bio)
            return -1
        }
        unsafe copenssl_bio_clear_retry(bio)
        scratch.engine?.handshake?.noteRead(taken)
        unsafe memcpy(target, source, taken)
        unsafe scratch.input = UnsafeRawBufferPointer(rebasing: scratch.input[taken...])
        return Int32(taken)
    }

    private static func write(_ bio: OpaquePointer?, _ source: UnsafePointer<CChar>?, _ count: Int32) -> Int32 {
        unsafe copenssl_bio_clear_retry(bio)
        unsafe current.output.append(UnsafeRawBufferPointer(start: source, count: Int(count)))
        return count
    }
}
