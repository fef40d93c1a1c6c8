import AsyncIO
import Glibc

/// The line between master and worker: handovers go down it, an answer to each comes back, and its end
/// says that the other has gone.
struct ControlChannel: Sendable {
    private let channel: DescriptorChannel

    /// What a worker says about a handover, one byte.
    enum Answer: UInt8, Sendable {
        /// It serves as the handover says.
        case accepted = 1
        /// It cannot, and goes on as before; the log says why.
        case refused = 2
    }

    /// A handover and the descriptors that came with it: of `newcomers`, then of `zones`.
    struct Delivery: Sendable {
        let handover: WorkerHandover
        let descriptors: [Int32]

        /// Closes the descriptors, where nobody will.
        func discard() { for descriptor in descriptors { Glibc.close(descriptor) } }
    }

    /// Takes over an end of a pair, which is non-blocking.
    init(adopting descriptor: Int32, scope: CancellationScope) {
        channel = DescriptorChannel(adopting: descriptor, scope: scope)
    }

    /// A connected pair: the master's end, non-blocking, and the child's, blocking until it has read
    /// the first handover. Both are close-on-exec; spawning clears that for the child's.
    static func pair() throws(StartFailure) -> (master: Int32, child: Int32) {
        do throws(IOError) {
            let (master, child) = try DescriptorChannel.pair()
            setNonBlocking(master)
            return (master, child)
        } catch {
            throw StartFailure("\(error)")
        }
    }

    // MARK: The master's end

    /// Sends a handover; `descriptors` are those of its newcomers and zones unless they are inherited.
    func send(_ handover: WorkerHandover, with descriptors: [Int32]) async throws(IOError) {
        guard var bytes = handover.encoded else { preconditionFailure("the size was checked before") }
        defer { wipe(&bytes) }
        try await channel.send(bytes, with: descriptors)
    }

    /// The worker's next answer; nil when it has gone.
    func answer() async -> Answer? {
        var descriptors: [Int32] = []
        do throws(IOError) {
            return Answer(rawValue: try await channel.receive(1, with: &descriptors)[0])
        } catch {
            // Its end is noticed by whoever waits for the process.
            return nil
        }
    }

    // MARK: The worker's end

    /// Says how a handover went; a master that has gone does not hear it.
    func send(_ answer: Answer) async {
        do throws(IOError) { try await channel.send([answer.rawValue]) } catch {}
    }

    /// The next handover; nil where not all of its descriptors came, `closed` when the master has gone.
    func delivery() async throws(IOError) -> Delivery? {
        var descriptors: [Int32] = []
        do throws(IOError) {
            let prefix = try await channel.receive(WorkerHandover.prefixCount, with: &descriptors)
            guard let (count, length) = WorkerHandover.announced(by: prefix) else { throw .closed }
            var bytes = try await channel.receive(length, with: &descriptors)
            defer { wipe(&bytes) }
            guard let handover = WorkerHandover(decoding: bytes), handover.descriptorCount == count else {
                throw .closed
            }
            guard descriptors.count == count else {
                // At this process's limit the kernel leaves some out (MSG_CTRUNC); the message itself is whole.
                for descriptor in descriptors { Glibc.close(descriptor) }
                return nil
            }
            return Delivery(handover: handover, descriptors: descriptors)
        } catch {
            for descriptor in descriptors { Glibc.close(descriptor) }
            throw error
        }
    }

    /// Reads the first handover, in the worker, before its executor runs; the descriptor is non-blocking afterwards.
    static func readHandover(from descriptor: Int32) throws(StartFailure) -> Delivery {
        let prefix = try read(WorkerHandover.prefixCount, from: descriptor)
        guard let (count, length) = WorkerHandover.announced(by: prefix), count == 0 else {
            throw StartFailure("the master's handover is longer than \(WorkerHandover.bytesMaximum) bytes")
        }
        var bytes = try read(length, from: descriptor)
        defer { wipe(&bytes) }
        guard let handover = WorkerHandover(decoding: bytes), handover.inherited.count == handover.descriptorCount
        else { throw StartFailure("the master's handover is malformed") }
        setNonBlocking(descriptor)
        return Delivery(handover: handover, descriptors: handover.inherited)
    }

    private static func read(_ count: Int, from descriptor: Int32) throws(StartFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let received = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress?.advanced(by: filled), count - filled)
            }
            if received < 0, errno == EINTR { continue }
            guard received > 0 else {
                let failure = received == 0 ? StartFailure("the master has gone") : .lastError("read()")
                wipe(&bytes)
                throw failure
            }
            filled += received
        }
        return bytes
    }

    private static func setNonBlocking(_ descriptor: Int32) {
        // Cannot fail for a descriptor that is open.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }
}
