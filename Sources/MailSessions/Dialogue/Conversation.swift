import AsyncIO

/// Carries bytes between a dialogue and a socket: the one place of a login that awaits.
///
/// Consecutive sends leave together, in front of the receive that follows them, in pieces of bounded size.
package struct Conversation: Sendable {
    private let socket: Socket
    /// Time for each stretch between answers: the dialogue's whole, unless it asks or pauses
    /// (nginx-mail.md §3.6: a budget, not an idle time).
    private let timeout: Duration
    private let firstDeadline: Instant

    /// From so many bytes on, what was joined leaves before there is more: one segment may hold thousands of commands,
    /// and whoever does not read the answers must not make them pile up here. No login comes near it.
    package static let outputMaximum = 8192

    /// - Parameter deadline: of the first stretch, where it has begun before; else the whole timeout.
    package init(over socket: Socket, timeout: Duration, deadline: Instant? = nil) {
        self.socket = socket
        self.timeout = timeout
        firstDeadline = deadline ?? socket.executor.now + timeout
    }

    /// Does the TLS handshake that a dialogue asks for, before the deadline, and tells the dialogue what came of it.
    ///
    /// Returns the time for each stretch from here on where it changes, because the peer turned out to want somebody
    /// else (SNI); nil leaves the budget as it is.
    package typealias StartTLS<D> = (inout D, Instant) async throws(IOError) -> Duration?

    /// Runs a dialogue that neither asks nor reports.
    @inline(__always)
    package func run<D: Dialogue>(_ dialogue: inout D, startTLS: StartTLS<D>) async throws(IOError) -> D.Outcome
    where D.Question == Never, D.Note == Never, D.Answer == Never {
        func answer(_ question: Never) -> Never {}
        return try await run(&dialogue, note: { _ in }, startTLS: startTLS, answer: answer)
    }

    /// Runs a dialogue that neither asks nor reports, nor begins with TLS.
    @inline(__always)
    package func run<D: Dialogue>(_ dialogue: inout D) async throws(IOError) -> D.Outcome
    where D.Question == Never, D.Note == Never, D.Answer == Never {
        func answer(_ question: Never) -> Never {}
        // Where no TLS is to be had: never go on in clear.
        return try await run(
            &dialogue, note: { _ in }, startTLS: { (_, _) async throws(IOError) in throw .tls(.notConfigured) },
            answer: answer)
    }

    /// Runs `dialogue` to its outcome.
    ///
    /// Throws `closed` when the peer ends the stream where the dialogue needs more, and whatever
    /// the socket or `answer` throws. Sent bytes are wiped: they may hold a password.
    package func run<D: Dialogue>(
        _ dialogue: inout D, note: (D.Note) -> Void, startTLS: StartTLS<D>,
        answer: (D.Question) async throws(IOError) -> D.Answer
    ) async throws(IOError) -> D.Outcome {
        var deadline = firstDeadline
        var timeout = timeout
        var output: [UInt8] = []
        defer { wipe(&output) }
        while true {
            switch dialogue.next() {
            case .send(var bytes) where output.isEmpty: swap(&output, &bytes)
            case .send(var bytes):
                Conversation.join(&bytes, to: &output)
                if output.count >= Conversation.outputMaximum { try await flush(&output, deadline) }
            case .receive:
                let count = try await socket.exchange(output, into: &dialogue.input, deadline: deadline)
                wipe(&output)
                guard count > 0 else { throw .closed }
            case .note(let fact):
                note(fact)
            case .startTLS:
                try await flush(&output, deadline)
                // The agreement was the last that counts in clear (security-checklist A1, A2).
                guard dialogue.input.isEmpty else { throw .tls(.injected) }
                if let another = try await startTLS(&dialogue, deadline) {
                    timeout = another
                    deadline = socket.executor.now + timeout
                }
            case .ask(let question):
                try await flush(&output, deadline)
                dialogue.resume(try await answer(question))
                deadline = socket.executor.now + timeout
            case .pause(let duration):
                try await flush(&output, deadline)
                try await socket.executor.sleep(until: socket.executor.now + duration, scope: socket.scope)
                deadline = socket.executor.now + timeout
            case .pauseUnlessInput(let duration):
                try await flush(&output, deadline)
                try await listen(to: &dialogue, for: duration)
                deadline = socket.executor.now + timeout
            case .finish(let outcome):
                try await flush(&output, deadline)
                return outcome
            }
        }
    }

    /// Waits for the peer to speak, or for it to stay silent until the time is up.
    private func listen<D: Dialogue>(to dialogue: inout D, for duration: Duration) async throws(IOError) {
        do throws(IOError) {
            let count = try await socket.receive(into: &dialogue.input, deadline: socket.executor.now + duration)
            guard count > 0 else { throw .closed }
        } catch {
            // Silence is what was hoped for.
            guard error == .timedOut else { throw error }
        }
    }

    /// Moves `bytes` behind `output`, and leaves no copy behind: growing would leave a password in freed memory.
    @inline(never)
    private static func join(_ bytes: inout [UInt8], to output: inout [UInt8]) {
        if output.count + bytes.count > output.capacity {
            var larger: [UInt8] = []
            larger.reserveCapacity(max(output.count + bytes.count, 2 * output.count))
            larger += output
            wipe(&output)
            output = larger
        }
        output += bytes
        wipe(&bytes)
    }

    private func flush(_ output: inout [UInt8], _ deadline: Instant) async throws(IOError) {
        guard !output.isEmpty else { return }
        try await socket.send(output, deadline: deadline)
        wipe(&output)
    }
}
