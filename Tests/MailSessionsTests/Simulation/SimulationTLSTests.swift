import AsyncIO
import MailSessions
import TestSupport
import Testing

/// Whole sessions by seed with TLS on either leg or both, from the first byte or by agreement.
@Suite struct SimulationTLSTests {
    @Test(
        "cuts, delays, few buffers: every byte arrives once through TLS", arguments: MailProtocol.allCases,
        SimulationSecurity.all)
    func gentleHistories(_ mailProtocol: MailProtocol, _ security: SimulationSecurity) async throws {
        let tls = try SimulationTLS(security)
        for seed in SimulationTests.seeds(1...10) {
            let outcome = try await SimulationStage(mailProtocol: mailProtocol, seed: seed, tls: tls).play()
            outcome.expectEverythingOnce("\(mailProtocol) \(security) SIMULATION_SEED=\(seed)\(outcome.history)")
        }
    }

    @Test(
        "resets and exhaustion: nothing arrives through TLS that was not sent", arguments: MailProtocol.allCases,
        SimulationSecurity.all)
    func hostileHistories(_ mailProtocol: MailProtocol, _ security: SimulationSecurity) async throws {
        let tls = try SimulationTLS(security)
        for seed in SimulationTests.seeds(1001...1010) {
            let outcome = try await SimulationStage(
                mailProtocol: mailProtocol, seed: seed, faults: .hostile, tls: tls
            ).play()
            outcome.expectNoLeak("\(mailProtocol) \(security) SIMULATION_SEED=\(seed)")
            outcome.expectNothingInvented("\(mailProtocol) \(security) SIMULATION_SEED=\(seed)")
        }
    }

    @Test(
        "cancelled at every turn, a session with TLS ends", arguments: MailProtocol.allCases,
        [
            SimulationSecurity(client: .atOnce, backEnd: .whenAgreed),
            SimulationSecurity(client: .whenAgreed, backEnd: .atOnce),
        ])
    func cancelledAtEveryTurn(_ mailProtocol: MailProtocol, _ security: SimulationSecurity) async throws {
        let tls = try SimulationTLS(security)
        // A seed with buffers enough that a handshake takes few turns.
        for seed in SimulationTests.seeds(14...14) {
            var stage = SimulationStage(
                mailProtocol: mailProtocol, seed: seed, tls: tls, clients: 1...1, length: 60)
            for turn in 1... {
                stage.interruptedAt = turn
                let outcome = try await stage.play()
                let comment: Comment = "\(mailProtocol) \(security) SIMULATION_SEED=\(seed), cancelled at turn \(turn)"
                outcome.expectNoLeak(comment)
                outcome.expectNothingInvented(comment)
                outcome.expectNoAlarm(comment)
                guard outcome.turns < turn else { continue }
                guard case .ended(.relayed(.finished, _, _, _)) = outcome.events[1]?.last else {
                    Issue.record("this history is not worth interrupting: \(outcome.history)")
                    break
                }
                break
            }
        }
    }
}
