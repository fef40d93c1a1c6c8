import Dispatch
import Synchronization
import Testing

/// Scripted IMAP back-ends behind an `upstream {}`, with a gateway in front that knows its users by itself.
struct BackEndGroup {
    let stage: Stage
    let gateway: GatewayUnderTest
    let members: [ScriptedBackEnd]

    /// Users `u0`, `u1` … whose password is `x`.
    static let users = 200

    /// Starts a member for each mode, and runs `body`.
    /// - Parameters:
    ///   - parameters: behind each member's address.
    ///   - lines: further lines of the group.
    ///   - directives: of `mail {}`.
    static func run(
        _ modes: [ScriptedBackEnd.Mode], parameters: (Int) -> String = { _ in "" }, lines: [String] = [],
        mail directives: [String] = [], workers: Int = 1, _ body: (BackEndGroup) throws -> Void
    ) throws {
        try Stage.run { stage in
            let members = try modes.map { try ScriptedBackEnd(on: stage, .imap, $0) }
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.workers = workers
            configuration.servers = configuration.servers.filter { $0.mail == .imap }
            configuration.mail[0] = accounts
            configuration.mail.append("proxy_pass pool; upstream pool {")
            configuration.mail += members.enumerated().map { "server \($1.endpoint) \(parameters($0));" }
            configuration.mail += lines + ["}"] + directives
            try body(
                BackEndGroup(
                    stage: stage, gateway: try GatewayUnderTest(on: stage, configuration), members: members))
        }
    }

    /// An `auth_file` of all users.
    static let accounts =
        "auth_file \"data:\((0..<users).map { "u\($0):{PLAIN}x" }.joined(separator: "\n"))\";"

    /// A client that has tried to log in, and the last line of its answer.
    func logIn(_ user: Int) throws -> (client: RawClient, answer: String) {
        let client = try gateway.greetedClient(.imap)
        return (client, try client.ask("a1 LOGIN u\(user) x"))
    }

    /// The last line that a user reads who tries to log in, and goes.
    func answer(to user: Int) throws -> String { try logIn(user).answer }

    /// Checks that a user can log in.
    func expectLogin(_ user: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let answer = try answer(to: user)
        #expect(answer.hasPrefix("a1 OK"), sourceLocation: sourceLocation)
    }

    /// Checks that a user is told to come again.
    func expectRefusal(_ user: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let answer = try answer(to: user)
        #expect(answer.hasPrefix("a1 NO [UNAVAILABLE] "), sourceLocation: sourceLocation)
    }

    /// Logs users in, some at the same time; returns the answers that are no success.
    func logInAll(_ users: Range<Int>, atOnce: Int = 8, between: @escaping @Sendable (Int) -> Void = { _ in })
        -> [String]
    {
        let failures = Mutex<[String]>([])
        let next = Mutex(users.lowerBound)
        let logIn: @Sendable (Int) throws -> String = { [endpoint = gateway.configuration.servers[0].endpoint] user in
            let client = try RawClient(endpoint)
            _ = try client.line()
            return try client.ask("a1 LOGIN u\(user) x")
        }
        DispatchQueue.concurrentPerform(iterations: atOnce) { _ in
            while true {
                let user = next.withLock { value in
                    defer { value += 1 }
                    return value
                }
                guard user < users.upperBound else { return }
                between(user)
                do {
                    let answer = try logIn(user)
                    if !answer.hasPrefix("a1 OK") { failures.withLock { $0.append("u\(user): \(answer)") } }
                } catch {
                    failures.withLock { $0.append("u\(user): \(error)") }
                }
            }
        }
        return failures.withLock { $0 }
    }

    /// By user, the place of the member that the log says it was last logged in at.
    var places: [String: Int] {
        var places: [String: Int] = [:]
        for line in gateway.log.split(separator: "\n") where line.contains("client logged in") {
            guard let user = line.firstMatch(of: /login: "([^"]+)"/)?.1,
                let upstream = line.firstMatch(of: /upstream: ([^, ]+)/)?.1,
                let place = members.firstIndex(where: { "\($0.endpoint)" == upstream })
            else { continue }
            places[String(user)] = place
        }
        return places
    }
}
