/// Clients that trouble nobody but stay: each sends one byte of its login every now and then, in clear.
///
/// They log in after some seconds and go on as slowly, with commands that do nothing. What the server answers is
/// taken and not looked at; a session that the server ends ends the run.
final class SlowClients {
    /// How often some of them send a byte, in milliseconds.
    static let tick: Int32 = 10
    /// The time between two bytes of one client, in milliseconds.
    private static let interval: Int32 = 500

    private static let login = Array("a LOGIN bench@example.com secret\r\n".utf8)
    private static let idle = Array("n NOOP\r\n".utf8)

    private var clients: [Client] = []
    /// Who sends next.
    private var next = 0
    private let share: Int
    private var lastTick = now()

    /// Connects `count` IMAP clients.
    init(_ count: Int, generator: LoadGenerator) throws(HarnessError) {
        share = max(1, count * Int(Self.tick) / Int(Self.interval))
        for _ in 0..<count { clients.append(try Client(generator)) }
    }

    /// Lets some of them send a byte when it is time.
    func tick() {
        let time = now()
        guard time - lastTick >= UInt64(Self.tick) * 1_000_000 else { return }
        lastTick = time
        for _ in 0..<share {
            clients[next].step()
            next = (next + 1) % clients.count
        }
    }

    private final class Client: EventHandler {
        private unowned let generator: LoadGenerator
        private let descriptor: Int32
        private var position = 0

        init(_ generator: LoadGenerator) throws(HarnessError) {
            self.generator = generator
            descriptor = try generator.connect()
            _ = try generator.loop.watch(descriptor, for: self)
        }

        func step() {
            let (login, idle) = (SlowClients.login, SlowClients.idle)
            let place = position < login.count ? position : (position - login.count) % idle.count
            let line = position < login.count ? login : idle
            // A socket that takes no byte is tried again at the next turn.
            if case .moved = LoopbackSocket.send(descriptor, line, place..<place + 1) { position += 1 }
        }

        func ready(isEnding: Bool) {
            while true {
                switch LoopbackSocket.receive(descriptor, into: &generator.loop.input, at: 0) {
                case .moved: continue
                case .wouldBlock: return
                case .ended, .failed: return generator.fail(HarnessError("the server ended a slow session"))
                }
            }
        }
    }
}
