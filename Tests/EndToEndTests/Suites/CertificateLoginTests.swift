import Foundation
import Testing

/// EXTERNAL with the name that a client's certificate proves.
@Suite("Certificate logins", .endToEnd, .beyondNginx) struct CertificateLoginTests {
    @Test(
        "the certificate's name is the login", arguments: [("cn", "ann"), ("email", "ann@example.test"), ("uid", "u7")])
    func names(part: String, name: String) throws {
        try run(part) { site, certificates in
            let pair = try self.pair("ann", certificates)
            _ = try site.tlsClient(.imap, "implicit", #"{"say": ["a1 AUTHENTICATE EXTERNAL ="], \#(pair)}"#)
            _ = try site.tlsClient(.imap, "implicit", #"{"say": ["a1 AUTHENTICATE EXTERNAL Ym9i"], \#(pair)}"#)
            let requests = try site.auth.requests
            #expect(requests.map { $0["Auth-User"] } == [name, "bob"])
            #expect(requests.map { $0["Auth-Method"] } == ["external", "external"])
            #expect(site.gateway.log.contains("login: \"\(name)\""))
        }
    }

    @Test("without a certificate EXTERNAL is refused, and nobody is asked", arguments: Mail.allCases)
    func withoutCertificate(mail: Mail) throws {
        try run("cn") { site, _ in
            let command = mail == .imap ? "a1 AUTHENTICATE EXTERNAL YW5u" : "AUTH EXTERNAL YW5u"
            let report = try site.tlsClient(mail, "implicit", #"{"say": ["\#(command)"]}"#)
            let refusals = ["a1 NO ", "-ERR ", "535 5.7.0 "].map { $0 + "No verified SSL certificate" }
            #expect(report.secure.last.map { refusals.contains($0) } == true, "\(report)")
            #expect(try site.auth.requests.isEmpty)
            #expect(site.gateway.log.contains("client login failed: \"No verified SSL certificate\""))
        }
    }

    @Test("a certificate leads to the user's own mail, by way of the master user", arguments: [Mail.imap, .pop3])
    func withMasterUser(mail: Mail) throws {
        let master = Account(name: "proxy", password: "all powerful")
        let more = { (certificates: Certificates) in
            try certificates.stage.directory.write("master.password", "\(master.password)\n")
            return ["proxy_master_user proxy;", "proxy_master_password_file master.password;"]
        }
        try run("cn", options: LoginOptions(master: master), more: more) { site, certificates in
            try Dovecot.deliver(Messages.small(subject: "for-ann"), named: "1", to: .ann, on: site.stage)
            let pair = try self.pair("ann", certificates)
            let say =
                mail == .imap
                ? #""a1 AUTHENTICATE EXTERNAL =", "a2 STATUS INBOX (MESSAGES)""# : #""AUTH EXTERNAL =", "STAT""#
            let report = try site.tlsClient(mail, "implicit", #"{"say": [\#(say)], \#(pair)}"#)
            #expect(report.secure.count == 3, "\(report)")
            #expect(report.secure.dropFirst().first?.hasPrefix(mail.loggedInPrefix) == true, "\(report)")
            let count = mail == .imap ? "* STATUS INBOX (MESSAGES 1)" : "+OK 1 "
            #expect(report.secure.last?.hasPrefix(count) == true, "\(report)")
        }
    }

    /// A certificate for Ann, as tls_client.py takes it.
    private func pair(_ name: String, _ certificates: Certificates) throws -> String {
        try certificates.issue(name, ["email:ann@example.test"], commonName: "ann", userID: "u7")
        return #""cert": "\#(certificates.path("\(name).pem"))", "key": "\#(certificates.path("\(name).key"))""#
    }

    private func run(
        _ part: String, options: LoginOptions = LoginOptions(),
        more: @escaping (Certificates) throws -> [String] = { _ in [] }, _ body: (Site, Certificates) throws -> Void
    ) throws {
        let directives = { (certificates: Certificates) in
            try more(certificates) + [
                "ssl_verify_client optional;", "ssl_client_certificate \(certificates.authorityFile);",
                "ssl_client_identity \(part);", "imap_auth external;", "pop3_auth external;", "smtp_auth external;",
            ]
        }
        try Site.runSecurely(implicitly: true, options: options, more: directives, body)
    }
}
