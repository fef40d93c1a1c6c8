import Glibc
import Testing

/// Limits that count in all workers: `limit_conn` and `limit_login`.
@Suite("Limits across workers", .endToEnd, .beyondNginx) struct SharedLimitTests {
    /// Two workers with sockets of their own, over which the kernel spreads the clients.
    private static func run(
        behaviour: AuthService.Behaviour = .auth, parameters: String = "", _ directives: [String],
        _ body: (Site) throws -> Void
    ) throws {
        let adjust: (inout GatewayConfiguration) -> Void = {
            $0.workers = 2
            $0.mail += directives
            for index in $0.servers.indices { $0.servers[index].parameters = "reuseport \(parameters)" }
        }
        try Site.run(backEnds: .ok, behaviour: behaviour, adjust: adjust) { site, _ in
            try waitUntil("two workers") { site.gateway.occurrences(of: "event method") == 2 }
            try body(site)
        }
    }

    // MARK: Sessions

    @Test("as many sessions of an address as are allowed, in both workers together, and after one of them was killed")
    func sessionsOfAnAddress() throws {
        let limit = 24
        try Self.run(["limit_conn_zone $binary_remote_addr zone=addresses:1m;", "limit_conn addresses \(limit);"]) {
            site in
            var clients = try Self.fill(site)
            #expect(clients.count == limit)
            #expect(site.gateway.workersThatServed.count == 2, "or it would show nothing")
            #expect(
                site.gateway.log.contains(
                    #/\[error\] \d+#\d+: \*\d+ limiting connections by zone "addresses", client: /#))
            _ = try clients[0].logIn(.imap, as: .ann)

            clients.removeLast().close()
            try waitUntil("the place to be free again") {
                let client = try RawClient(site.gateway.endpoint(.imap))
                guard try client.line().hasPrefix("* OK") else { return false }
                clients.append(client)
                return true
            }

            let victim = site.gateway.workers[0]
            kill(victim, SIGKILL)
            try waitUntil("its successor") {
                site.gateway.workers.count == 2 && site.gateway.occurrences(of: "event method") == 3
            }
            let survivors = clients.filter { $0.isAnswered(.imap) }
            #expect(survivors.count < limit && !survivors.isEmpty)
            let newcomers = try Self.fill(site)
            #expect(survivors.count + newcomers.count == limit, "the dead worker's sessions are gone, nobody else's")

            // New workers' sessions count with the old ones' (worker_priority is taken on at birth).
            try site.gateway.rewrite({ $0.main.append("worker_priority 1;") }, on: site.stage)
            try site.gateway.reload()
            let alive = (survivors + newcomers).count { $0.isAnswered(.imap) }
            #expect(alive == limit)
            #expect(try Self.fill(site).isEmpty)
        }
    }

    /// Connects until it is refused.
    private static func fill(_ site: Site) throws -> [RawClient] {
        var clients: [RawClient] = []
        while clients.count < 100 {
            let client = try RawClient(site.gateway.endpoint(.imap))
            let greeting = try client.line()
            guard greeting.hasPrefix("* OK") else {
                #expect(greeting == "* BYE [LIMIT] Too many connections")
                #expect(try client.untilEnd().isEmpty)
                return clients
            }
            clients.append(client)
        }
        return clients
    }

    @Test("a session too many is refused in its protocol's words, before and after the login", arguments: Mail.allCases)
    func words(mail: Mail) throws {
        let directives = [
            "limit_conn_zone $remote_addr zone=addresses:32k;",
            "limit_conn_zone $remote_addr$auth_user zone=pairs:32k;",
            "limit_conn addresses 2;", "limit_conn pairs 1;",
        ]
        let (early, late) = mail.limitReplies
        try Self.run(directives) { site in
            let first = try site.gateway.greetedClient(mail)
            #expect(try first.logIn(mail, as: .ann).hasPrefix(mail.loggedInPrefix))
            let asked = try site.auth.requests.count
            // Right or wrong, nobody is asked (security-checklist G4).
            for password in [Account.ann.password, "wrong"] {
                let second = try site.client(mail)
                #expect(try second.logIn(mail, as: .ann, password: password) == late)
                #expect(try second.untilEnd().isEmpty)
            }
            #expect(try site.auth.requests.count == asked)
            let other = try site.client(mail)
            #expect(try other.logIn(mail, as: .bob).hasPrefix(mail.loggedInPrefix))
            #expect(try RawClient(site.gateway.endpoint(mail)).line() == early)
            first.close()
            try waitUntil("the places to be free again") {
                let client = try RawClient(site.gateway.endpoint(mail))
                guard try client.line().hasPrefix(mail.greetingPrefix) else { return false }
                return try client.logIn(mail, as: .ann).hasPrefix(mail.loggedInPrefix)
            }
        }
    }

    @Test(
        "the address counts that the PROXY header names, IPv6 by its network, IPv4 in either form (security-checklist D3)"
    )
    func resolvedAddresses() throws {
        let directives = [
            "set_real_ip_from 127.0.0.0/8;", "limit_conn_zone $remote_addr zone=addresses:32k;",
            "limit_conn addresses 1;",
        ]
        try Self.run(parameters: "proxy_protocol", directives) { site in
            func greeting(_ family: String, _ address: String) throws -> (RawClient, Bool) {
                let client = try RawClient(site.gateway.endpoint(.imap))
                let server = family == "TCP4" ? "198.51.100.1" : "2001:db8::143"
                client.say("PROXY \(family) \(address) \(server) 1000 143")
                return (client, try client.line().hasPrefix("* OK"))
            }
            let rows: [(String, String, Bool)] = [
                ("TCP4", "192.0.2.1", true), ("TCP4", "192.0.2.1", false), ("TCP6", "::ffff:192.0.2.1", false),
                ("TCP4", "192.0.2.2", true), ("TCP6", "2001:db8:0:1::1", true), ("TCP6", "2001:db8:0:1:ffff::2", false),
                ("TCP6", "2001:db8:0:2::1", true),
            ]
            var clients: [RawClient] = []
            for (family, address, isAdmitted) in rows {
                let (client, wasAdmitted) = try greeting(family, address)
                #expect(wasAdmitted == isAdmitted, "\(address)")
                clients.append(client)
            }
            #expect(
                site.gateway.log.contains("limiting connections by zone \"addresses\", client: 2001:db8:0:1:ffff::2"))
        }
    }

    @Test("a dry run tells and refuses nobody")
    func dryRun() throws {
        let directives = [
            "limit_conn_zone $remote_addr zone=addresses:32k;", "limit_conn addresses 1;", "limit_conn_dry_run on;",
            "limit_conn_log_level warn;",
        ]
        try Self.run(directives) { site in
            let first = try site.gateway.greetedClient(.imap)
            try site.expectHealthy(.imap)
            #expect(site.gateway.log.contains(#/\[warn\] .* limiting connections, dry run, by zone "addresses"/#))
            #expect(first.isAnswered(.imap))
        }
    }

    // MARK: Failed logins

    private static let lockOut = [
        "limit_login_zone $remote_addr zone=guesses:1m;", "limit_login zone=guesses burst=3 delay=0 window=1h;",
    ]

    private static func guess(_ site: Site, _ password: String, at mail: Mail = .imap) throws -> String {
        let client = try site.gateway.greetedClient(mail)
        return try client.logIn(mail, as: .ann, password: password)
    }

    @Test("failed logins lock out in both workers, after one was killed, and after a reload (security-checklist G4)")
    func lockOuts() throws {
        try Self.run(Self.lockOut) { site in
            for password in ["one", "two", "three"] {
                #expect(try Self.guess(site, password) == Mail.imap.loginFailed)
            }
            let asked = try site.auth.requests.count
            #expect(asked == 3)
            func expectLockOut() throws {
                for round in 0..<8 {
                    let password = round % 2 == 0 ? Account.ann.password : "wrong \(round)"
                    #expect(try Self.guess(site, password) == Mail.imap.lockOutReply)
                }
            }
            try expectLockOut()
            #expect(site.gateway.workersThatServed.count == 2, "or it would show nothing")
            // Whichever counted them: none of their deaths opens the door.
            for round in 1...2 {
                let victim = try #require(site.gateway.workers.min())
                kill(victim, SIGKILL)
                try waitUntil("its successor") {
                    site.gateway.workers.count == 2 && site.gateway.occurrences(of: "event method") == 2 + round
                }
                try expectLockOut()
            }
            try site.gateway.reload()
            try expectLockOut()
            #expect(try site.auth.requests.count == asked, "nobody is asked")
            #expect(site.gateway.log.contains(#/\[warn\] .* limiting logins by zone "guesses", client: 127\./#))
            for other in [Mail.pop3, .smtp] {
                #expect(try Self.guess(site, Account.ann.password, at: other) == other.lockOutReply)
            }
        }
    }

    @Test("the same wrong password counts once, however often it is said")
    func staleClient() throws {
        try Self.run(Self.lockOut) { site in
            for _ in 0..<10 { #expect(try Self.guess(site, "stale") == Mail.imap.loginFailed) }
            let answer = try Self.guess(site, Account.ann.password)
            #expect(answer.hasPrefix("a1 OK"))
            #expect(site.gateway.workersThatServed.count == 2, "or it would show nothing")
        }
    }

    @Test("the guide's example does what the guide says")
    func guide() throws {
        let block = try #require(
            DocumentedConfigurationTests.blocks.first { $0.place.hasPrefix("docs/guides/limits.md:") })
        try Self.run([block.text]) { site in
            let session = try site.gateway.greetedClient(.imap)
            _ = try session.logIn(.imap, as: .ann)
            for attempt in 1...5 { #expect(try Self.guess(site, "wrong \(attempt)") == Mail.imap.loginFailed) }
            let answer = try Self.guess(site, Account.ann.password)
            #expect(answer == Mail.imap.lockOutReply)
            #expect(site.gateway.log.contains("limiting logins by zone \"guesses\""))
            // Another user at the same address is not locked out yet, and who is logged in stays.
            try Self.expectBob(site)
            #expect(session.isAnswered(.imap))
        }
    }

    private static func expectBob(_ site: Site) throws {
        let client = try site.gateway.greetedClient(.imap)
        #expect(try client.logIn(.imap, as: .bob).hasPrefix("a1 OK"))
    }

    @Test("a zone of another size begins anew, and the gateway goes on")
    func resizedZone() throws {
        try Self.run(Self.lockOut) { site in
            for password in ["one", "two", "three"] { _ = try Self.guess(site, password) }
            #expect(try Self.guess(site, Account.ann.password) == Mail.imap.lockOutReply)
            try site.gateway.rewrite(
                { configuration in
                    configuration.mail = configuration.mail.map { $0.replacing("guesses:1m", with: "guesses:2m") }
                }, on: site.stage)
            try site.gateway.reload()
            #expect(try Self.guess(site, Account.ann.password).hasPrefix("a1 OK"))
        }
    }

    @Test("reloads leave no descriptor and no mapping behind")
    func reloads() throws {
        try Self.run(Self.lockOut) { site in
            let processes = site.gateway.workers + [site.gateway.process.pid]
            func held() -> [Int] {
                processes.map { openDescriptors(of: $0) } + processes.map { sharedMappings(of: $0) }
            }
            try site.gateway.reload()
            let before = held()
            #expect(
                before.suffix(3) == [3, 3, 1], "head and other regions, our own, the rest; all of it for the master")
            for _ in 0..<10 { try site.gateway.reload() }
            // The last answers are on their way for a moment.
            try waitUntil("what it was") { held() == before }
        }
    }

    @Test("without a master there is one region, and the limits hold")
    func alone() throws {
        try Site.run(
            backEnds: .ok,
            adjust: {
                $0.main.append("master_process off;")
                $0.mail +=
                    Self.lockOut + ["limit_conn_zone $remote_addr zone=addresses:32k;", "limit_conn addresses 2;"]
            }
        ) { site, _ in
            for password in ["one", "two", "three"] { _ = try Self.guess(site, password) }
            #expect(try Self.guess(site, Account.ann.password) == Mail.imap.lockOutReply)
            site.gateway.process.signal(SIGHUP)
            try waitUntil("the reload") { site.gateway.log.contains("reconfigured") }
            #expect(try Self.guess(site, Account.ann.password) == Mail.imap.lockOutReply)
            let clients = try Self.fill(site)
            #expect(clients.count == 2)
        }
    }
}

extension Site {
    /// A greeted client, as soon as there is a place: whoever was sent away has one until it has gone.
    fileprivate func client(_ mail: Mail) throws -> RawClient {
        var admitted: RawClient?
        try waitUntil("a place") {
            let client = try RawClient(gateway.endpoint(mail))
            if try client.line().hasPrefix(mail.greetingPrefix) { admitted = client }
            return admitted != nil
        }
        return try #require(admitted)
    }
}

/// How many mappings of zones a process has.
private func sharedMappings(of process: pid_t) -> Int {
    textOfFile("/proc/\(process)/maps").split(separator: "\n").count { $0.contains("memfd:mailgateway") }
}

extension GatewayUnderTest {
    /// The workers to which clients came, by the lines of its log.
    var workersThatServed: Set<Substring> {
        Set(log.matches(of: #/ (\d+)#\d+: \*\d+ client [^ ]+ connected to /#).map(\.1))
    }
}

extension Mail {
    /// What a session too many hears in place of the greeting, and in place of an answer to its login.
    fileprivate var limitReplies: (early: String, late: String) {
        switch self {
        case .imap: ("* BYE [LIMIT] Too many connections", "a1 NO [LIMIT] Too many connections")
        case .pop3: ("-ERR [SYS/TEMP] Too many connections", "-ERR [IN-USE] Too many connections")
        case .smtp:
            (
                "421 4.7.0 gateway.example.test Too many connections",
                "421 4.7.0 gateway.example.test Too many connections"
            )
        }
    }

    /// What everybody hears who is locked out.
    fileprivate var lockOutReply: String {
        switch self {
        case .imap: "a1 NO [LIMIT] Too many failed logins, try again later"
        case .pop3: "-ERR [SYS/TEMP] Too many failed logins, try again later"
        case .smtp: "421 4.7.0 gateway.example.test Too many failed logins, try again later"
        }
    }
}
