import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// A back-end login and a demo server, talking to each other in memory.
struct DialoguePair<Client: BackEndLogin, Server: Dialogue>
where Server.Question == DemoQuestion, Server.Answer == DemoAnswer, Server.Note == Never {
    var client: Client
    var server: Server
    var store: DemoStore
    /// How many bytes travel at once.
    var pieceCount = Int.max
    /// What travels and has not arrived.
    private var toServer: ArraySlice<UInt8> = []
    private var toClient: ArraySlice<UInt8> = []

    init(_ client: Client, _ server: Server, store: DemoStore = DemoFixture.store) {
        self.client = client
        self.server = server
        self.store = store
    }

    /// Runs until the login ends; nil if both wait for each other.
    mutating func logIn() -> BackEndOutcome? {
        var serverIsOver = false
        while true {
            var moved = false
            switch client.next() {
            case .finish(let outcome): return outcome
            case .send(let bytes): (toServer, moved) = (toServer + bytes, true)
            default: break
            }
            if !serverIsOver {
                switch server.next() {
                case .send(let bytes): (toClient, moved) = (toClient + bytes, true)
                case .ask(let question):
                    server.resume(store.answer(question, at: DemoFixture.now))
                    moved = true
                case .finish: serverIsOver = true
                default: break
                }
            }
            if !toServer.isEmpty || !toClient.isEmpty { moved = true }
            server.input.append(contentsOf: toServer.prefix(pieceCount))
            toServer = toServer.dropFirst(pieceCount)
            client.input.append(contentsOf: toClient.prefix(pieceCount))
            toClient = toClient.dropFirst(pieceCount)
            guard moved else { return nil }
        }
    }

    /// Says `text` to the server, which is logged in, and returns all it says to that.
    mutating func converse(_ text: String) -> String {
        server.input.append(contentsOf: Array(text.replacing("\n", with: "\r\n").utf8))
        var heard: [UInt8] = []
        while true {
            switch server.next() {
            case .send(let bytes): heard += bytes
            case .ask(let question): server.resume(store.answer(question, at: DemoFixture.now))
            default: return String(decoding: heard, as: UTF8.self).replacing("\r\n", with: "\n")
            }
        }
    }
}
