/// Opens connections.
package enum Dialer {
    /// Connects to `address` before `deadline`; the socket belongs to `scope` and takes a place in `budget`.
    package static func connect(
        to address: SocketAddress, deadline: Instant, scope: CancellationScope, budget: ConnectionBudget? = nil
    ) async throws(IOError) -> Socket {
        guard budget?.take() ?? true else { throw .noPlace }
        return try await connect(to: address, deadline: deadline, scope: scope, holding: budget)
    }

    /// The same with a place in `budget` that is taken already; without a socket it is given back.
    /// - Parameter source: an address of ours to connect from, whose port may be 0; nil for whichever fits.
    package static func connect(
        to address: SocketAddress, from source: SocketAddress? = nil, deadline: Instant, scope: CancellationScope,
        holding budget: ConnectionBudget?
    ) async throws(IOError) -> Socket {
        let executor = scope.executor
        let descriptor: Int32
        do throws(IOError) {
            descriptor = try executor.kernel.openSocket(for: address)
        } catch {
            budget?.giveBack()
            throw error
        }
        executor.kernel.prepareStream(descriptor, towards: address)
        let socket = Socket(adopting: descriptor, scope: scope, place: budget)
        if let source { try executor.kernel.bind(descriptor, to: source) }
        let completion = await executor.perform(
            .connect, on: socket.descriptor, deadline: deadline, scope: scope,
            outgoing: Outgoing(connectingTo: address))
        _ = try completion.value(of: .connect)
        return socket
    }
}
