import AsyncIO
import TestSupport

/// One end of a connection that plays a script: says what it has to say, and remembers all it hears.
struct SimulationPeer {
    let socket: Socket
    /// Everything that came, in order.
    private(set) var heard: [UInt8] = []
    /// The other side ended its stream.
    private(set) var hasEnded = false
    private let deadline: Instant
    /// What it does where a plan says `secure`.
    private let handshake: SimulationHandshake?

    init(_ socket: Socket, _ handshake: SimulationHandshake? = nil) {
        self.socket = socket
        self.handshake = handshake
        // Far beyond every timeout of a session: who still waits then waits for a session that hangs.
        deadline = socket.executor.now + .seconds(72 * 3600)
    }

    /// Plays `turns`; `breath` is said together with the last words.
    mutating func play(
        _ turns: [SimulationPlan.Turn], isPipelined: Bool = false, breath: [UInt8] = []
    ) async throws(IOError) {
        if isPipelined {
            // Nothing is said in advance that TLS has to come before.
            let start = turns.lastIndex { if case .secure = $0 { true } else { false } }.map { $0 + 1 } ?? 0
            try await play(Array(turns[..<start]))
            let turns = turns[start...]
            let expected = heard.count + turns.heard.count
            // Reads while it talks, else both sides could wait for the other to read (RFC 2920 §3.1).
            async let said: Void = SimulationPeer.tell(turns.said + breath, over: socket, until: deadline)
            try await hear(expected)
            return await said
        }
        let last = turns.lastIndex { if case .say = $0 { true } else { false } }
        var expected = heard.count
        for (index, turn) in turns.enumerated() {
            switch turn {
            case .say(let bytes): try await say(index == last ? bytes + breath : bytes)
            case .hear(let bytes):
                expected += bytes.count
                try await hear(expected)
            case .secure: try await handshake?.perform(on: socket, until: deadline)
            case .end: socket.shutdownSending()
            case .rest(let duration):
                try await socket.executor.sleep(until: socket.executor.now + duration, scope: socket.scope)
            }
        }
    }

    /// Says `bytes`; if they do not arrive, that shows in what is heard.
    private static func tell(_ bytes: [UInt8], over socket: Socket, until deadline: Instant) async {
        do throws(IOError) { try await socket.send(bytes, deadline: deadline) } catch {}
    }

    func say(_ bytes: [UInt8]) async throws(IOError) { try await socket.send(bytes, deadline: deadline) }

    /// Waits until `count` bytes have come in all.
    mutating func hear(_ count: Int) async throws(IOError) {
        while heard.count < count {
            try await hearMore()
            if hasEnded { throw .closed }
        }
    }

    /// Waits for the next bytes, or for the end.
    mutating func hearMore() async throws(IOError) {
        var queue = ByteQueue()
        if try await socket.receive(into: &queue, deadline: deadline) == 0 { hasEnded = true }
        heard += queue.takeAll()
    }

    /// Hears everything until the end.
    mutating func hearAll() async throws(IOError) { while !hasEnded { try await hearMore() } }

    /// Sends everything back that comes behind the first `start` bytes, until the end.
    mutating func echo(from start: Int) async throws(IOError) {
        var said = start
        while true {
            let bytes = Array(heard[said...])
            said = heard.count
            try await say(bytes)
            if hasEnded { return }
            try await hearMore()
        }
    }

    /// Says `bytes` in pieces, with pauses.
    static func babble(_ bytes: [UInt8], over socket: Socket, seed: UInt64) async throws(IOError) {
        var random = SeededRandom(seed: seed)
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...64, using: &random))
            rest = rest.dropFirst(piece.count)
            try await socket.send(Array(piece), deadline: socket.executor.now + .seconds(72 * 3600))
            guard random.chance(0.3) else { continue }
            let pause = Duration.milliseconds(Int.random(in: 0...30, using: &random))
            try await socket.executor.sleep(until: socket.executor.now + pause, scope: socket.scope)
        }
    }
}

/// The two peers of a plan.
extension SimulationPlan {
    /// Plays the client; returns all that it heard, whatever became of it.
    func playClient(
        at address: SocketAddress, _ handshake: SimulationHandshake?, on executor: RingExecutor
    ) async -> [UInt8] {
        let scope = CancellationScope(on: executor)
        async let gone: Void = vanish(scope)
        var heard: [UInt8] = []
        do throws(IOError) {
            let socket = try await Dialer.connect(to: address, deadline: .never, scope: scope)
            var peer = SimulationPeer(socket, handshake)
            do throws(IOError) {
                try await talk(as: &peer)
            } catch {
                // Turned away while it still talked: the last words may be there nevertheless.
                do throws(IOError) { try await peer.hearAll() } catch {}
            }
            heard = peer.heard
        } catch {
            // Never connected, never heard anything.
        }
        scope.cancel()
        await gone
        return heard
    }

    private func vanish(_ scope: CancellationScope) async {
        guard leaving == .vanish else { return }
        var random = SeededRandom(seed: seed)
        let delay = Duration.milliseconds(Int.random(in: 0...1500, using: &random))
        do throws(IOError) {
            try await scope.executor.sleep(until: scope.executor.now + delay, scope: scope)
        } catch {
            // It had ended before.
        }
        scope.cancel()
    }

    private func talk(as peer: inout SimulationPeer) async throws(IOError) {
        try await peer.play(client, isPipelined: isPipelined, breath: Array(up.prefix(behind)))
        if isGarbled { return try await peer.hearAll() }
        let socket = peer.socket
        async let said = succeeds { () async throws(IOError) in
            try await SimulationPeer.babble(Array(up.dropFirst(behind)), over: socket, seed: seed)
            if leaving == .halfClose { socket.shutdownSending() }
        }
        do throws(IOError) {
            if leaving == .quit { try await peer.hear(clientHears.count) } else { try await peer.hearAll() }
        } catch {
            _ = await said
            throw error
        }
        _ = await said
    }

    /// Plays the back-end on a connection that was accepted; returns all that it heard.
    func playBackEnd(over socket: Socket, _ handshake: SimulationHandshake?) async -> [UInt8] {
        var peer = SimulationPeer(socket, handshake)
        do throws(IOError) {
            try await peer.play(backEnd)
            let start = backEnd.heard.count
            if isEchoing {
                try await peer.echo(from: start)
            } else {
                async let said = succeeds { () async throws(IOError) in
                    try await SimulationPeer.babble(down, over: socket, seed: seed &+ 1)
                    if leaving == .backEndFirst { socket.shutdownSending() }
                }
                do throws(IOError) { try await peer.hearAll() } catch {}
                _ = await said
            }
        } catch {
            // As the client.
        }
        return peer.heard
    }

    /// Whether `body` comes to its end.
    private func succeeds(_ body: () async throws(IOError) -> Void) async -> Bool {
        do throws(IOError) {
            try await body()
            return true
        } catch {
            return false
        }
    }
}
