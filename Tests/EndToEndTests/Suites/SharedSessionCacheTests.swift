import Glibc
import Testing

/// TLS sessions without tickets, gone on with at whichever worker a client comes to.
@Suite("TLS sessions across workers", .endToEnd, .beyondNginx) struct SharedSessionCacheTests {
    private static let withoutTickets = ["ssl_session_tickets off;", "ssl_protocols TLSv1.2;"]

    /// The session that one connection made, as openssl writes it; and whether others go on with it.
    private struct Session {
        let site: Site
        let file: String

        init(_ site: Site) throws {
            self.site = site
            file = site.stage.directory.path("session.pem")
            #expect(try connect("-sess_out", .imap).contains("New, TLSv1.2"))
        }

        /// How many of so many connections go on with it.
        func resumptions(of count: Int, _ mail: Mail = .imap) throws -> Int {
            var resumed = 0
            for _ in 0..<count where try connect("-sess_in", mail).contains("Reused, TLSv1.2") { resumed += 1 }
            return resumed
        }

        private func connect(_ option: String, _ mail: Mail) throws -> String {
            let endpoint = try site.gateway.endpoint(mail)
            let result = try site.stage.run([
                "/usr/bin/openssl", "s_client", "-connect", "\(endpoint)", "-tls1_2", option, file,
            ])
            #expect(result.succeeded, "\(result)")
            return result.output
        }
    }

    @Test("one worker's session is gone on with at another, after a reload, and after that worker was killed")
    func acrossWorkers() throws {
        try Site.runSecurely(
            implicitly: true, parameters: "reuseport", workers: 2,
            directives: Self.withoutTickets + ["ssl_session_cache shared:tls:1m;"]
        ) { site, _ in
            try waitUntil("two workers") { site.gateway.occurrences(of: "event method") == 2 }
            let session = try Session(site)
            #expect(try session.resumptions(of: 16) == 16)
            #expect(site.gateway.workersThatServed.count == 2, "or it would show nothing")
            try site.gateway.reload()
            #expect(try session.resumptions(of: 8) == 8)
            for round in 1...2 {
                let victim = try #require(site.gateway.workers.min())
                kill(victim, SIGKILL)
                try waitUntil("its successor") {
                    site.gateway.workers.count == 2 && site.gateway.occurrences(of: "event method") == 2 + round
                }
                #expect(try session.resumptions(of: 4) == 4)
            }
            // The other servers have other names for their sessions (security-checklist A8).
            #expect(try session.resumptions(of: 2, .pop3) == 0)
        }
    }

    @Test("so is one of TLS 1.3, whose tickets are names of sessions then")
    func version13() throws {
        try Site.runSecurely(
            implicitly: true, parameters: "reuseport", workers: 2,
            directives: ["ssl_session_tickets off;", "ssl_session_cache shared:tls:1m;"]
        ) { site, _ in
            try waitUntil("two workers") { site.gateway.occurrences(of: "event method") == 2 }
            for _ in 0..<8 {
                let options = #"{"version": "TLSv1_3", "resume": true, "say": ["n1 NOOP"]}"#
                let report = try site.tlsClient(.imap, "implicit", options)
                #expect(report.resumed == true && report.version == "TLSv1.3", "\(report)")
            }
            #expect(site.gateway.workersThatServed.count == 2, "or it would show nothing")
        }
    }

    @Test("with builtin each worker knows its own only, and with none nobody does")
    func otherCaches() throws {
        for cache in ["builtin", "none"] {
            try Site.runSecurely(
                implicitly: true, parameters: "reuseport", workers: 2,
                directives: Self.withoutTickets + ["ssl_session_cache \(cache);"]
            ) { site, _ in
                try waitUntil("two workers") { site.gateway.occurrences(of: "event method") == 2 }
                let session = try Session(site)
                let resumed = try session.resumptions(of: 16)
                #expect(site.gateway.workersThatServed.count == 2, "or it would show nothing")
                #expect(cache == "none" ? resumed == 0 : resumed > 0 && resumed < 16)
            }
        }
    }

    @Test("a session's time is over when ssl_session_timeout says so, also for who has it in memory")
    func timeout() throws {
        try Site.runSecurely(
            implicitly: true, workers: 1,
            directives: Self.withoutTickets + ["ssl_session_cache shared:tls:1m;", "ssl_session_timeout 1s;"]
        ) { site, _ in
            let session = try Session(site)
            try waitUntil("its end") { try session.resumptions(of: 1) == 0 }
        }
    }
}
