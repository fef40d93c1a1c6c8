import Glibc

/// Accepts the connections of one listening descriptor, until its scope is cancelled.
///
/// One request serves all (multishot accept), so a burst may bring more than was asked for; those wait here. Where
/// other processes accept from the same queue, each request brings one, and a few more where several wait: the queue
/// is then everybody's, but a turn for each connection would cost more than what is done in it.
package final class Acceptor: CompletionHandler {
    /// How many connections are taken at once of those that other processes would take, too.
    package static let shareMaximum = 8

    private let descriptor: Int32
    private let scope: CancellationScope
    private var isAccepting = false
    private var accepted: [Int32] = []
    private var failure: IOError?
    private var waiter: Waiter<Void>?

    /// `descriptor` is listening and stays the caller's.
    package init(listening descriptor: Int32, scope: CancellationScope) {
        self.descriptor = descriptor
        self.scope = scope
        super.init(())
    }

    /// The descriptors of the connections that were accepted since, at least one; the caller then owns them.
    ///
    /// Throws `cancelled` once the scope is cancelled and nothing accepted is left; any other error
    /// (no descriptors left, say) ends this request, and calling again starts a new one.
    package func next() async throws(IOError) -> [Int32] {
        while accepted.isEmpty {
            if let failure {
                self.failure = nil
                throw failure
            }
            if !isAccepting {
                guard !scope.isCancelled else { throw .cancelled }
                isAccepting = true
                scope.executor.start(.acceptMany, on: descriptor, scope: scope, handler: self)
            }
            await Waiter.wait { waiter = consume $0 }
        }
        defer { accepted.removeAll() }
        return accepted
    }

    package override func completed(_ operation: Operation, _ completion: Completion) {
        if !completion.more { isAccepting = false }
        if completion.result >= 0 {
            accepted.append(completion.result)
            if completion.isFollowed, !completion.more, !scope.isCancelled { takeShare() }
        } else if -completion.result != ECONNABORTED {
            // A client that left the queue before it was accepted is not a failure of ours.
            do { _ = try completion.value(of: .accept4) } catch { failure = error }
        }
        waiter.take()?.resume(returning: ())
    }

    /// What goes wrong with these goes wrong again, and is told of, with the next request.
    private func takeShare() {
        while accepted.count < Acceptor.shareMaximum {
            let descriptor = scope.executor.kernel.acceptAtOnce(self.descriptor)
            guard descriptor >= 0 else { return }
            accepted.append(descriptor)
        }
    }
}
