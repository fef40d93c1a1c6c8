import AsyncIO
import TestSupport
import Testing

@testable import MailSessions

/// Several authenticators in one server.
struct AuthenticatorChainTests {
    /// Decides always the same.
    struct Fixed: Authenticator {
        var decision: LoginDecision?

        func decide(
            _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
            report: (AuthenticatorFailure) -> Void
        ) async throws(AuthenticatorFailure) -> LoginDecision {
            guard let decision else { throw .overloaded }
            return decision
        }
    }

    private static let accepts = Fixed(
        decision: .accept(.configured, BackEndCredentials(login: Array("ann".utf8), password: nil)))
    private static let refuses = Fixed(decision: .refuse(text: Array("no".utf8), code: nil, wait: nil))
    private static let unknown = Fixed(decision: .unknown)
    private static let fails = Fixed(decision: nil)

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var authenticators: [Fixed]
        var outcome: String
    }

    static let cases = [
        Case(
            testDescription: "the first that knows accepts", authenticators: [unknown, accepts, refuses],
            outcome: "accept"),
        Case(
            testDescription: "the first that knows refuses", authenticators: [unknown, refuses, accepts], outcome: "no"),
        Case(
            testDescription: "a failure ends the asking", authenticators: [unknown, fails, accepts],
            outcome: "overloaded"),
        Case(testDescription: "a failure behind is not met", authenticators: [accepts, fails], outcome: "accept"),
        Case(
            testDescription: "nobody knows: as a wrong password (G2)", authenticators: [unknown, unknown],
            outcome: "Invalid login or password"),
    ]

    @Test(arguments: cases) func `they are asked in order`(_ row: Case) async throws {
        let outcome = try await onExecutor({ SimulatedKernel(seed: 1) }) { executor in
            let address = SocketAddress.unix("")
            let attempt = LoginAttempt(method: .plain, login: Array("ann".utf8), password: Secret([]), number: 1)
            do throws(AuthenticatorFailure) {
                let decision = try await AuthenticatorChain(row.authenticators).decide(
                    attempt, of: ClientFacts(address: address, localAddress: address),
                    in: CancellationScope(on: executor), report: { _ in })
                return switch decision {
                case .accept: "accept"
                case .refuse(let text, _, _, _): String(decoding: text, as: UTF8.self)
                case .unknown: "unknown"
                }
            } catch {
                return "\(error)"
            }
        }
        #expect(outcome == row.outcome)
    }
}
