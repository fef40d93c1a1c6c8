/// Opens connections.
package enum Dialer {
    /// Connects to `address` before `deadline`; the socket belongs to `scope` and takes a place in `budget`.
    package static func connect(
        to address: SocketAddress, deadline: Instant, scope: CancellationScope, budget: ConnectionBudget? = nil
    ) async throws(IOError) -> Socket {
        let executor = scope.executor
        guard budget?.take() ?? true else { throw .noPlace }
        let descriptor: Int32
        do throws(IOError) {
            descriptor = try executor.kernel.openSocket(for: address)
        } catch {
            budget?.giveBack()
            throw error
        }
        executor.kernel.prepareStream(descriptor)
        let socket = Socket(adopting: descriptor, scope: scope, place: budget)
        let completion = await executor.perform(
            .connect, on: socket.descriptor, deadline: deadline, scope: scope,
            outgoing: Outgoing(connectingTo: address))
        _ = try completion.value(of: .connect)
        return socket
    }
}
