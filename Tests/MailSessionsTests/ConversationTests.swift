import AsyncIO
import MailSessions
import TestSupport
import Testing

/// How a dialogue's steps reach a socket.
@Suite struct ConversationTests {
    /// A dialogue that takes the steps it is given, and notes how often it was asked for one.
    private struct Listed: Dialogue {
        typealias Move = Step<String, String, Int>
        var input = ByteQueue()
        var steps: [Move]
        var answers: [String] = []

        mutating func next() -> Move { steps.isEmpty ? .finish(answers.count) : steps.removeFirst() }

        mutating func resume(_ answer: String) { answers.append(answer) }
    }

    private struct Run: Sendable {
        var failure: IOError?
        var notes: [String] = []
        var answers: [String] = []
        /// What was received into the dialogue.
        var input: [UInt8] = []
        /// What the peer received.
        var heard: [UInt8] = []
        /// Virtual time that it took.
        var elapsed = Duration.zero
    }

    /// Runs `steps` against a peer that says `words` and then ends its stream, if it says any.
    private func run(
        _ steps: [Step<String, String, Int>], peerSays words: [UInt8] = [], timeout: Duration = .seconds(5),
        answerAfter delay: Duration = .zero
    ) async throws -> Run {
        try await onExecutor({ SimulatedKernel(seed: 3) }) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            if !words.isEmpty { try await far.send(words, deadline: .never) }
            var dialogue = Listed(steps: steps)
            var run = Run()
            let start = executor.now
            do throws(IOError) {
                _ = try await Conversation(over: near, timeout: timeout).run(
                    &dialogue, note: { run.notes.append($0) },
                    startTLS: { (_, _) async throws(IOError) in throw .tls(.notConfigured) },
                    answer: { (question) async throws(IOError) in
                        try await executor.sleep(until: executor.now + delay, scope: scope)
                        return "\(question)!"
                    })
            } catch {
                run.failure = error
            }
            run.elapsed = executor.now - start
            near.shutdownSending()
            var queue = ByteQueue()
            while try await far.receive(into: &queue, deadline: .never) > 0 {}
            run.heard = queue.takeAll()
            run.answers = dialogue.answers
            run.input = dialogue.input.bytes
            #expect(executor.kernel.buffers.lent == 0)
            return run
        }
    }

    @Test func stepsAreTakenInOrder() async throws {
        let run = try await run(
            [.note("one"), .send([1]), .ask("who"), .note("two"), .send([2]), .send([3]), .receive, .send([4])],
            peerSays: [9])
        #expect(run.failure == nil)
        #expect(run.notes == ["one", "two"])
        #expect(run.answers == ["who!"])
        #expect(run.heard == [1, 2, 3, 4])
        #expect(run.input == [9])
    }

    @Test("nothing is kept back: what was said leaves before a question, a pause and the end")
    func everythingIsSaid() async throws {
        for step in [.ask("who"), .pause(.seconds(1)), .pauseUnlessInput(.seconds(1))] as [Step<String, String, Int>] {
            let run = try await run([.send([1]), .send([2]), step, .send([3])])
            #expect(run.failure == nil)
            #expect(run.heard == [1, 2, 3])
        }
    }

    @Test func consecutiveSendsLeaveTogether() async throws {
        try await onExecutor({
            var faults = SimulatedKernel.Faults()
            (faults.short, faults.late) = (0, 0)
            return SimulatedKernel(seed: 3, faults: faults)
        }) { executor in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            var dialogue = Listed(steps: [.send([1]), .note("between"), .send([2]), .send([3]), .ask("who")])
            _ = try await Conversation(over: near, timeout: .seconds(5)).run(
                &dialogue, note: { _ in }, startTLS: { (_, _) async throws(IOError) in nil },
                answer: { (_) async throws(IOError) in
                    var queue = ByteQueue()
                    #expect(try await far.receive(into: &queue, deadline: .never) == 3)
                    return ""
                })
        }
    }

    @Test("thousands of commands in one piece are all answered, in order, in pieces of bounded size")
    func aFloodOfCommandsIsAnsweredInPieces() async throws {
        try await onExecutor({
            var faults = SimulatedKernel.Faults()
            (faults.short, faults.late) = (0, 0)
            let kernel = SimulatedKernel(seed: 3, faults: faults)
            // Whatever is sent leaves in one call.
            kernel.capacities = 1 << 20...1 << 20
            return kernel
        }) { executor in
            guard let kernel = executor.kernel as? SimulatedKernel else { preconditionFailure("made otherwise") }
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            var frontEnd = IMAPFrontEnd(settings: .fixture(.imap), isSecure: false, salts: .counting)
            var expected = "* OK IMAP4 ready\r\n"
            for number in 0..<3000 {
                frontEnd.input.append(contentsOf: Array("a\(number) NOOP\r\n".utf8))
                expected += "a\(number) OK completed\r\n"
            }
            frontEnd.input.append(contentsOf: Array("b LOGOUT\r\n".utf8))
            expected += "* BYE\r\nb OK completed\r\n"
            _ = try await Conversation(over: near, timeout: .seconds(5)).run(
                &frontEnd, note: { _ in }, startTLS: { (_, _) async throws(IOError) in nil },
                answer: { (_) async throws(IOError) in .unavailable })
            near.shutdownSending()
            var queue = ByteQueue()
            while try await far.receive(into: &queue, deadline: .never) > 0 {}
            #expect(String(decoding: queue.bytes, as: UTF8.self) == expected)
            // Each piece but the last is as large as it has to be, and a reply longer at most.
            #expect(kernel.sendsAtOnce == expected.utf8.count / Conversation.outputMaximum + 1)
        }
    }

    @Test func silenceEndsAtTheTimeout() async throws {
        let run = try await run([.send([1]), .receive])
        #expect(run.failure == .timedOut)
        #expect(run.elapsed >= .seconds(5) && run.elapsed < .seconds(6))
        #expect(run.heard == [1])
    }

    @Test("the time that an answer or a pause takes is not the peer's")
    func answersRenewTheTimeout() async throws {
        let asked = try await run([.ask("who"), .receive], answerAfter: .seconds(4))
        #expect(asked.failure == .timedOut)
        #expect(asked.elapsed >= .seconds(9))
        let paused = try await run([.pause(.seconds(60)), .receive])
        #expect(paused.failure == .timedOut)
        #expect(paused.elapsed >= .seconds(65))
    }

    @Test func aPauseThatListensEndsWithInput() async throws {
        let spoken = try await run([.pauseUnlessInput(.seconds(60))], peerSays: [7])
        #expect(spoken.failure == nil && spoken.input == [7] && spoken.elapsed < .seconds(1))
        let silent = try await run([.pauseUnlessInput(.seconds(60))])
        #expect(silent.failure == nil && silent.input.isEmpty && silent.elapsed >= .seconds(60))
    }

    @Test("without a TLS engine, STARTTLS never goes on in clear")
    func noTLS() async throws {
        let run = try await run([.send([1]), .startTLS, .send([2])])
        #expect(run.failure == .tls(.notConfigured))
        #expect(run.heard == [1])
    }

    @Test("bytes behind the agreement to TLS end it (security-checklist A2)")
    func injection() async throws {
        // The dialogue has read what came, and not looked at it.
        let run = try await run([.receive, .send([1]), .startTLS, .send([2])], peerSays: [9])
        #expect(run.failure == .tls(.injected))
        #expect(run.heard == [1])
    }

    @Test func theEndOfTheStreamIsTheEndWhereMoreIsNeeded() async throws {
        let failure = try await onExecutor({ SimulatedKernel(seed: 3) }) { executor -> IOError? in
            let scope = CancellationScope(on: executor)
            let (near, far) = try await executor.connectedPair(in: scope)
            far.shutdownSending()
            var dialogue = Listed(steps: [.send([1]), .receive, .send([2])])
            do throws(IOError) {
                _ = try await Conversation(over: near, timeout: .seconds(5)).run(
                    &dialogue, note: { _ in }, startTLS: { (_, _) async throws(IOError) in nil },
                    answer: { (_) async throws(IOError) in "" })
                return nil
            } catch {
                var queue = ByteQueue()
                #expect(try await far.receive(into: &queue, deadline: .never) == 1)
                return error
            }
        }
        #expect(failure == .closed)
    }
}
