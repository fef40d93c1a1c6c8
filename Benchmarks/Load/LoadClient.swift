import Glibc

/// One client of a `LoadGenerator`: goes through the script, then does units of work until it is told to rest.
final class LoadClient: EventHandler {
    private enum State {
        case closed
        /// Says nothing once it is connected, where the client would have to speak first.
        case connecting
        /// The TLS handshake; `generator.script.replies[index]` comes next, or the line before it.
        case handshaking(Int)
        /// Waiting for `generator.script.replies[index]`.
        case inScript(Int)
        /// For an exchange: logged in, or all that it shall be.
        case ready
        /// Waiting for so many bytes.
        case awaitingBytes(Int)
    }

    /// 64 bytes with the line end.
    private static let echoLine = Array(("ECHO " + String(repeating: "e", count: 57) + "\r\n").utf8)
    private static let uploadBlock = [UInt8](repeating: UInt8(ascii: "u"), count: 256 * 1024)
    private static let untagged = Array("* ".utf8)
    private static let acknowledgement = Array("x OK\r\n".utf8)

    private unowned let generator: LoadGenerator
    private var state = State.closed
    private var descriptor: Int32 = -1
    private var token = -1
    /// Nil in clear.
    private var tls: TLSSession?
    private var unitStart: UInt64 = 0
    /// The beginning of a reply that is not complete.
    private var residue: [UInt8] = []
    /// Payload still to be uploaded.
    private var uploading = 0
    private var isWatchedForWriting = false

    init(generator: LoadGenerator) {
        self.generator = generator
    }

    /// Begins a unit; opens the session first where there is none.
    func begin() {
        unitStart = now()
        switch generator.plan.work {
        case .session, .greeting: open()
        case .echo, .idle, .greeted, .download, .upload, .trickle: token < 0 ? open() : beginExchange()
        }
    }

    private func open() {
        do {
            descriptor = try generator.connect()
            token = try generator.loop.watch(descriptor, for: self)
            state = .inScript(0)
            if generator.plan.security.isImplicit {
                if generator.plan.work == .greeted { state = .connecting } else { try beginTLS(0) }
                // Here the client speaks first: as soon as it is connected.
                generator.loop.watchWriting(descriptor, token)
            }
        } catch {
            generator.fail(error)
        }
    }

    private func beginExchange() {
        let bytes = generator.plan.transferBytes
        switch generator.plan.work {
        case .session, .greeting, .trickle: preconditionFailure("this work has no exchanges")
        case .greeted: endUnit()
        case .echo, .idle:
            state = .awaitingBytes(Self.echoLine.count)
            send(Self.echoLine)
        case .download:
            state = .awaitingBytes(bytes)
            send(Array("x BULK \(bytes)\r\n".utf8))
        case .upload:
            state = .awaitingBytes(Self.acknowledgement.count)
            send(Array("x SINK \(bytes)\r\n".utf8))
            uploading = bytes
            upload()
        }
    }

    /// Begins the handshake; afterwards the script goes on with the reply or, behind the greeting, the line `index`.
    private func beginTLS(_ index: Int) throws(HarnessError) {
        tls = try generator.tls?.begin(on: descriptor)
        state = .handshaking(index)
    }

    /// Goes on with the handshake; false when more must arrive.
    private func shakeHands(_ index: Int) -> Bool {
        do throws(HarnessError) {
            guard try tls?.handshake() ?? true else { return false }
        } catch {
            fail("\(error)")
            return false
        }
        state = .inScript(index)
        if index > 0 { send(generator.script.lines[index - 1]) }
        return true
    }

    func ready(isEnding: Bool) {
        if case .connecting = state { endUnit() }
        if case .handshaking(let index) = state, !shakeHands(index) { return }
        if uploading > 0 { upload() }
        while token >= 0 {
            let capacity: Int
            let transfer: Transfer
            if case .awaitingBytes = state, tls == nil {
                capacity = generator.loop.input.count
                transfer = LoopbackSocket.discard(descriptor, maximum: capacity)
            } else {
                capacity = generator.loop.input.count - residue.count
                generator.loop.input.replaceSubrange(0..<residue.count, with: residue)
                transfer =
                    tls?.receive(into: &generator.loop.input, at: residue.count)
                    ?? LoopbackSocket.receive(descriptor, into: &generator.loop.input, at: residue.count)
            }
            switch transfer {
            case .moved(let count):
                advance(count)
                // OpenSSL may hold more: a record is its measure, not the socket.
                if count < capacity, !isEnding, tls == nil { return }
            case .wouldBlock: return
            case .ended: return fail("the server closed the session")
            case .failed(let code): return fail(HarnessError.system("recv", code).description)
            }
        }
    }

    private func advance(_ count: Int) {
        switch state {
        case .closed, .connecting, .handshaking: break
        case .ready: fail("bytes that nobody asked for")
        case .inScript(let index): readReply(index, residue.count + count)
        case .awaitingBytes(let expected):
            guard count <= expected else { return fail("more bytes than were asked for") }
            state = .awaitingBytes(expected - count)
            if count == expected { endUnit() }
        }
    }

    /// Looks whether the first `total` bytes of the input are the reply that the script waits for.
    private func readReply(_ index: Int, _ total: Int) {
        let text = generator.loop.input[0..<total]
        let lastLine = text.dropLast().lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let expected = generator.script.replies[index]
        guard text.last == UInt8(ascii: "\n"), text[lastLine...].starts(with: expected) else {
            residue = Array(text)
            let line = text[lastLine...]
            let isUntagged = line.starts(with: Self.untagged) || line.dropFirst(3).first == UInt8(ascii: "-")
            if text.last == UInt8(ascii: "\n") && !isUntagged { fail("not the reply that was expected") }
            if total > 4096 { fail("reply too long") }
            return
        }
        residue.removeAll(keepingCapacity: true)
        if index == generator.script.replyBeforeTLS {
            do throws(HarnessError) { try beginTLS(index + 1) } catch { return fail("\(error)") }
            _ = shakeHands(index + 1)
        } else if index < generator.script.lines.count {
            state = .inScript(index + 1)
            send(generator.script.lines[index])
        } else if generator.plan.work.isWholeSession {
            close()
            endUnit()
        } else {
            beginExchange()
        }
    }

    private func endUnit() {
        if !generator.plan.work.isWholeSession { state = .ready }
        if generator.shouldGoOn(afterUnitSince: unitStart) { begin() }
    }

    private func upload() {
        while uploading > 0, token >= 0 {
            let part = 0..<min(uploading, Self.uploadBlock.count)
            switch tls?.send(Self.uploadBlock, part) ?? LoopbackSocket.send(descriptor, Self.uploadBlock, part) {
            case .moved(let count): uploading -= count
            case .wouldBlock:
                if !isWatchedForWriting { generator.loop.watchWriting(descriptor, token) }
                isWatchedForWriting = true
                return
            case .ended: return fail("send: end of stream")
            case .failed(let code): return fail(HarnessError.system("send", code).description)
            }
        }
    }

    private func send(_ bytes: [UInt8]) {
        let all = 0..<bytes.count
        guard case .moved(bytes.count) = tls?.send(bytes, all) ?? LoopbackSocket.send(descriptor, bytes, all) else {
            return fail("a line could not be sent at once")
        }
    }

    private func close() {
        if let tls { generator.tls?.keep(tls) }
        tls = nil
        generator.loop.forget(token)
        token = -1
        state = .closed
        Glibc.close(descriptor)
    }

    /// Reports why the session is no good, with what the server said last.
    private func fail(_ reason: String) {
        let heard = residue.isEmpty ? "" : "; it said: \(String(decoding: residue.suffix(200), as: UTF8.self))"
        generator.fail(HarnessError("\(reason) (\(state))\(heard)"))
        if token >= 0 { close() }
    }
}
