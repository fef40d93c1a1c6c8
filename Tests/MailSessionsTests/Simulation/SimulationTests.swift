import AsyncIO
import Foundation
import MailSessions
import TestSupport
import Testing

/// Whole sessions by seed: one seed is one history, so whatever fails can be repeated with SIMULATION_SEED.
@Suite struct SimulationTests {
    /// The seeds to run: those of the test, or what is asked for: `17`, or `1-5000` for a long run.
    static func seeds(_ range: ClosedRange<UInt64>) -> ClosedRange<UInt64> {
        let words = ProcessInfo.processInfo.environment["SIMULATION_SEED"]?.split(separator: "-") ?? []
        guard let first = words.first.flatMap({ UInt64($0) }), let last = words.last.flatMap({ UInt64($0) }),
            first <= last
        else { return range }
        return first...last
    }

    @Test("cuts, delays, few buffers: everyone is served, every byte arrives once", arguments: MailProtocol.allCases)
    func gentleHistories(_ mailProtocol: MailProtocol) async throws {
        for seed in SimulationTests.seeds(1...150) {
            let outcome = try await SimulationStage(mailProtocol: mailProtocol, seed: seed).play()
            outcome.expectEverythingOnce("\(mailProtocol) SIMULATION_SEED=\(seed)\(outcome.history)")
        }
    }

    @Test("resets and exhaustion: nothing arrives that was not sent, everything ends", arguments: MailProtocol.allCases)
    func hostileHistories(_ mailProtocol: MailProtocol) async throws {
        for seed in SimulationTests.seeds(1001...1150) {
            let outcome = try await SimulationStage(mailProtocol: mailProtocol, seed: seed, faults: .hostile).play()
            outcome.expectNoLeak("\(mailProtocol) SIMULATION_SEED=\(seed)")
            outcome.expectNothingInvented("\(mailProtocol) SIMULATION_SEED=\(seed)")
        }
    }

    @Test("cancelled at every step of a history, a session ends", arguments: MailProtocol.allCases)
    func cancelledAtEveryStep(_ mailProtocol: MailProtocol) async throws {
        var hasRelayed = false
        for seed in SimulationTests.seeds(6...8) {
            var stage = SimulationStage(mailProtocol: mailProtocol, seed: seed, clients: 1...1, length: 60)
            for turn in 1... {
                stage.interruptedAt = turn
                let outcome = try await stage.play()
                let comment: Comment = "\(mailProtocol) SIMULATION_SEED=\(seed), cancelled at turn \(turn)"
                outcome.expectNoLeak(comment)
                outcome.expectNothingInvented(comment)
                outcome.expectNoAlarm(comment)
                guard outcome.turns < turn else { continue }
                // It was over before: this is the history as it is without interruption.
                if case .ended(.relayed(.finished, _, _, _)) = outcome.events[1]?.last { hasRelayed = true }
                break
            }
        }
        #expect(hasRelayed, "no history is worth interrupting")
    }
}

extension SimulationStage.Outcome {
    /// Every client and every back-end that stayed heard all that was meant for it, once, and nothing is left behind.
    func expectEverythingOnce(_ comment: Comment) {
        expectNoLeak(comment)
        for (index, plan) in plans.enumerated() {
            let heard = clients[index]
            let arrived = backEnds[index]
            if plan.leaving == .vanish {
                #expect(plan.clientHears.starts(with: heard), comment)
                #expect(arrived.count <= 1, comment)
                #expect(arrived.allSatisfy { plan.backEndHears.starts(with: $0) }, comment)
            } else if plan.isGarbled {
                #expect(heard == plan.clientHears, comment)
                #expect(arrived.isEmpty, comment)
            } else {
                #expect(heard == plan.clientHears, comment)
                #expect(arrived == [plan.backEndHears], comment)
            }
        }
        expectGentleEnds(comment)
    }

    /// The events, for whoever repeats a history that failed.
    var history: String {
        events.sorted { $0.key < $1.key }.map { "\n  session \($0): \($1)" }.joined()
    }

    /// Nothing is left behind, and every session ended once.
    func expectNoLeak(_ comment: Comment) {
        #expect(leaks == [], comment)
        for (_, events) in events {
            #expect(events.count { if case .ended = $0 { true } else { false } } == 1, comment)
            if case .ended = events.last {} else { Issue.record("something came behind the end: \(comment)") }
        }
    }

    /// Every history without resets is relayed to its end, unless the client vanished or the service talked nonsense.
    func expectGentleEnds(_ comment: Comment) {
        guard !plans.contains(where: { $0.leaving == .vanish }) else { return }
        #expect(events.count == plans.count, comment)
        let relayed = events.values.count {
            if case .ended(.relayed(.finished, _, _, _)) = $0.last { true } else { false }
        }
        let unavailable = events.values.count { if case .ended(.unavailable) = $0.last { true } else { false } }
        #expect(unavailable == plans.count(where: \.isGarbled), comment)
        #expect(relayed + unavailable == plans.count, comment)
    }

    /// Whatever was heard is a prefix of what was said, perhaps with one last line of the gateway's.
    func expectNothingInvented(_ comment: Comment) {
        for (index, plan) in plans.enumerated() {
            #expect(areExplained(backEnds[index], by: plan), comment)
            #expect(isExplained(clients[index], by: plan), comment)
        }
    }

    /// One session arrived at most, or another one behind one that was lost at CAPA.
    private func areExplained(_ arrived: [[UInt8]], by plan: SimulationPlan) -> Bool {
        guard arrived.count == 2, let heard = plan.backEndHearsTwice else {
            return arrived.count < 2 && arrived.allSatisfy { plan.backEndHears.starts(with: $0) }
        }
        return heard.first.starts(with: arrived[0]) && heard.second.starts(with: arrived[1])
    }

    private func isExplained(_ heard: [UInt8], by plan: SimulationPlan) -> Bool {
        if plan.clientHears.starts(with: heard) { return true }
        let before = plan.clientHearsBefore
        let common = zip(heard, before).prefix { $0 == $1 }.count
        // A farewell may share its first bytes with the reply in whose place it stands.
        return (0...common).contains { cut in
            plan.farewells.contains { $0.starts(with: heard[cut...]) }
        }
    }

    /// A cancelled session blames nobody.
    func expectNoAlarm(_ comment: Comment) {
        for event in events.values.joined() {
            switch event {
            case .authenticatorFailed(.unreachable(_, .cancelled)), .backEndFailed(.io(.cancelled)),
                .clientFailed(.cancelled):
                Issue.record("\(event): \(comment)")
            default: break
            }
        }
    }
}

extension SimulationPlan {
    /// The last lines that a gateway may have for a client.
    var farewells: [[UInt8]] {
        let lines =
            switch mailProtocol {
            case .imap:
                ["* BYE Server shutting down", "* BAD internal server error", "a\(refusals) BAD internal server error"]
            case .pop3: ["-ERR [SYS/TEMP] Server shutting down", "-ERR internal server error"]
            case .smtp: ["421 4.3.2 mx Server shutting down", "451 4.3.2 Internal server error"]
            }
        return lines.map { Array("\($0)\r\n".utf8) }
    }
}
