import Foundation
import Testing

/// TLS with real back-ends and the auth_http service, and what happens where it is not to be had.
@Suite("TLS with back-ends", .endToEnd, .beyondNginx) struct BackEndTLSTests {
    /// A stage with Dovecot and Postfix whose certificate is for `names`, and a gateway before them.
    private func run(
        _ security: String, names: [String], directives: (Certificates) -> [String], days: Range<Int> = -1..<90,
        headers: [String: String] = [:], mails: [Mail] = [.imap, .pop3],
        launcher: (Certificates) -> [String] = { _ in [] },
        _ body: (Site, Dovecot, Certificates) throws -> Void
    ) throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            try certificates.issue("back", names.map { $0 == "address" ? "IP:\(stage.host)" : $0 }, days: days)
            let identity = [certificates.path("back.pem"), certificates.path("back.key")]
            let dovecot = try Dovecot(on: stage, identity: identity)
            let postfix = mails.contains(.smtp) ? try Postfix(on: stage, identity: identity) : nil
            let isImplicit = security == "on"
            let nobody = try stage.freeEndpoint()
            let auth = try AuthService(
                on: stage,
                servers: [
                    .imap: isImplicit ? dovecot.imaps : dovecot.imap, .pop3: isImplicit ? dovecot.pop3s : dovecot.pop3,
                    .smtp: (isImplicit ? postfix?.smtps : postfix?.smtp) ?? nobody,
                ], headers: headers)
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail += ["proxy_ssl \(headers.isEmpty ? security : "off");"] + directives(certificates)
            let gateway = try GatewayUnderTest(on: stage, configuration, launcher: launcher(certificates))
            try body(Site(stage: stage, auth: auth, gateway: gateway, postfix: postfix), dovecot, certificates)
        }
    }

    private func trusting(_ certificates: Certificates) -> [String] {
        ["proxy_ssl_trusted_certificate \(certificates.authorityFile);"]
    }

    @Test("Dovecot is talked to through TLS", arguments: ["on", "starttls"], [Mail.imap, .pop3])
    func dovecot(security: String, mail: Mail) throws {
        try run(security, names: ["address"], directives: trusting) { site, dovecot, _ in
            // The second login goes on with the session of the first.
            for _ in 0..<2 {
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.logIn(mail, as: .ann).hasPrefix(mail.loggedInPrefix))
                #expect(client.isAnswered(mail))
            }
            try waitUntil("the login in Dovecot's log") {
                textOfFile(dovecot.log).split(separator: "\n").count {
                    $0.contains("Login: user=<ann>") && $0.contains(", TLS")
                }
                    == 2
            }
        }
    }

    @Test("Postfix is talked to through TLS", .needsPostfix, arguments: ["on", "starttls"])
    func postfix(security: String) throws {
        try run(security, names: ["address"], directives: trusting, mails: [.smtp]) { site, _, _ in
            let client = try site.gateway.greetedClient(.smtp)
            #expect(try client.logIn(.smtp, as: .ann) == "235 2.0.0 OK")
            #expect(try client.ask("MAIL FROM:<sender@example.test>").hasPrefix("250 "))
            #expect(try client.ask("RCPT TO:<\(Account.ann.address)>").hasPrefix("250 "))
            #expect(try client.ask("DATA").hasPrefix("354 "))
            #expect(try client.ask("Subject: secured\r\n\r\nbody\r\n.").hasPrefix("250 "))
            try site.waitForDelivery()
            let files = site.stage.directory.files(startingWith: "mail/ann/Maildir/new/")
            #expect(files.contains { textOfFile(site.stage.directory.path($0)).contains("using TLSv1.3") })
        }
    }

    @Test("a name from the configuration or the service is what the certificate must be for", arguments: [true, false])
    func names(fromService: Bool) throws {
        let headers = ["Auth-SSL-Backend": "starttls", "Auth-SSL-Backend-Name": "back.example.test"]
        try run(
            "starttls", names: ["back.example.test"],
            directives: { trusting($0) + (fromService ? [] : ["proxy_ssl_name back.example.test;"]) },
            headers: fromService ? headers : [:]
        ) { site, dovecot, _ in
            let client = try site.gateway.greetedClient(.imap)
            #expect(try client.logIn(.imap, as: .ann).hasPrefix("a1 OK"))
            try waitUntil("the login in Dovecot's log") { textOfFile(dovecot.log).contains(", TLS") }
        }
    }

    @Test(
        "a service asks for TLS where the configuration does not: the system's authorities vouch for the back-end",
        .enabled("file systems are root's to mount") { Postfix.isPossible }, arguments: ["on", "starttls"])
    func askedFor(security: String) throws {
        // The gateway sees the test's authority in the place of the system's.
        let mount = { (certificates: Certificates) in
            [
                "/usr/bin/unshare", "--mount", "/bin/sh", "-c", #"mount --bind "$0" "$1" && shift && exec "$@""#,
                certificates.authorityFile, "/etc/ssl/certs/ca-certificates.crt",
            ]
        }
        try run(
            security, names: ["back.example.test"], directives: { _ in [] },
            headers: ["Auth-SSL-Backend": security, "Auth-SSL-Backend-Name": "back.example.test"], launcher: mount
        ) { site, dovecot, _ in
            for mail in [Mail.imap, .pop3] {
                let client = try site.gateway.greetedClient(mail)
                let answer = try client.logIn(mail, as: .ann)
                #expect(answer.hasPrefix(mail.loggedInPrefix), "\(answer)")
            }
            try waitUntil("both logins in Dovecot's log") {
                textOfFile(dovecot.log).components(separatedBy: ", TLS").count == 3
            }
        }
    }

    @Test(
        "a service asks for TLS, and the back-end convinces nobody: no credential is sent",
        arguments: ["on", "starttls"])
    func askedForInVain(security: String) throws {
        try run(
            security, names: ["address"], directives: { _ in [] }, headers: ["Auth-SSL-Backend": security]
        ) { site, dovecot, _ in
            for mail in [Mail.imap, .pop3] {
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.logIn(mail, as: .ann) == mail.internalError)
            }
            try waitUntil("the reason in the log") {
                site.gateway.log.contains("upstream SSL certificate verify error: (")
            }
            #expect(!textOfFile(dovecot.log).contains("Login: user="))
        }
    }

    /// Back-ends whose certificate has a wrong name, is expired or is untrusted, as `what` says.
    private func runUnconvincing(
        _ what: String, _ security: String, mails: [Mail] = [.imap, .pop3],
        _ body: (Site, Dovecot, Certificates) throws -> Void
    ) throws {
        try run(
            security, names: [what == "wrong name" ? "other.example.test" : "address"],
            directives: { certificates in
                guard what == "untrusted" else { return trusting(certificates) }
                let stranger = try? Certificates(on: certificates.stage, folder: "stranger")
                return ["proxy_ssl_trusted_certificate \(stranger?.authorityFile ?? "");"]
            }, days: what == "expired" ? -20 ..< -10 : -1..<90, mails: mails, body)
    }

    @Test(
        "a back-end that cannot prove who it is gets no credential (security-checklist A4)",
        arguments: ["wrong name", "expired", "untrusted"], ["on", "starttls"])
    func unconvincing(what: String, security: String) throws {
        try runUnconvincing(what, security) { site, dovecot, _ in
            for mail in [Mail.imap, .pop3] {
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.logIn(mail, as: .ann) == mail.internalError)
            }
            try waitUntil("the reason in the log") {
                site.gateway.log.contains("upstream SSL certificate verify error: (")
                    && site.gateway.log.contains("while SSL handshaking to upstream")
            }
            #expect(!textOfFile(dovecot.log).contains("Login: user="))
            #expect(!site.gateway.log.contains(Account.ann.password))
        }
    }

    @Test(
        "a Postfix that cannot prove who it is gets no credential (security-checklist A4)", .needsPostfix,
        arguments: ["wrong name", "expired", "untrusted"], ["on", "starttls"])
    func unconvincingPostfix(what: String, security: String) throws {
        try runUnconvincing(what, security, mails: [.smtp]) { site, _, _ in
            let client = try site.gateway.greetedClient(.smtp)
            #expect(try client.logIn(.smtp, as: .ann) == Mail.smtp.internalError)
            try waitUntil("the reason in the log") {
                site.gateway.log.contains("upstream SSL certificate verify error: (")
            }
            let log = textOfFile(try #require(site.postfix).log)
            #expect(!log.contains("xclient") && !log.contains("client=127.0.0.1, sasl"), "\(log)")
        }
    }

    @Test(
        "Dovecot and Postfix without TLS get no credential where it is demanded (security-checklist A3)", .needsPostfix,
        arguments: Mail.allCases)
    func serversWithoutTLS(mail: Mail) throws {
        try Site.run(
            withPostfix: true, adjust: { $0.mail += ["proxy_ssl starttls;", "proxy_ssl_verify off;"] }
        ) { site in
            let client = try site.gateway.greetedClient(mail)
            #expect(try client.logIn(mail, as: .ann) == mail.internalError)
            try waitUntil("the reason in the log") {
                site.gateway.log.contains("upstream does not begin with TLS: \"")
            }
        }
    }

    @Test(
        "where TLS is demanded and not offered, or forestalled, no credential is sent (security-checklist A2, A3)",
        arguments: [ScriptedBackEnd.Mode.plain, .preauth, .inject], Mail.allCases)
    func failClosed(mode: ScriptedBackEnd.Mode, mail: Mail) throws {
        try Site.run(
            backEnds: mode,
            adjust: { $0.mail += ["proxy_ssl starttls;", "proxy_ssl_verify off;", "proxy_smtp_auth on;"] }
        ) { site, backEnds in
            let client = try site.gateway.greetedClient(mail)
            #expect(try client.logIn(mail, as: .ann) == mail.internalError)
            let said = try #require(backEnds[mail]).received
            for line in said.split(separator: "\r\n") {
                #expect(line.hasSuffix("STARTTLS") || line == "STLS" || line.hasPrefix("EHLO "), "\(said)")
            }
            #expect(!said.contains("ann") && !said.contains("horse"))
        }
    }

    @Test("the auth_http service is asked over https, on a connection that is kept")
    func service() throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            try certificates.issue("auth", ["auth.example.test"])
            let dovecot = try Dovecot(on: stage)
            let auth = try AuthService(
                on: stage, servers: [.imap: dovecot.imap],
                identity: [certificates.path("auth.pem"), certificates.path("auth.key")])
            for (name, expected) in [("auth.example.test", true), ("other.example.test", false)] {
                var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
                configuration.mail[0] = "auth_http https://\(auth.endpoint)/auth;"
                configuration.mail += [
                    "auth_http_ssl_trusted_certificate \(certificates.authorityFile);", "auth_http_ssl_name \(name);",
                ]
                let gateway = try GatewayUnderTest(on: stage, configuration)
                for _ in 0..<2 {
                    let client = try gateway.greetedClient(.imap)
                    let answer = try client.logIn(.imap, as: .ann)
                    #expect(answer.hasPrefix(expected ? "a1 OK" : Mail.imap.internalError), "\(answer)")
                }
                if !expected { #expect(gateway.log.contains("SSL certificate verify error: (62:")) }
                gateway.process.stop()
            }
            let requests = try auth.requests
            #expect(requests.count == 2 && Set(requests.map(\.connection)).count == 1)
        }
    }

    @Test("TLS on both sides: messages cross whole")
    func bothSides() throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            try certificates.issue("back", ["IP:\(stage.host)"])
            try certificates.issue("gateway", ["IP:\(stage.host)"])
            let dovecot = try Dovecot(
                on: stage, identity: [certificates.path("back.pem"), certificates.path("back.key")])
            let auth = try AuthService(on: stage, servers: [.imap: dovecot.imaps])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail += ["proxy_ssl on;"] + trusting(certificates) + certificates.directives("gateway")
            configuration.servers[0].parameters = "ssl"
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let body = (0..<200_000).map { "line \($0)\r\n" }.joined()
            try Dovecot.deliver("Subject: large\r\n\r\n\(body)", named: "1.large", to: .ann, on: stage)
            let fetch = try stage.run([
                "/usr/bin/curl", "--silent", "--show-error", "--max-time", "30", "--cacert", certificates.authorityFile,
                "--user", "\(Account.ann.name):\(Account.ann.password)", "--url",
                "imaps://\(try gateway.endpoint(.imap))/INBOX;MAILINDEX=1",
            ])
            #expect(fetch.succeeded)
            #expect(fetch.output.hasSuffix("line 199999\r\n") && fetch.output.utf8.count > body.utf8.count)
        }
    }
}
