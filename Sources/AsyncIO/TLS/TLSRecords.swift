import Glibc

/// The records of a TLS 1.3 connection (RFC 8446 §5) behind its handshake, which OpenSSL has done.
///
/// OpenSSL's object for a connection takes 13 KB, nearly all of it for the handshake, and copies what it protects twice.
/// What a connection needs afterwards are two sets of keys; so a silent one holds nothing else. The ciphers are
/// OpenSSL's. Why, and where the limits are: docs/decisions/0020.
// Safety: belongs to one engine and is used on its thread.
@safe
final class TLSRecords {
    /// The longest that a record may carry (RFC 8446 §5.1), and what protection may add to it.
    static let plaintextMaximum = 16 << 10
    private static let protectedMaximum = plaintextMaximum + 256
    /// Records in a row that carry nothing: OpenSSL's limit for empty ones.
    static let emptyMaximum: UInt8 = 32
    /// After so many records new keys are taken: RFC 8446 §5.5 allows AES-GCM 2^24.5.
    static let updateInterval: UInt64 = 1 << 24

    private var receiving: TLSTrafficKeys
    private var sending: TLSTrafficKeys
    /// Since the last record that carried something.
    private var emptyCount: UInt8 = 0
    private var marks: Marks
    /// The beginning of a record that has not arrived whole.
    private var beginning = OwnedBytes()
    /// The same of a handshake message; at most its header.
    private var message: [UInt8] = []

    /// What else there is to know, in one byte (SilenceTests).
    private struct Marks: OptionSet {
        let rawValue: UInt8
        static let isServer = Marks(rawValue: 1)
        /// The peer has asked for new keys: they come in front of what is said next, so that nobody makes us say more
        /// than we are asked to say (RFC 8446 §4.6.3).
        static let owesUpdate = Marks(rawValue: 2)
        static let hasSaidClose = Marks(rawValue: 4)
    }

    /// - Parameters:
    ///   - receiving: keys of what the peer sends.
    ///   - sending: keys of what we send.
    ///   - isServer: whether we are the server, to whom a client sends no tickets.
    init(receiving: consuming TLSTrafficKeys, sending: consuming TLSTrafficKeys, isServer: Bool) {
        self.receiving = receiving
        self.sending = sending
        marks = isServer ? .isServer : []
    }

    deinit {
        receiving.wipe()
        sending.wipe()
    }

    // MARK: What is said

    /// Appends `plaintext` in records to `wire`; false where OpenSSL fails, which ends the connection.
    func send(_ plaintext: UnsafeRawBufferPointer, wire: inout OwnedBytes) -> Bool {
        if marks.contains(.owesUpdate) || sending.count >= TLSRecords.updateInterval, !updateSending(&wire) {
            return false
        }
        var offset = 0
        while offset < plaintext.count {
            let end = min(offset + TLSRecords.plaintextMaximum, plaintext.count)
            let part = unsafe UnsafeRawBufferPointer(rebasing: plaintext[offset..<end])
            guard unsafe seal(part, as: .applicationData, &wire) else { return false }
            offset = end
        }
        return true
    }

    /// Says that nothing more will come, once.
    func close(wire: inout OwnedBytes) {
        guard marks.insert(.hasSaidClose).inserted else { return }
        say(.closeNotify, level: 1, &wire)
    }

    /// Says why the connection ends.
    func refuse(_ alert: TLSAlert, wire: inout OwnedBytes) { say(alert, level: 2, &wire) }

    private func say(_ alert: TLSAlert, level: UInt8, _ wire: inout OwnedBytes) {
        // Who does not get it sees the connection end.
        _ = unsafe withUnsafeBytes(of: (level, alert.rawValue)) { unsafe seal($0, as: .alert, &wire) }
    }

    /// New keys for what we send, and their announcement, which asks for nothing (RFC 8446 §4.6.3).
    private func updateSending(_ wire: inout OwnedBytes) -> Bool {
        marks.remove(.owesUpdate)
        let announcement: (UInt8, UInt8, UInt8, UInt8, UInt8) = (TLSRecords.keyUpdate, 0, 0, 1, 0)
        return unsafe withUnsafeBytes(of: announcement) { unsafe seal($0, as: .handshake, &wire) } && sending.update()
    }

    private func seal(_ plaintext: UnsafeRawBufferPointer, as type: TLSContentType, _ wire: inout OwnedBytes) -> Bool {
        guard let cipher = TLSScratch.current.cipher(sending.suite, seals: true) else { return false }
        let length = TLSRecordCipher.headerLength + plaintext.count + TLSRecordCipher.overhead
        return unsafe wire.append(upTo: length) { memory in
            guard let target = memory.baseAddress,
                unsafe cipher.seal(plaintext, as: type, &sending, to: target)
            else { return 0 }
            return length
        } == length
    }

    // MARK: What arrives

    /// Appends what is in `ciphertext` to `plaintext`. True at the peer's end of the stream; what follows it is ignored.
    func receive(
        _ ciphertext: UnsafeRawBufferPointer, plaintext: inout OwnedBytes
    ) throws(TLSRecordError) -> Bool {
        var rest = unsafe ciphertext
        while unsafe !rest.isEmpty {
            if beginning.isEmpty, let length = try unsafe TLSRecords.length(rest), rest.count >= length {
                let isEnd = try unsafe open(UnsafeRawBufferPointer(rebasing: rest[..<length]), &plaintext)
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[length...])
                if isEnd { return true }
                continue
            }
            // Its header first, for that says how much belongs to it.
            let known = try unsafe beginning.withBytes(TLSRecords.length)
            let taken = min((known ?? TLSRecordCipher.headerLength) - beginning.count, rest.count)
            unsafe beginning.append(UnsafeRawBufferPointer(rebasing: rest[..<taken]))
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[taken...])
            guard let known, beginning.count == known else { continue }
            let whole = unsafe UnsafeRawBufferPointer(beginning.take())
            defer { unsafe free(UnsafeMutableRawPointer(mutating: whole.baseAddress)) }
            if try unsafe open(whole, &plaintext) { return true }
        }
        return false
    }

    /// The length of the record at the beginning of `bytes`, header included; nil before that is there.
    private static func length(_ bytes: UnsafeRawBufferPointer) throws(TLSRecordError) -> Int? {
        guard let first = unsafe bytes.first else { return nil }
        // Known at the first byte, so nobody waits for the rest of what is no record. The version says nothing any more.
        guard first == TLSContentType.applicationData.rawValue else { throw .refused(.unexpectedMessage) }
        guard bytes.count >= TLSRecordCipher.headerLength else { return nil }
        let length = unsafe Int(bytes[3]) << 8 | Int(bytes[4])
        guard length <= protectedMaximum else { throw .refused(.recordOverflow) }
        return TLSRecordCipher.headerLength + length
    }

    /// Opens a whole record; true for the peer's end of the stream.
    private func open(
        _ record: UnsafeRawBufferPointer, _ plaintext: inout OwnedBytes
    ) throws(TLSRecordError) -> Bool {
        guard let cipher = TLSScratch.current.cipher(receiving.suite, seals: false) else {
            throw .refused(.internalError)
        }
        var refusal: TLSRecordError?
        var isEnd = false
        // Decrypted where it is to be read from; only what is genuine, and the peer's words, is counted there.
        _ = unsafe plaintext.append(upTo: record.count) { memory in
            do throws(TLSRecordError) {
                guard let target = memory.baseAddress,
                    let length = unsafe cipher.open(record, &receiving, to: target)
                else { throw .refused(.badRecordMAC) }
                let content = unsafe UnsafeRawBufferPointer(start: target, count: length)
                switch try unsafe read(content) {
                case .data(let count): return count
                case .nothing: break
                case .end: isEnd = true
                }
            } catch { refusal = error }
            return 0
        }
        if let refusal { throw refusal }
        return isEnd
    }

    private enum Content {
        case data(count: Int)
        case nothing
        case end
    }

    /// Finds out what a record carries: in `inner` type and padding follow what was said (RFC 8446 §5.2).
    private func read(_ inner: UnsafeRawBufferPointer) throws(TLSRecordError) -> Content {
        guard inner.count <= TLSRecords.plaintextMaximum + 1 else { throw .refused(.recordOverflow) }
        guard let end = unsafe inner.lastIndex(where: { $0 != 0 }) else { throw .refused(.unexpectedMessage) }
        let content = unsafe UnsafeRawBufferPointer(rebasing: inner[..<end])
        let type = unsafe TLSContentType(rawValue: inner[end])
        // Nothing may stand between the parts of a message.
        guard message.isEmpty || type == .handshake else { throw .refused(.unexpectedMessage) }
        if type == .applicationData, unsafe !content.isEmpty {
            emptyCount = 0
            return .data(count: content.count)
        }
        emptyCount += 1
        guard emptyCount <= TLSRecords.emptyMaximum else { throw .refused(.unexpectedMessage) }
        switch type {
        case .applicationData: return .nothing
        case .alert: return try unsafe read(alert: content)
        case .handshake:
            try unsafe read(messages: content)
            return .nothing
        case nil: throw .refused(.unexpectedMessage)
        }
    }

    private func read(alert content: UnsafeRawBufferPointer) throws(TLSRecordError) -> Content {
        guard content.count == 2 else { throw .refused(.decodeError) }
        let alert = unsafe TLSAlert(rawValue: content[1])
        switch alert {
        case .closeNotify: return .end
        // Says that a close_notify follows (RFC 8446 §6.1).
        case .userCanceled: return .nothing
        default: throw .told(alert)
        }
    }

    private static let newSessionTicket: UInt8 = 4
    private static let keyUpdate: UInt8 = 24

    /// Works off handshake messages (RFC 8446 §4.6): the peer's new keys, and tickets of a server, which nobody keeps who
    /// has logged in.
    private func read(messages content: UnsafeRawBufferPointer) throws(TLSRecordError) {
        guard unsafe !content.isEmpty else { throw .refused(.unexpectedMessage) }
        var index = 0
        while index < content.count {
            if message.count < 4 {
                unsafe message.append(content[index])
                index += 1
                try checkMessage()
            } else if message[0] == TLSRecords.keyUpdate {
                // What follows it has other keys, so nothing does in this record.
                guard index == content.count - 1 else { throw .refused(.unexpectedMessage) }
                try unsafe updateReceiving(request: content[index])
                index += 1
            } else {
                // The length says from here on how much is to come.
                let skipped = min(messageLength, content.count - index)
                index += skipped
                messageLength -= skipped
            }
        }
    }

    /// Looks at what is known of a message: at its type, and at its length once that is there.
    private func checkMessage() throws(TLSRecordError) {
        let isTicket = message[0] == TLSRecords.newSessionTicket && !marks.contains(.isServer)
        guard isTicket || message[0] == TLSRecords.keyUpdate else { throw .refused(.unexpectedMessage) }
        guard message.count == 4 else { return }
        guard isTicket ? messageLength > 0 : messageLength == 1 else { throw .refused(.decodeError) }
    }

    /// The length in a message's header; at 0 the message is over.
    private var messageLength: Int {
        get { Int(message[1]) << 16 | Int(message[2]) << 8 | Int(message[3]) }
        set {
            message =
                newValue == 0 ? [] : [message[0]] + [16, 8, 0].map { UInt8(truncatingIfNeeded: newValue >> $0) }
        }
    }

    private func updateReceiving(request: UInt8) throws(TLSRecordError) {
        guard request <= 1 else { throw .refused(.illegalParameter) }
        if request == 1 { marks.insert(.owesUpdate) }
        message = []
        guard receiving.update() else { throw .refused(.internalError) }
    }
}
