import Foundation
import Testing

/// TLS with clients, by the clients people use.
@Suite("TLS with clients", .endToEnd) struct ClientTLSTests {
    @Test(
        "curl reads and sends over TLS from the first byte and over STARTTLS", .needsPostfix, arguments: [true, false])
    func curl(implicitly: Bool) throws {
        try Site.runSecurely(withPostfix: true, implicitly: implicitly) { site, certificates in
            let message = try site.stage.directory.write("message", Messages.small(subject: "over-tls"))
            let suffix = implicitly ? "s" : ""
            let options = [
                "/usr/bin/curl", "--silent", "--show-error", "--max-time", "20", "--ssl-reqd", "--cacert",
                certificates.authorityFile, "--user", "\(Account.ann.name):\(Account.ann.password)", "--url",
            ]
            let smtp = "smtp\(suffix)://\(try site.gateway.endpoint(.smtp))/client.example.test"
            let send = try site.stage.run(
                options + [
                    smtp, "--mail-from", "sender@example.test", "--mail-rcpt", Account.ann.address, "--upload-file",
                    message,
                ])
            #expect(send.succeeded, "\(send)")
            try site.waitForDelivery()
            let imap = "imap\(suffix)://\(try site.gateway.endpoint(.imap))/INBOX;MAILINDEX=1"
            let overIMAP = try site.stage.run(options + [imap])
            #expect(overIMAP.succeeded && overIMAP.output.contains("Subject: over-tls"), "\(overIMAP)")
            let pop3 = "pop3\(suffix)://\(try site.gateway.endpoint(.pop3))/1"
            let overPOP3 = try site.stage.run(options + [pop3])
            #expect(overPOP3.succeeded && overPOP3.output.contains("Subject: over-tls"), "\(overPOP3)")
            #expect(site.gateway.log.contains(" using starttls") != implicitly)
        }
    }

    @Test("swaks sends and mbsync mirrors over TLS", .needsPostfix)
    func swaksAndMbsync() throws {
        try Site.runSecurely(withPostfix: true, implicitly: false) { site, certificates in
            let smtp = try site.gateway.endpoint(.smtp)
            let swaks = try site.stage.run([
                "/usr/bin/swaks", "--server", smtp.host, "--port", "\(smtp.port)", "--tls", "--tls-verify",
                "--tls-ca-path", certificates.authorityFile, "--from", "sender@example.test", "--to",
                Account.ann.address, "--auth", "PLAIN", "--auth-user", Account.ann.name, "--auth-password",
                Account.ann.password, "--header", "Subject: sent-by-swaks",
            ])
            #expect(swaks.succeeded, "\(swaks)")
            try site.waitForDelivery()
            let imap = try site.gateway.endpoint(.imap)
            let mirror = try site.stage.directory.makeFolder("mirror")
            let file = try site.stage.directory.write(
                "mbsyncrc",
                """
                IMAPStore far
                Host \(imap.host)
                Port \(imap.port)
                User \(Account.ann.name)
                Pass "\(Account.ann.password)"
                SSLType STARTTLS
                CertificateFile \(certificates.authorityFile)
                AuthMechs PLAIN

                MaildirStore near
                Path \(mirror)/
                Inbox \(mirror)/INBOX

                Channel all
                Far :far:
                Near :near:
                Create Near
                SyncState *

                """, mode: 0o600)
            let sync = try site.stage.run(["/usr/bin/mbsync", "-c", file, "-a"])
            #expect(sync.succeeded, "\(sync)")
            #expect(site.stage.directory.files(startingWith: "mirror/INBOX/").contains { $0.contains("/new/") })
        }
    }

    @Test("commands injected behind STARTTLS are not executed (security-checklist A1)", arguments: Mail.allCases)
    func injection(mail: Mail) throws {
        try Site.runSecurely(implicitly: false) { site, _ in
            let report = try site.tlsClient(
                mail, "starttls", #"{"inject": "\#(mail.noop("i1"))\r\n", "say": ["\#(mail.noop("n1"))"]}"#)
            #expect(report.error == nil && report.clear.count == 2)
            #expect(report.secure.count == 1)
            #expect(report.secure.first?.hasPrefix(mail == .imap ? "n1 OK" : mail == .pop3 ? "+OK" : "250 ") == true)
        }
    }

    @Test("with starttls only nobody logs in before, and everybody after", arguments: Mail.allCases)
    func required(mail: Mail) throws {
        try Site.runSecurely(implicitly: false, directives: ["starttls only;"]) { site, _ in
            let client = try site.gateway.greetedClient(mail)
            let refusal = try client.ask(mail.loginLine)
            #expect(refusal.contains("nvalid command"), "\(refusal)")
            let report = try site.tlsClient(mail, "starttls", #"{"say": ["\#(mail.loginLine)"]}"#)
            #expect(
                report.secure.first.map { $0.hasPrefix(mail == .pop3 ? "+OK" : mail == .imap ? "a1 OK" : "235") }
                    == true)
        }
    }

    @Test("auth_http hears of the client's TLS and certificate, and of none where there is none")
    func authHeaders() throws {
        let directives = { (certificates: Certificates) in
            [
                "ssl_verify_client optional;", "ssl_client_certificate \(certificates.authorityFile);",
                "auth_http_pass_client_cert on;",
            ]
        }
        try Site.runSecurely(implicitly: true, more: directives) { site, certificates in
            try certificates.issue("ann", ["ann.example.test"])
            _ = try site.tlsClient(.imap, "implicit", #"{"say": ["\#(Mail.imap.loginLine)"]}"#)
            let pair = #""cert": "\#(certificates.path("ann.pem"))", "key": "\#(certificates.path("ann.key"))""#
            _ = try site.tlsClient(.imap, "implicit", #"{"say": ["\#(Mail.imap.loginLine)"], \#(pair)}"#)
            let requests = try site.auth.requests
            try #require(requests.count == 2)
            #expect(requests[0]["Auth-SSL"] == "on")
            #expect(requests[0]["Auth-SSL-Protocol"] == "TLSv1.3")
            #expect(requests[0]["Auth-SSL-Cipher"]?.hasPrefix("TLS_AES_") == true)
            #expect(requests[0]["Auth-SSL-Verify"] == "NONE" && requests[0]["Auth-SSL-Subject"] == nil)
            #expect(requests[1]["Auth-SSL-Verify"] == "SUCCESS")
            #expect(requests[1]["Auth-SSL-Subject"] == "CN=ann.example.test")
            #expect(requests[1]["Auth-SSL-Issuer"] == "CN=Test Authority")
            #expect(requests[1]["Auth-SSL-Fingerprint"]?.count == 40)
            #expect(requests[1]["Auth-SSL-Serial"]?.isEmpty == false)
            #expect(requests[1]["Auth-SSL-Cert"]?.hasPrefix("-----BEGIN%20CERTIFICATE-----%0A") == true)
        }
    }

    @Test("a client without the certificate it needs is told so inside TLS", arguments: Mail.allCases)
    func refusedCertificates(mail: Mail) throws {
        let directives = { (certificates: Certificates) in
            ["ssl_verify_client on;", "ssl_client_certificate \(certificates.authorityFile);"]
        }
        try Site.runSecurely(implicitly: true, more: directives) { site, certificates in
            let missing = try site.tlsClient(mail, "implicit", #"{"toEnd": true}"#)
            #expect(missing.secure == ["\(mail.certificateRefusal)No required SSL certificate"])
            let stranger = try Certificates(on: site.stage, folder: "other")
            try stranger.issue("ann", ["ann"])
            let pair = #""cert": "\#(stranger.path("ann.pem"))", "key": "\#(stranger.path("ann.key"))""#
            let unknown = try site.tlsClient(mail, "implicit", #"{"toEnd": true, \#(pair)}"#)
            #expect(unknown.secure == ["\(mail.certificateRefusal)SSL certificate error"])
            try waitUntil("both lines in the log") {
                site.gateway.log.contains("client sent no required SSL certificate while SSL handshaking")
                    && site.gateway.log.contains("client SSL certificate verify error: (")
            }
        }
    }

    @Test("sessions are gone on with, whichever worker gets the client", arguments: ["TLSv1_2", "TLSv1_3"])
    func resumption(version: String) throws {
        try Site.runSecurely(implicitly: true, workers: 3) { site, _ in
            for _ in 0..<6 {
                let report = try site.tlsClient(
                    .imap, "implicit", #"{"resume": true, "say": ["n1 NOOP"], "version": "\#(version)"}"#)
                #expect(report.resumed == true && report.secure.last == "n1 OK completed")
            }
        }
    }

    @Test("plain text at a port of TLS gets no plain text back, and the log says why", arguments: Mail.allCases)
    func plainText(mail: Mail) throws {
        try Site.runSecurely(implicitly: true) { site, _ in
            let client = try RawClient(try site.gateway.endpoint(mail))
            client.say(mail.loginLine)
            let said = try client.untilEnd()
            #expect(!said.contains("BAD") && !said.contains("ERR") && !said.contains("500"))
            try waitUntil("the line in the log") {
                site.gateway.log.contains("SSL_do_handshake() failed (SSL: error:")
            }
            try site.expectHealthyOverTLS(mail)
        }
    }

    @Test("servers share an address, and clients choose by the name they ask for", arguments: ["implicit", "starttls"])
    func serverNames(mode: String) throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            let dovecot = try Dovecot(on: stage)
            let auth = try AuthService(on: stage, servers: [.imap: dovecot.imap])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail = ["auth_http \(auth.endpoint)/auth;"] + (mode == "starttls" ? ["starttls on;"] : [])
            let endpoint = configuration.servers[0].endpoint
            let names = ["first.example.test", "a.example.test", "*.b.example.test", "denied.example.test"]
            configuration.servers = try names.enumerated().map { index, name in
                try certificates.issue("\(index)", [name])
                return GatewayConfiguration.Server(
                    mail: .imap, endpoint: endpoint, parameters: mode == "implicit" ? "ssl" : "",
                    directives: ["server_name \(name);", "auth_http_header X-Server \(index);"]
                        + (name.hasPrefix("denied") ? ["deny all;"] : [])
                        + certificates.directives("\(index)"))
            }
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let site = Site(stage: stage, auth: auth, gateway: gateway, postfix: nil)
            // Each certificate is for its own names, so that any other would fail the client's verification.
            for (name, server) in [
                ("a.example.test", "1"), ("x.b.example.test", "2"), ("first.example.test", "0"),
                ("A.Example.Test", "1"),
            ] {
                let report = try site.tlsClient(
                    .imap, mode,
                    #"{"ca": "\#(certificates.authorityFile)", "name": "\#(name)", "say": ["\#(Mail.imap.loginLine)"]}"#
                )
                #expect(report.error == nil && report.secure.last?.hasPrefix("a1 OK") == true, "\(name): \(report)")
                #expect(try auth.requests.last?["X-Server"] == server, "\(name)")
            }
            let denied = try site.tlsClient(.imap, mode, #"{"name": "denied.example.test", "toEnd": true}"#)
            #expect(denied.secure == ["* BYE Access denied"])
            let unknown = try site.tlsClient(
                .imap, mode, #"{"name": "c.example.test", "say": ["\#(Mail.imap.loginLine)"]}"#)
            #expect(unknown.error == nil)
            #expect(try auth.requests.last?["X-Server"] == "0")
        }
    }

    @Test("a PROXY header comes before TLS, in one segment with it, and is believed")
    func proxyHeaders() throws {
        try Site.runSecurely(
            implicitly: true, parameters: "proxy_protocol", directives: ["set_real_ip_from 127.0.0.0/8;"]
        ) { site, _ in
            let header = #"PROXY TCP4 192.0.2.77 192.0.2.1 4711 993\r\n"#
            let report = try site.tlsClient(
                .imap, "implicit", #"{"prefix": "\#(header)", "say": ["\#(Mail.imap.loginLine)"]}"#)
            #expect(report.error == nil && report.secure.last?.hasPrefix("a1 OK") == true, "\(report)")
            let request = try #require(try site.auth.requests.last)
            #expect(request["Client-IP"] == "192.0.2.77" && request["Auth-SSL"] == "on")
        }
    }

    @Test("a handshake has the login's deadline, and nothing is said in clear (security-checklist A7)")
    func silentClients() throws {
        try Site.runSecurely(implicitly: true, directives: ["timeout 1s;"]) { site, _ in
            for beginning in [[], [22, 3, 1, 0, 200, 1]] as [[UInt8]] {
                let client = try RawClient(try site.gateway.endpoint(.imap))
                client.send(beginning)
                #expect(try client.untilEnd(within: .seconds(5)).isEmpty)
            }
            try waitUntil("both lines in the log") {
                site.gateway.log.components(
                    separatedBy: "client timed out (110: Connection timed out) while SSL handshaking"
                )
                .count == 3
            }
        }
    }

    @Test("who leaves without a word is told of, and who may not come is sent away before a handshake")
    func noHandshakes() throws {
        try Site.runSecurely(implicitly: true) { site, _ in
            try RawClient(try site.gateway.endpoint(.pop3)).close()
            try waitUntil("the line in the log") {
                site.gateway.log.contains("peer closed connection in SSL handshake while SSL handshaking")
            }
        }
        try Site.runSecurely(implicitly: true, directives: ["deny all;"]) { site, _ in
            // Nothing can be said to it, and nothing is waited for.
            let denied = try RawClient(try site.gateway.endpoint(.imap))
            #expect(try denied.untilEnd(within: .seconds(5)).isEmpty)
        }
    }

    @Test("renegotiation is refused (security-checklist A7)")
    func renegotiation() throws {
        try Site.runSecurely(implicitly: true) { site, _ in
            let input = try site.stage.directory.write("renegotiate", "R\n")
            let client = try site.stage.run(
                [
                    "/usr/bin/openssl", "s_client", "-connect", "\(try site.gateway.endpoint(.imap))", "-tls1_2",
                    "-legacy_renegotiation",
                ], input: input)
            #expect(client.errors.contains("no renegotiation"), "\(client)")
        }
    }
}

extension Mail {
    /// How the line begins that refuses a certificate.
    fileprivate var certificateRefusal: String {
        switch self {
        case .imap: "* BYE "
        case .pop3: "-ERR "
        case .smtp: "421 4.7.1 "
        }
    }

    /// A command that is always answered.
    fileprivate func noop(_ tag: String) -> String { self == .imap ? "\(tag) NOOP" : "NOOP" }

    /// Ann's login in one line; with SASL where a protocol has it.
    var loginLine: String {
        let credentials = plainCredentials(Account.ann.name, Account.ann.password)
        switch self {
        case .imap: return "a1 AUTHENTICATE PLAIN \(credentials)"
        case .pop3, .smtp: return "AUTH PLAIN \(credentials)"
        }
    }
}

extension Site {
    /// A site whose gateway has TLS: from the first byte, or by STARTTLS.
    static func runSecurely(
        withPostfix: Bool = false, implicitly: Bool, parameters: String = "", workers: Int = 1,
        main: [String] = [], directives: [String] = [], options: LoginOptions = LoginOptions(),
        more: (Certificates) throws -> [String] = { _ in [] }, _ body: (Site, Certificates) throws -> Void
    ) throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            // mbsync knows no addresses in certificates, but it compares the common name.
            try certificates.issue(
                "gateway", ["gateway.example.test", "IP:\(stage.host)"], commonName: stage.host)
            let dovecot = try Dovecot(on: stage, options: options)
            let postfix = withPostfix ? try Postfix(on: stage) : nil
            let smtp = try postfix?.smtp ?? ScriptedBackEnd(on: stage, .smtp, .ok).endpoint
            let auth = try AuthService(on: stage, servers: [.imap: dovecot.imap, .pop3: dovecot.pop3, .smtp: smtp])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.workers = workers
            configuration.main = main
            configuration.mail += certificates.directives("gateway") + directives
            configuration.mail += try more(certificates)
            if !implicitly, !directives.contains(where: { $0.hasPrefix("starttls") }) {
                configuration.mail.append("starttls on;")
            }
            if implicitly {
                for index in configuration.servers.indices {
                    configuration.servers[index].parameters = "ssl \(parameters)"
                }
            }
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try body(Site(stage: stage, auth: auth, gateway: gateway, postfix: postfix), certificates)
        }
    }

    /// Runs Clients/tls_client.py.
    func tlsClient(_ mail: Mail, _ mode: String, _ options: String) throws -> TLSReport {
        let endpoint = try gateway.endpoint(mail)
        let result = try stage.runScript(
            "tls_client.py", [endpoint.host, "\(endpoint.port)", mail.rawValue, mode, options])
        guard result.succeeded else { throw StageFailure(cause: "\(result)", logs: "") }
        return try JSONDecoder().decode(TLSReport.self, from: Data(result.output.utf8))
    }

    /// A logged-in IMAP client that says nothing until `file` exists.
    func heldClient(until file: String) throws -> RunningProcess {
        let endpoint = try gateway.endpoint(.imap)
        let client = try stage.start(
            "held",
            [
                "/usr/bin/python3", Stage.script("tls_client.py"), endpoint.host, "\(endpoint.port)", "imap",
                "implicit",
                #"{"say": ["\#(Mail.imap.loginLine)"], "hold": "\#(file)"}"#,
            ])
        try waitUntil("the held client's login") { client.output.contains("holding") }
        return client
    }

    /// As `expectHealthy`, inside TLS.
    func expectHealthyOverTLS(_ mail: Mail) throws {
        let report = try tlsClient(mail, "implicit", #"{"say": ["\#(mail.loginLine)"]}"#)
        #expect(report.secure.count == 2 && report.error == nil, "\(report)")
    }
}
