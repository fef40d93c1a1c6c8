import Glibc

/// Plays client, auth service and back-end of one exchange at a time, and notes what each of them sees.
final class ParityDirector {
    /// The longest wait for anything: nothing but a gateway that is stuck takes as long.
    private static let patience = Duration.seconds(10)

    let auth: ParityListener
    let backEnd: ParityListener

    /// - Parameter host: the address of both services.
    init(host: String) throws {
        auth = try ParityListener(host: host)
        backEnd = try ParityListener(host: host)
    }

    /// Plays an exchange with the gateway at `endpoint`.
    func play(_ exchange: ParityExchange, at endpoint: Endpoint) throws -> ParitySight {
        var scene = Scene(exchange, client: try ParityPeer(connectingTo: endpoint), backEnd.endpoint)
        var deadline = ContinuousClock.now + Self.patience
        while !scene.isOver {
            guard try step(&scene, until: deadline) else {
                scene.isStuck = true
                break
            }
            if scene.moved { deadline = .now + Self.patience }
        }
        return ParitySight(
            client: scene.client.received, endedByGateway: scene.endedByGateway, isStuck: scene.isStuck,
            questions: scene.questions.map(\.received), backEnds: scene.backEnds.map(\.peer.received))
    }

    /// Waits for anything and deals with it; false when nothing came in time.
    private func step(_ scene: inout Scene, until deadline: ContinuousClock.Instant) throws -> Bool {
        let peers = scene.openPeers
        var entries = ([auth.descriptor, backEnd.descriptor] + peers.map(\.descriptor)).map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        let remaining = max(.zero, deadline - .now)
        guard unsafe poll(&entries, nfds_t(entries.count), remaining.milliseconds) > 0 else { return false }
        if entries[0].revents != 0, let peer = auth.accept() { scene.questions.append(peer) }
        if entries[1].revents != 0, let peer = backEnd.accept() { scene.welcome(peer) }
        for (peer, entry) in zip(peers, entries[2...]) where entry.revents != 0 { peer.receive() }
        scene.proceed()
        return true
    }
}

/// Where an exchange stands.
private struct Scene {
    let exchange: ParityExchange
    let client: ParityPeer
    var questions: [ParityPeer] = []
    var backEnds: [ParityBackEnd] = []
    var isStuck = false
    private(set) var endedByGateway = false
    /// The client said something in the last step.
    private(set) var moved = false

    private let backEnd: Endpoint
    private var steps: ArraySlice<ParityExchange.Step>
    /// Bytes of the client that were there when it said its last line.
    private var seen = 0
    /// Lines that its last line is answered with.
    private var awaited = 1
    private var hasFinished = false
    private var answered: Set<Int32> = []
    private var closed: Set<Int32> = []

    init(_ exchange: ParityExchange, client: ParityPeer, _ backEnd: Endpoint) {
        self.exchange = exchange
        self.client = client
        self.backEnd = backEnd
        steps = exchange.allSteps[...]
        if !exchange.early.isEmpty {
            client.send(exchange.early)
            // The greeting and the answer to it, which else would pass for the answer to the next line.
            awaited = 2
        }
    }

    /// The gateway has ended the client's connection and those behind it.
    var isOver: Bool { client.hasEnded && openPeers.isEmpty }

    var openPeers: [ParityPeer] {
        ([client] + questions + backEnds.map(\.peer)).filter { !$0.hasEnded && !closed.contains($0.descriptor) }
    }

    mutating func welcome(_ peer: ParityPeer) { backEnds.append(ParityBackEnd(peer, exchange)) }

    mutating func proceed() {
        for (number, question) in questions.enumerated() where isComplete(question) {
            guard answered.insert(question.descriptor).inserted else { continue }
            if let answer = exchange.answer(to: number, backEnd: backEnd) { question.send(answer) }
            question.finishSending()
        }
        for index in backEnds.indices {
            backEnds[index].proceed()
            if backEnds[index].peer.hasEnded { backEnds[index].conclude() }
        }
        speak()
    }

    private func isComplete(_ question: ParityPeer) -> Bool {
        question.received.suffix(4).elementsEqual([13, 10, 13, 10])
    }

    /// Says what the client has to say now.
    private mutating func speak() {
        moved = false
        if client.hasEnded {
            if !hasFinished { endedByGateway = true }
            hasFinished = true
            return
        }
        while !hasFinished, client.received.last == 10, client.received[seen...].count(where: { $0 == 10 }) >= awaited {
            moved = true
            seen = client.received.count
            var isAnswered = false
            while !isAnswered {
                guard let step = steps.popFirst() else { return finish() }
                client.send(step.bytes)
                isAnswered = step.isAnswered
                awaited = step.lines
            }
        }
    }

    private mutating func finish() {
        hasFinished = true
        client.finishSending()
    }
}
