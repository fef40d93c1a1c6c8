import AsyncIO
import MailSessions
import Synchronization

/// The real thing in the middle: accepts clients, gives them places, and serves each in a child task.
struct SimulationGateway: Sendable {
    let server: MailServer
    let executor: RingExecutor
    /// The observer of `server`.
    let recorder: Recorder
    /// Clients come through a load balancer.
    var expectsProxyHeader = false
    /// Nothing is said in clear.
    var beginsWithTLS = false
    /// Of all sessions; cancelled to end them.
    let sessions: CancellationScope

    /// All events of all sessions, by their numbers.
    final class Recorder: SessionObserver {
        private let events = Mutex<[UInt64: [SessionEvent]]>([:])

        var isTracing: Bool { false }

        func observe(_ event: SessionEvent, in context: SessionContext) {
            events.withLock { $0[context.number, default: []].append(event) }
        }

        var all: [UInt64: [SessionEvent]] { events.withLock { $0 } }
    }

    /// Serves the clients of `descriptor` until `scope` is cancelled and the last session is over.
    func serve(_ descriptor: Int32, at address: SocketAddress, until scope: CancellationScope) async {
        await withDiscardingTaskGroup { group in
            var number: UInt64 = 0
            await SimulationGateway.acceptAll(descriptor, until: scope) { connection in
                guard server.clients.take() else {
                    let socket = Socket(adopting: connection, scope: scope)
                    if !beginsWithTLS { socket.sendAtOnce(server.farewell(.busy)) }
                    return
                }
                number += 1
                let session = MailSession(
                    number: number,
                    connection: Descriptor(adopting: connection, of: executor, place: server.clients),
                    listener: address, expectsProxyHeader: expectsProxyHeader, beginsWithTLS: beginsWithTLS,
                    server: server, scope: sessions)
                group.addTask { await session.run() }
            }
        }
    }

    /// Hands every connection of a listener to `body`; waits a little when descriptors have run out.
    static func acceptAll(
        _ descriptor: Int32, until scope: CancellationScope, _ body: (Int32) -> Void
    ) async {
        let acceptor = Acceptor(listening: descriptor, scope: scope)
        while true {
            do throws(IOError) {
                for connection in try await acceptor.next() { body(connection) }
            } catch .cancelled {
                return
            } catch {
                do throws(IOError) {
                    try await scope.executor.sleep(until: scope.executor.now + .milliseconds(50), scope: scope)
                } catch {
                    // What was accepted before the cancellation is still to be handed out.
                }
            }
        }
    }
}
