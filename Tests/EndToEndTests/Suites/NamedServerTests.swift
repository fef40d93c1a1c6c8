import Foundation
import Testing

/// Servers that share an address: whoever asks for the second by name, be it behind STARTTLS, has its session in everything.
@Suite("Servers by name", .endToEnd, .beyondNginx) struct NamedServerTests {
    private static let name = "second.example.test"
    private static let modes = ["implicit", "starttls"]

    /// Two servers at one address for one protocol; the second has accounts and a back-end of its own.
    private func run(
        _ mail: Mail, _ mode: String, first: [String] = [], second: [String] = [], parameters: String = "",
        _ body: (Site, ScriptedBackEnd) throws -> Void
    ) throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            try certificates.issue("first", ["first.example.test"])
            try certificates.issue("second", [Self.name])
            let ours = try ScriptedBackEnd(on: stage, mail, .ok)
            let theirs = try ScriptedBackEnd(on: stage, mail, .ok, name: "theirs")
            let auth = try AuthService(on: stage, servers: [mail: ours.endpoint])
            let accounts = try stage.directory.write("accounts", "eve:{PLAIN}secret\n")
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail = ["limit_conn_zone $remote_addr zone=named:32k;"]
            if mode == "starttls" { configuration.mail.append("starttls on;") }
            let endpoint = configuration.servers[0].endpoint
            let parameters = (mode == "implicit" ? "ssl " : "") + parameters
            configuration.servers = [
                GatewayConfiguration.Server(
                    mail: mail, endpoint: endpoint, parameters: parameters,
                    directives: ["server_name first.example.test;", "auth_http \(auth.endpoint)/auth;"]
                        + certificates.directives("first") + first),
                GatewayConfiguration.Server(
                    mail: mail, endpoint: endpoint, parameters: parameters,
                    directives: [
                        "server_name \(Self.name);", "auth_file \(accounts);", "proxy_pass \(theirs.endpoint);",
                    ] + certificates.directives("second") + second),
            ]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try body(Site(stage: stage, auth: auth, gateway: gateway, postfix: nil), theirs)
        }
    }

    /// What a client hears inside TLS that asks for `name`, says `lines` and listens to the end.
    private func ask(_ site: Site, _ mail: Mail, _ mode: String, _ lines: [String], name: String = name) throws
        -> [String]
    {
        let words = lines.map { "\"\($0)\"" }.joined(separator: ", ")
        let report = try site.tlsClient(mail, mode, #"{"name": "\#(name)", "say": [\#(words)], "toEnd": true}"#)
        #expect(report.error == nil, "\(report)")
        return report.secure
    }

    @Test("capabilities and mechanisms are the chosen server's", arguments: Mail.allCases, modes)
    func capabilities(mail: Mail, mode: String) throws {
        let second = [
            "imap_capabilities IMAP4rev1 SECOND;", "imap_auth plain cram-md5;", "pop3_capabilities SECOND;",
            "pop3_auth plain cram-md5;", "smtp_capabilities SECOND;", "smtp_auth plain cram-md5;",
        ]
        try run(mail, mode, second: second) { site, _ in
            let lines =
                switch mail {
                case .imap: ["c1 CAPABILITY", "c2 LOGOUT"]
                case .pop3: ["CAPA", "QUIT"]
                case .smtp: ["EHLO client", "QUIT"]
                }
            let heard = try ask(site, mail, mode, lines).joined(separator: "\n")
            #expect(heard.contains("SECOND") && heard.contains("CRAM-MD5"), "\(heard)")
            if mail == .smtp { #expect(heard.contains("250-\(Self.name)"), "\(heard)") }
            let others = try ask(site, mail, mode, lines, name: "first.example.test").joined(separator: "\n")
            #expect(!others.contains("SECOND") && !others.contains("CRAM-MD5"), "\(others)")
        }
    }

    @Test("accounts and back-end are the chosen server's", arguments: Mail.allCases, modes)
    func authenticator(mail: Mail, mode: String) throws {
        try run(mail, mode) { site, second in
            let credentials = plainCredentials("eve", "secret")
            let login = mail == .imap ? "a1 AUTHENTICATE PLAIN \(credentials)" : "AUTH PLAIN \(credentials)"
            let noop = mail == .imap ? "n1 NOOP" : "NOOP"
            let options = #"{"name": "\#(Self.name)", "say": ["\#(login)", "\#(noop)"]}"#
            let report = try site.tlsClient(mail, mode, options)
            #expect(report.secure.contains { $0.hasPrefix(mail.loggedInPrefix) }, "\(report)")
            try waitUntil("the login at the second back-end") {
                site.gateway.log.contains("login: \"eve\", upstream: \(second.endpoint)")
            }
            #expect(try site.auth.requests.isEmpty)
        }
    }

    @Test("limits are the chosen server's", arguments: Mail.allCases)
    func limits(mail: Mail) throws {
        let second = ["max_errors 1;", "max_connections 1;", "timeout 1s;"]
        try run(mail, "starttls", first: ["timeout 60s;"], second: second) { site, _ in
            let wrong = mail == .imap ? "x WRONG" : "WRONG"
            // One error is too many, and the place is given back with the session.
            for _ in 0..<2 {
                let refusal = try ask(site, mail, "starttls", [wrong])
                #expect(refusal.count == 1, "\(refusal)")
            }
            // Silence ends after the second's timeout, not the first's.
            let farewell = try ask(site, mail, "starttls", []).first ?? ""
            #expect(farewell.contains("Connection timed out"), "\(farewell)")
        }
    }

    @Test("the chosen server's places count, and who finds none is told so", arguments: Mail.allCases, modes)
    func places(mail: Mail, mode: String) throws {
        try run(mail, mode, second: ["max_connections 1;", "timeout 60s;"]) { site, _ in
            try expectOnePlace(site, mail, mode, log: "1 max_connections are not enough")
        }
    }

    @Test("its limit by address counts for whoever asks for it, and for nobody else", arguments: modes)
    func limitByAddress(mode: String) throws {
        try run(.imap, mode, second: ["limit_conn named 1;", "timeout 60s;"]) { site, _ in
            try expectOnePlace(site, .imap, mode, log: "limiting connections by zone \"named\"")
        }
    }

    /// That the second server has a place for one client, and says in its log why there is none for another.
    private func expectOnePlace(_ site: Site, _ mail: Mail, _ mode: String, log line: String) throws {
        let signal = site.stage.directory.path("go-on")
        let endpoint = try site.gateway.endpoint(mail)
        let options = #"{"name": "\#(Self.name)", "hold": "\#(signal)"}"#
        let held = try site.stage.start(
            "held",
            [
                "/usr/bin/python3", Stage.script("tls_client.py"), endpoint.host, "\(endpoint.port)", mail.rawValue,
                mode, options,
            ])
        try waitUntil("the held client") { held.output.contains("holding") }
        let heard = try ask(site, mail, mode, [])
        #expect(heard.count == 1 && heard[0].hasPrefix(mail.busyPrefix), "\(heard)")
        #expect(heard.first?.contains("Too many connections") == true)
        try waitUntil("the line in the log") { site.gateway.log.contains(line) }
        // The first server has no such bound.
        let noop = mail == .imap ? "n1 NOOP" : "NOOP"
        let other = try site.tlsClient(mail, mode, #"{"name": "first.example.test", "say": ["\#(noop)"]}"#)
        #expect(other.secure.isEmpty == false && other.error == nil, "\(other)")
        try site.stage.directory.write("go-on", "")
        #expect(try held.waitForExit(within: .seconds(10)) == .code(0))
    }

    @Test("whose PROXY headers are believed, and who is denied, is the chosen server's to say", arguments: modes)
    func addresses(mode: String) throws {
        let second = ["set_real_ip_from 127.0.0.0/8;", "deny 192.0.2.77;"]
        try run(.imap, mode, second: second, parameters: "proxy_protocol") { site, _ in
            let header = #"PROXY TCP4 192.0.2.%d 192.0.2.1 4711 993\r\n"#
            func heard(_ last: Int) throws -> TLSReport {
                let prefix = header.replacing("%d", with: "\(last)")
                return try site.tlsClient(
                    .imap, mode,
                    #"{"name": "\#(Self.name)", "prefix": "\#(prefix)", "say": ["n1 NOOP"], "toEnd": \#(last == 77)}"#)
            }
            let (denied, admitted) = (try heard(77).secure, try heard(78).secure)
            #expect(denied.contains("* BYE Access denied"), "\(denied)")
            #expect(admitted.last == "n1 OK completed", "\(admitted)")
            #expect(site.gateway.log.contains("access forbidden by rule, client: 192.0.2.77"))
        }
    }
}
