import CLinux
import Glibc

/// Questions to another process, each with its own way back.
///
/// ```
/// asker ──question, and one end of a new pair──▶ channel, shared by all askers ──▶ answerer
///   ▲────────────────────────────answer over that pair─────────────────────────────────┘
/// ```
/// The channel keeps questions apart (SOCK_SEQPACKET). It outlives answerers: what none has taken waits
/// for the next one. An answerer that dies closes the ends it has taken, which its askers notice; an asker that gives
/// up closes its end, which the answerer can see. No asker reads from the channel, so none sees
/// what another asks.
package enum QuestionChannel {
    /// A channel: the end that askers share, and the one that answerers inherit. Both are close-on-exec.
    package static func pair() throws(IOError) -> (asking: Int32, answering: Int32) {
        let ends = try connectedEnds()
        // One way only, whoever holds the ends.
        shutdown(ends.1, Int32(SHUT_WR))
        return (asking: ends.0, answering: ends.1)
    }

    /// Two ends of equal rank, blocking and close-on-exec.
    package static func connectedEnds() throws(IOError) -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .last(.socketpair) }
        return (ends[0], ends[1])
    }

    /// Sends one message without waiting; `descriptors` travel with it and stay the caller's.
    /// A full channel is EAGAIN.
    package static func send(
        _ bytes: [UInt8], with descriptors: [Int32] = [], over end: Int32
    ) throws(IOError) {
        while true {
            let count = unsafe bytes.withUnsafeBytes {
                unsafe clinux_send_descriptors(
                    end, $0.baseAddress, UInt(bytes.count), descriptors, UInt(descriptors.count))
            }
            if count == bytes.count { return }
            guard errno == EINTR else { throw .last(.sendmsg) }
        }
    }

    /// What is there to be read from an end.
    package enum Reading: Sendable {
        /// One message, and the descriptors that came with it, which are the caller's.
        case message([UInt8], [Int32])
        /// More than `maximum` bytes; they are gone.
        case tooLong
        /// Nothing yet.
        case nothing
        /// The other end is closed.
        case end
    }

    /// Reads one message of at most `maximum` bytes without waiting; wipes what it does not hand on.
    package static func read(from end: Int32, maximum: Int) throws(IOError) -> Reading {
        // One more, because the kernel cuts what does not fit.
        var bytes = [UInt8](repeating: 0, count: maximum + 1)
        var batch = [Int32](repeating: -1, count: Int(CLINUX_DESCRIPTORS_MAXIMUM))
        var batchCount: UInt = 0
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe clinux_receive_descriptors(end, $0.baseAddress, UInt($0.count), &batch, &batchCount)
        }
        let code = errno
        guard count >= 0 else {
            if code == EAGAIN || code == EWOULDBLOCK || code == EINTR { return .nothing }
            throw .system(.recvmsg, code: code)
        }
        let descriptors = Array(batch.prefix(Int(batchCount)))
        if count == 0 || count > maximum {
            wipe(&bytes)
            for descriptor in descriptors { close(descriptor) }
            return count == 0 ? .end : .tooLong
        }
        bytes.removeLast(bytes.count - count)
        return .message(bytes, descriptors)
    }
}

/// The askers' end of a `QuestionChannel` in one process.
package final class QuestionAsker: Sendable {
    private let descriptor: Int32
    private let executor: RingExecutor

    /// Uses `descriptor`, which stays open as long as the process lives.
    package init(using descriptor: Int32, on executor: RingExecutor) {
        self.descriptor = descriptor
        self.executor = executor
    }

    /// Asks and waits for the answer, of at most `maximum` bytes. Throws `closed` when the answerer is gone or does
    /// not want to answer, EAGAIN when too many questions wait.
    package func ask(
        _ question: [UInt8], answerMaximum maximum: Int, deadline: Instant, scope: CancellationScope
    ) async throws(IOError) -> [UInt8] {
        let (own, other) = try QuestionChannel.connectedEnds()
        defer { executor.kernel.close(own) }
        do {
            defer { close(other) }
            try QuestionChannel.send(question, with: [other], over: descriptor)
        }
        while true {
            switch try QuestionChannel.read(from: own, maximum: maximum) {
            case .message(let answer, let descriptors):
                for descriptor in descriptors { close(descriptor) }
                return answer
            case .nothing:
                let completion = await executor.perform(
                    .poll(events: UInt32(POLLIN)), on: own, deadline: deadline, scope: scope)
                _ = try completion.value(of: .poll)
            case .tooLong, .end: throw .closed
            }
        }
    }
}

/// The way back to who asked a question; it closes with the last reference.
package final class QuestionReply: Sendable {
    private let descriptor: Int32

    /// Takes over `descriptor`, which came with the question.
    package init(adopting descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// Whether the asker still waits.
    package var isAwaited: Bool {
        var watch = pollfd(fd: descriptor, events: 0, revents: 0)
        return unsafe poll(&watch, 1, 0) == 0
    }

    /// Answers; nobody hears it when the asker has given up.
    package func send(_ answer: [UInt8]) {
        do throws(IOError) { try QuestionChannel.send(answer, over: descriptor) } catch {}
    }
}
