import AsyncIO
import Foundation
import MailSessions
import TestSupport
import Testing

/// Silence and refusals wherever they can happen: each session ends in time, and its client is told in
/// the words of its protocol.
@Suite struct SimulationDeadlineTests {
    /// The protocol's words for a failure that is not the client's.
    static func internalError(_ mailProtocol: MailProtocol) -> String {
        switch mailProtocol {
        case .imap: "* BAD internal server error\r\n"
        case .pop3: "-ERR internal server error\r\n"
        case .smtp: "451 4.3.2 Internal server error\r\n"
        }
    }

    /// Within a minute and what the simulation's delays add to it.
    private func isMinute(_ duration: Duration) -> Bool { duration >= .seconds(59) && duration < .seconds(62) }

    @Test(arguments: MailProtocol.allCases)
    func aSilentClientIsToldAndLeft(_ mailProtocol: MailProtocol) async throws {
        let outcome = try await SimulationScene(mailProtocol: mailProtocol).play()
        let farewell =
            switch mailProtocol {
            case .imap: "* OK IMAP4 ready\r\n* BYE Connection timed out\r\n"
            case .pop3: "+OK POP3 ready\r\n-ERR Connection timed out\r\n"
            case .smtp: "220 mx ESMTP ready\r\n421 4.4.2 mx Connection timed out\r\n"
            }
        #expect(outcome.heard == farewell)
        #expect(outcome.end == .timedOut)
        #expect(isMinute(outcome.elapsed))
    }

    @Test("a client that dribbles has no more time than one that is silent", arguments: MailProtocol.allCases)
    func theTimeoutIsABudget(_ mailProtocol: MailProtocol) async throws {
        var scene = SimulationScene(mailProtocol: mailProtocol)
        // The first word is waited for elsewhere than those behind it.
        scene.client = Array(repeating: [.rest(.seconds(40)), .say([65])], count: 3).flatMap(\.self)
        scene.configure = { $0.timeout = .seconds(100) }
        let outcome = try await scene.play()
        #expect(outcome.end == .timedOut)
        #expect(outcome.elapsed < .seconds(125))
    }

    @Test("a client that goes without a word", arguments: MailProtocol.allCases)
    func aClientThatGoes(_ mailProtocol: MailProtocol) async throws {
        var scene = SimulationScene(mailProtocol: mailProtocol)
        scene.client = [.rest(.seconds(1)), .end]
        let outcome = try await scene.play()
        #expect(outcome.heard.split(separator: "\r\n").count == 1)
        #expect(outcome.end == .clientFailed(.closed))
    }

    @Test(arguments: MailProtocol.allCases)
    func aSilentServiceEndsTheSession(_ mailProtocol: MailProtocol) async throws {
        let outcome = try await SimulationScene.loggingIn(mailProtocol).play()
        #expect(outcome.heard.hasSuffix(SimulationDeadlineTests.internalError(mailProtocol)))
        #expect(outcome.end == .unavailable)
        #expect(
            outcome.events.contains {
                if case .authenticatorFailed(.unreachable(_, .timedOut)) = $0 { true } else { false }
            })
        #expect(isMinute(outcome.elapsed))
    }

    @Test(arguments: MailProtocol.allCases)
    func anAbsentServiceEndsTheSession(_ mailProtocol: MailProtocol) async throws {
        var scene = SimulationScene.loggingIn(mailProtocol)
        scene.service = .absent
        let outcome = try await scene.play()
        #expect(outcome.heard.hasSuffix(SimulationDeadlineTests.internalError(mailProtocol)))
        #expect(outcome.end == .unavailable)
        #expect(outcome.elapsed < .seconds(5))
    }

    @Test("a service that only ever says WAIT is given up", arguments: MailProtocol.allCases)
    func endlessWait(_ mailProtocol: MailProtocol) async throws {
        var scene = SimulationScene.loggingIn(mailProtocol)
        scene.capacities = 1024...2048
        scene.service = .plays([
            .hear(line: "GET / HTTP/1.1"), .say(line: "HTTP/1.1 200 OK\r\nAuth-Status: WAIT\r\nConnection: close\r\n"),
        ])
        let outcome = try await scene.play()
        #expect(outcome.end == .unavailable)
        #expect(outcome.events.contains { if case .authenticatorFailed(.endlessWait) = $0 { true } else { false } })
    }

    @Test("a service that breaks off in the middle of an answer has read the question, and is not asked again")
    func aBrokenAnswerIsNotAskedForTwice() async throws {
        var scene = SimulationScene.loggingIn(.pop3)
        let refusal = "HTTP/1.1 200 OK\r\nAuth-Status: sorry\r\nAuth-Wait: 1\r\nContent-Length: 0\r\n"
        // Over one connection: refuses, hears the beginning of the next question, breaks off.
        scene.service = .plays([
            .hear(line: "GET / HTTP/1.1"), .say(line: refusal), .hear([UInt8](repeating: 0, count: 200)),
            .say(line: "HTTP/1.1 200 OK"),
        ])
        scene.client += [.hear(line: "+OK POP3 ready\r\n+OK\r\n-ERR sorry"), .say(line: "USER ann\r\nPASS secret")]
        let outcome = try await scene.play()
        #expect(outcome.heard.hasSuffix("-ERR sorry\r\n+OK\r\n-ERR internal server error\r\n"))
        #expect(outcome.end == .unavailable)
    }

    /// Of a body of ten bytes.
    private static let half = "Content-Length: 10\r\n\r\nhalf"

    @Test("a service that ends, or falls silent, in the body of its answer has answered: a refusal")
    func aBodyThatDoesNotComeIsNoFailure() async throws {
        let answer: [SimulationPlan.Turn] = [
            .hear(line: "GET / HTTP/1.1"), .say(line: "HTTP/1.1 200 OK\r\nAuth-Status: sorry\r\n\(Self.half)"),
        ]
        for service in [SimulationScene.Behaviour.plays(answer), .playsAndStays(answer)] {
            var scene = SimulationScene.loggingIn(.pop3)
            scene.capacities = 1024...2048
            scene.service = service
            let outcome = try await scene.play()
            #expect(outcome.heard.hasSuffix("+OK\r\n-ERR sorry\r\n"))
            #expect(outcome.end == .refused)
        }
    }

    @Test("the same over a connection that was kept")
    func aBodyThatDoesNotComeOverAKeptConnection() async throws {
        var scene = SimulationScene.loggingIn(.pop3)
        scene.capacities = 1024...2048
        let refusal = "HTTP/1.1 200 OK\r\nAuth-Status: sorry\r\nAuth-Wait: 1\r\nContent-Length: 0\r\n"
        // The pause is longer than what the next question takes.
        scene.service = .plays([
            .hear(line: "GET / HTTP/1.1"), .say(line: refusal), .rest(.seconds(5)),
            .say(line: "HTTP/1.1 200 OK\r\nAuth-Status: again\r\n\(Self.half)"),
        ])
        scene.client += [.hear(line: "+OK POP3 ready\r\n+OK\r\n-ERR sorry"), .say(line: "USER ann\r\nPASS secret")]
        let outcome = try await scene.play()
        #expect(outcome.heard.hasSuffix("-ERR sorry\r\n+OK\r\n-ERR again\r\n"))
        #expect(outcome.end == .refused)
    }

    @Test("the same with a login that is let in")
    func aBodyThatDoesNotComeLetsIn() async throws {
        var scene = SimulationScene.loggingIn(.pop3)
        scene.capacities = 1024...2048
        scene.service = .plays([
            .hear(line: "GET / HTTP/1.1"), .say(line: "HTTP/1.1 200 OK\r\nAuth-Status: OK\r\n\(Self.half)"),
        ])
        scene.backEnd = .playsAndStays([.say(line: "+OK\r\n+OK\r\n+OK in")])
        scene.configure = { $0.proxy.timeout = .seconds(10) }
        let outcome = try await scene.play()
        #expect(outcome.heard.hasSuffix("+OK in\r\n"))
        guard case .relayed = outcome.end else {
            Issue.record("\(outcome.events)")
            return
        }
    }

    @Test(arguments: MailProtocol.allCases)
    func aSilentBackEndEndsTheSession(_ mailProtocol: MailProtocol) async throws {
        var scene = SimulationScene.loggingIn(mailProtocol)
        scene.service = SimulationScene.acceptance
        let outcome = try await scene.play()
        #expect(outcome.heard.hasSuffix(SimulationDeadlineTests.internalError(mailProtocol)))
        #expect(outcome.end == .unavailable)
        #expect(outcome.events.contains { if case .backEndFailed(.io(.timedOut)) = $0 { true } else { false } })
        #expect(isMinute(outcome.elapsed))
    }

    @Test(arguments: MailProtocol.allCases)
    func anAbsentBackEndEndsTheSession(_ mailProtocol: MailProtocol) async throws {
        var scene = SimulationScene.loggingIn(mailProtocol)
        scene.service = SimulationScene.acceptance
        scene.backEnd = .absent
        let outcome = try await scene.play()
        #expect(outcome.heard.hasSuffix(SimulationDeadlineTests.internalError(mailProtocol)))
        #expect(
            outcome.events.contains {
                if case .backEndFailed(.io(.system(.connect, code: ECONNREFUSED))) = $0 { true } else { false }
            })
        #expect(outcome.end == .unavailable)
    }

    @Test(
        "who still talks when it is sent away with a temporary error is listened to, and reads it",
        arguments: MailProtocol.allCases)
    func whoStillTalksReadsTheTemporaryError(_ mailProtocol: MailProtocol) async throws {
        // Nobody to ask, and nobody to log in at.
        for service in [SimulationScene.Behaviour.absent, SimulationScene.acceptance] {
            var scene = SimulationScene.loggingIn(mailProtocol)
            scene.service = service
            scene.backEnd = .absent
            // Long after the failure, and within the time that a client is listened to for: a connection that is closed
            // takes no more words.
            scene.client += [.rest(.milliseconds(900)), .say(line: "x NOOP")]
            let outcome = try await scene.play()
            #expect(outcome.heard.hasSuffix(SimulationDeadlineTests.internalError(mailProtocol)))
            #expect(outcome.end == .unavailable)
            #expect(outcome.elapsed < .seconds(5))
        }
    }

    @Test("the back-end's own words reach the client only where that is configured", arguments: MailProtocol.allCases)
    func aRefusingBackEnd(_ mailProtocol: MailProtocol) async throws {
        let refusal = mailProtocol == .smtp ? "554 5.3.2 go away" : mailProtocol == .imap ? "* BYE go" : "-ERR go"
        for isPassedOn in [false, true] {
            var scene = SimulationScene.loggingIn(mailProtocol)
            scene.service = SimulationScene.acceptance
            scene.backEnd = .plays([.say(line: refusal)])
            scene.configure = { $0.proxy.passesErrorMessage = isPassedOn }
            let outcome = try await scene.play()
            let words = isPassedOn ? "\(refusal)\r\n" : SimulationDeadlineTests.internalError(mailProtocol)
            #expect(outcome.heard.hasSuffix(words))
            #expect(outcome.heard.contains("go") == isPassedOn)
            #expect(outcome.end == .unavailable)
        }
    }

    @Test("no place is left for the back-end's connection", arguments: MailProtocol.allCases)
    func workerConnectionsRunOut(_ mailProtocol: MailProtocol) async throws {
        var scene = SimulationScene.loggingIn(mailProtocol)
        scene.service = SimulationScene.acceptance
        // One for the client, one for the service, which is kept.
        scene.places = 2
        let outcome = try await scene.play()
        #expect(outcome.heard.hasSuffix(SimulationDeadlineTests.internalError(mailProtocol)))
        #expect(outcome.events.contains { if case .backEndFailed(.io(.noPlace)) = $0 { true } else { false } })
        scene.places = 1
        let alone = try await scene.play()
        #expect(
            alone.events.contains {
                if case .authenticatorFailed(.unreachable(_, .noPlace)) = $0 { true } else { false }
            })
        scene.places = 0
        scene.client = []
        let refused = try await scene.play()
        #expect(refused.events.isEmpty)
        #expect(refused.heard.contains("Too many connections"))
    }

    @Test func aSilentRelayEnds() async throws {
        var scene = SimulationScene.loggingIn(.pop3)
        scene.service = SimulationScene.acceptance
        scene.backEnd = .playsAndStays([.say(line: "+OK\r\n+OK\r\n+OK in")])
        scene.configure = { $0.proxy.timeout = .seconds(3600) }
        let outcome = try await scene.play()
        guard case .relayed(.timedOut, _, _, _) = outcome.end else {
            Issue.record("\(outcome.events)")
            return
        }
        #expect(outcome.elapsed >= .seconds(3600) && outcome.elapsed < .seconds(3605))
        #expect(outcome.heard.hasSuffix("+OK in\r\n"))
    }
}
