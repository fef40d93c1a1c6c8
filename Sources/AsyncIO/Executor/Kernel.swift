/// What the executor asks of whoever does its input and output: io_uring, epoll, or a simulation.
///
/// The contract: `start` never completes an operation itself; completions come out of `turn`, each
/// operation's last one without `more`, also after `cancel`. A send completes when all of it was
/// taken, or with what was taken before it failed. Errors are negated errnos.
package protocol Kernel: AnyObject {
    /// The name that `use` in `events {}` and the log know it by.
    var name: String { get }

    /// The receive buffers it lends from.
    var buffers: BufferPool { get }

    /// What it can do beyond the contract's minimum.
    var features: KernelFeatures { get }

    /// The clock that deadlines are measured with.
    var now: Instant { get }

    /// Takes `operation`; its descriptor, request and memory stay as they are until its last completion.
    func start(_ operation: Operation)

    /// Asks for the end of `operation`, which is in flight; it ends by a completion all the same.
    func cancel(_ operation: Operation)

    /// Submits what was started and hands every completion that is ready to `executor.complete`;
    /// waits for the first one until `deadline`, not at all when it is nil.
    ///
    /// `gathering`: a wait may go on for a moment after the first, where the kernel can (`KernelFeatures.gathering`).
    func turn(waitingUntil deadline: Instant?, gathering: Bool, for executor: RingExecutor)

    /// Gives a lent buffer back.
    func giveBack(buffer: UInt16)

    // MARK: Descriptors

    /// A new, non-blocking stream socket for addresses like `address`.
    func openSocket(for address: SocketAddress) throws(IOError) -> Int32

    /// Has `descriptor` connect from `address`; with port 0 the kernel chooses one when it knows where to.
    func bind(_ descriptor: Int32, to address: SocketAddress) throws(IOError)

    /// Closes `descriptor`; no operation on it is in flight.
    func close(_ descriptor: Int32)

    /// Accepts a connection that waits at `listener`: its descriptor, or a negated errno (`-EAGAIN`: none waits).
    func acceptAtOnce(_ listener: Int32) -> Int32

    /// Sends what the socket takes of `bytes` without waiting: how many, or a negated errno (`-EAGAIN`: none
    /// at present). No operation sends on `descriptor` meanwhile.
    ///
    /// Where `moreFollows`, they may stay behind until the next send or the stream's end, to leave in one segment with
    /// it (MSG_MORE): so one of the two has to follow.
    func sendAtOnce(_ bytes: RawSpan, on descriptor: Int32, moreFollows: Bool) -> Int

    /// Pipes to move bulk through without reading it; nil where that cannot be done.
    var pipes: PipePool? { get }

    /// Ends the stream towards the peer (FIN); what the peer sends can still be received.
    func shutdownSending(_ descriptor: Int32)

    /// Sets what every connection of ours has, before it is made: no delay for small segments, and to an `address` within
    /// the machine no congestion control, to any other keep-alive. Accepted ones inherit it from their listener
    /// (`ListeningSocket`).
    func prepareStream(_ descriptor: Int32, towards address: SocketAddress)

    /// Takes `descriptor`, whose peer is on this machine, out of the system's congestion control.
    func skipCongestionControl(_ descriptor: Int32)

    /// Who is at the other end; nil when it has gone.
    func peerAddress(of descriptor: Int32) -> SocketAddress?

    /// Which of our addresses `descriptor` is bound to.
    func localAddress(of descriptor: Int32) -> SocketAddress?

    /// A descriptor that other threads write to in order to end a waiting `turn`; nil where there are none.
    func openWakeUp() -> Int32?
}

extension Kernel {
    /// The same for bytes that nothing need follow.
    package func sendAtOnce(_ bytes: RawSpan, on descriptor: Int32) -> Int {
        sendAtOnce(bytes, on: descriptor, moreFollows: false)
    }

    /// The same for an array; whoever only has a last word to say need not care how much of it was taken.
    @discardableResult
    package func sendAtOnce(_ bytes: [UInt8], on descriptor: Int32) -> Int {
        unsafe sendAtOnce(bytes.span.bytes, on: descriptor)
    }
}

/// What a kernel offers beyond the minimum; each can be masked, so that the paths of older kernels are tested here.
package struct KernelFeatures: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// One receive fills several lent buffers (io_uring since 6.10; epoll by readv).
    package static let bundles = KernelFeatures(rawValue: 1)
    /// One accept request serves until cancelled (5.19).
    package static let multishotAccept = KernelFeatures(rawValue: 2)
    /// One receive request serves until cancelled (6.0).
    package static let multishotReceive = KernelFeatures(rawValue: 4)
    /// The ring's descriptor is registered, which saves a table look-up per call (5.18).
    package static let registeredRing = KernelFeatures(rawValue: 8)
    /// Bytes move from socket to socket through a pipe, without being copied (splice(2), any Linux).
    package static let splice = KernelFeatures(rawValue: 16)

    /// A wait may go on for a moment after the first completion, so that more are taken together (io_uring since 6.12).
    package static let gathering = KernelFeatures(rawValue: 32)

    package static let all: KernelFeatures = [
        .bundles, .multishotAccept, .multishotReceive, .registeredRing, .splice, .gathering,
    ]
}

extension KernelFeatures: CustomStringConvertible {
    package var description: String {
        let names: [(KernelFeatures, String)] = [
            (.bundles, "receive bundles"), (.multishotAccept, "multishot accept"),
            (.multishotReceive, "multishot receive"), (.registeredRing, "registered ring"), (.splice, "splice"),
            (.gathering, "gathering"),
        ]
        let present = names.filter { contains($0.0) }.map(\.1)
        return present.isEmpty ? "none" : present.joined(separator: ", ")
    }
}
