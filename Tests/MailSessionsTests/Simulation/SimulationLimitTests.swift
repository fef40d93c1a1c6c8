import AsyncIO
import MailSessions
import TestSupport
import Testing

/// The administrator's limits in whole sessions, in virtual time.
@Suite("Limits in simulated sessions") struct SimulationLimitTests {
    private static let user = Array("ann".utf8)

    /// A zone that this process counts in alone.
    private static func zone() throws -> SharedZone {
        try SharedZone(name: "test", regionCount: 1, regionBytes: 4096, slotBytes: 64, own: 0)
    }

    /// A service that refuses everybody.
    private static let refusal = SimulationScene.Behaviour.playsAndStays([
        .hear(line: "GET / HTTP/1.1"),
        .say(line: "HTTP/1.1 200 OK\r\nAuth-Status: no\r\nAuth-Wait: 1\r\nContent-Length: 0\r\n"),
    ])

    private static func lockingOut(
        _ mailProtocol: MailProtocol, _ zone: SharedZone, service: SimulationScene.Behaviour
    ) -> SimulationScene {
        var scene = SimulationScene.loggingIn(mailProtocol)
        scene.service = service
        scene.zones = ["guesses": zone]
        scene.configure = { settings in
            var limit = LoginLimit(zone: "guesses", key: .user)
            limit.burst = 2
            settings.limits.logins = [limit]
        }
        return scene
    }

    private static func fail(_ password: String, in zone: SharedZone, at now: Instant) throws {
        let subject = try #require(LimitKey.user.subject(.unix(""), user: user))
        let attempt = LoginAttempt(method: .plain, login: user, password: Secret(Array(password.utf8)), number: 1)
        _ = FailedLogins(zone).count(attempt, of: subject, window: .seconds(600), at: now)
    }

    @Test(
        "who is locked out reads the same with a right and a wrong password, and nobody is asked (security-checklist G4)",
        arguments: MailProtocol.allCases)
    func lockOut(_ mailProtocol: MailProtocol) async throws {
        var heard: [String] = []
        for service in [SimulationScene.acceptance, Self.refusal, .absent] {
            let zone = try Self.zone()
            // The simulation's clock begins near zero.
            for password in ["a", "b"] { try Self.fail(password, in: zone, at: Instant(nanoseconds: 1_000_000)) }
            let outcome = try await Self.lockingOut(mailProtocol, zone, service: service).play()
            #expect(outcome.end == .limited)
            #expect(outcome.elapsed < .seconds(2))
            let limited = outcome.events.count {
                if case .limited(.logins, "guesses", false) = $0 { true } else { false }
            }
            let asked = outcome.events.contains { if case .authenticatorFailed = $0 { true } else { false } }
            #expect(limited == 1 && !asked)
            heard.append(outcome.heard)
        }
        #expect(Set(heard).count == 1 && heard[0].contains("Too many failed logins, try again later"))
    }

    @Test("one failure below the limit is asked about", arguments: MailProtocol.allCases)
    func belowTheLimit(_ mailProtocol: MailProtocol) async throws {
        let zone = try Self.zone()
        try Self.fail("a", in: zone, at: Instant(nanoseconds: 1_000_000))
        let outcome = try await Self.lockingOut(mailProtocol, zone, service: Self.refusal).play()
        let refused = outcome.events.contains { if case .loginRefused = $0 { true } else { false } }
        #expect(refused && outcome.end != .limited)
        let subject = try #require(LimitKey.user.subject(.unix(""), user: Self.user))
        #expect(
            FailedLogins(zone).count(of: subject, window: .seconds(600), at: Instant(nanoseconds: 2_000_000_000)) == 2)
    }

    @Test("the answer to a failed login is held back, and to a right one not", arguments: MailProtocol.allCases)
    func delay(_ mailProtocol: MailProtocol) async throws {
        for (service, bounds) in [(Self.refusal, 8.0...20.0), (SimulationScene.acceptance, 0.0...2.0)] {
            let zone = try Self.zone()
            var scene = Self.lockingOut(mailProtocol, zone, service: service)
            scene.backEnd = .absent
            scene.configure = { settings in
                var limit = LoginLimit(zone: "guesses", key: .user)
                limit.delay = .seconds(8)
                settings.limits.logins = [limit]
                settings.timeout = .seconds(10)
            }
            let outcome = try await scene.play()
            #expect(bounds.contains(outcome.elapsed / .seconds(1)), "\(outcome.elapsed)")
        }
    }

    @Test("one session too many is told so in its protocol's words, before and after the login")
    func connections() async throws {
        let early = [
            MailProtocol.imap: "* BYE [LIMIT] Too many connections\r\n",
            .pop3: "-ERR [SYS/TEMP] Too many connections\r\n", .smtp: "421 4.7.0 mx Too many connections\r\n",
        ]
        let late = [
            MailProtocol.imap: "a NO [LIMIT] Too many connections\r\n",
            .pop3: "-ERR [IN-USE] Too many connections\r\n", .smtp: "421 4.7.0 mx Too many connections\r\n",
        ]
        for mailProtocol in MailProtocol.allCases {
            for (key, words) in [(LimitKey.address, early), (.user, late)] {
                for isDryRun in [false, true] {
                    let zone = try Self.zone()
                    var scene = SimulationScene.loggingIn(mailProtocol)
                    scene.service = SimulationScene.acceptance
                    // Whoever speaks before it is greeted may not hear why it has to go.
                    if key == .address { scene.client = [] }
                    scene.zones = ["sessions": zone]
                    scene.configure = { settings in
                        settings.limits.connections = [ConnectionLimit(zone: "sessions", key: key, maximum: 1)]
                        settings.limits.isDryRun = isDryRun
                    }
                    // In the simulation clients come from 127.0.0.1.
                    let subject = try #require(
                        key.subject(.ipv4(.loopback, port: 0), user: Self.user))
                    let other = try SharedCounts(zone).take(subject, maximum: 1)
                    let outcome = try await scene.play()
                    #expect(outcome.heard.hasSuffix(words[mailProtocol] ?? "?") != isDryRun, "\(outcome.heard)")
                    #expect((outcome.end == .limited) != isDryRun)
                    #expect(SharedCounts(zone).count(of: subject) == 1, "the session's own place came back")
                    withExtendedLifetime(other) {}
                    let reported = outcome.events.contains {
                        if case .limited(.connections, "sessions", let dry) = $0 { dry == isDryRun } else { false }
                    }
                    #expect(reported)
                }
            }
        }
    }
}
