import Foundation
import Testing

/// Logins at real back-ends in every user's name: whatever the client shows, its password is not needed there.
@Suite("Master user", .endToEnd, .beyondNginx) struct MasterUserTests {
    private static let master = Account(name: "proxy", password: "all powerful")
    private static let token = "ann-token"
    /// What the back-ends know of Ann; not what she shows.
    private static let account = Account(name: "ann", password: "known to nobody")

    private func run(
        withPostfix: Bool = false, password: String = master.password, _ body: (Site, Dovecot) throws -> Void
    ) throws {
        try Stage.run { stage in
            let options = LoginOptions(master: Self.master, servesPostfix: withPostfix)
            let dovecot = try Dovecot(on: stage, accounts: [Self.account], options: options)
            let postfix =
                withPostfix
                ? try Postfix(on: stage, accounts: [Self.account], sasl: LoginOptions.socket(in: stage.directory)) : nil
            let auth = try AuthService(
                on: stage,
                servers: [.imap: dovecot.imap, .pop3: dovecot.pop3, .smtp: postfix?.smtp ?? stage.freeEndpoint()],
                tokens: [Self.token: "ann"])
            try stage.directory.write("master.password", "\(password)\n", mode: 0o600)
            let configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            let text = try Guide.text("master-user", auth: auth.endpoint, configuration, on: stage)
            let gateway = try GatewayUnderTest(on: stage, configuration, text: text)
            try body(Site(stage: stage, auth: auth, gateway: gateway, postfix: postfix), dovecot)
            let encoded = Data("ann\0proxy\0\(Self.master.password)".utf8).base64EncodedString()
            for secret in [Self.master.password, encoded] { #expect(!gateway.everythingSaid.contains(secret)) }
        }
    }

    @Test("the guide's configuration: every way to log in leads to the user's own mail, without a password there")
    func theGuide() throws {
        try run { site, dovecot in
            try Dovecot.deliver(Messages.small(subject: "for-ann"), named: "1", to: Self.account, on: site.stage)
            let ways = [
                (Mail.imap, ClientLogin(mechanism: "PLAIN")), (.imap, ClientLogin(mechanism: "CRAM-MD5")),
                (.imap, ClientLogin(mechanism: "OAUTHBEARER", token: Self.token)),
                (.pop3, ClientLogin(mechanism: "PLAIN")), (.pop3, ClientLogin(mechanism: "+APOP")),
                (.pop3, ClientLogin(mechanism: "XOAUTH2", token: Self.token)),
            ]
            for (mail, login) in ways {
                let fetched = try site.fetch(mail, login)
                #expect(fetched.succeeded && fetched.output.contains("Subject: for-ann"), "\(login) \(fetched)")
            }
            let methods = try site.auth.requests.compactMap { $0["Auth-Method"] }
            #expect(methods == ["plain", "cram-md5", "oauthbearer", "plain", "apop", "xoauth2"])
            try waitUntil("Dovecot's line") { textOfFile(dovecot.log).contains("user=<ann>") }
        }
    }

    @Test("SMTP: the user is who Postfix believes to have logged in", .needsPostfix)
    func smtp() throws {
        try run(withPostfix: true) { site, _ in
            for login in [
                ClientLogin(mechanism: "PLAIN"), ClientLogin(mechanism: "CRAM-MD5"),
                ClientLogin(mechanism: "XOAUTH2", token: Self.token),
            ] {
                let sent = try site.send(subject: login.mechanism.filter(\.isLetter), login)
                #expect(sent.succeeded, "\(sent)")
            }
            let postfix = try #require(site.postfix)
            try waitUntil("three messages") {
                textOfFile(postfix.log).components(separatedBy: "sasl_method=PLAIN, sasl_username=ann").count == 4
            }
            #expect(!textOfFile(postfix.log).contains("sasl_username=proxy"))
        }
    }

    #if PAM
        @Test("auth_pam decides, the master user logs in")
        func withPAM() throws {
            try PAMSite.run(adjust: { configuration, stage in
                let dovecot = try Dovecot(
                    on: stage, accounts: [Self.account], options: LoginOptions(master: Self.master))
                try stage.directory.write("master.password", "\(Self.master.password)\n")
                configuration.mail += ["proxy_master_user proxy;", "proxy_master_password_file master.password;"]
                for (index, endpoint) in [dovecot.imap, dovecot.pop3].enumerated() {
                    configuration.servers[index].directives.removeLast()
                    configuration.servers[index].directives.append("proxy_pass \(endpoint);")
                }
            }) { site in
                for mail in [Mail.imap, .pop3] {
                    let right = try site.logIn(mail)
                    #expect(right.hasPrefix(mail.loggedInPrefix))
                    let wrong = try site.logIn(mail, password: Self.account.password)
                    #expect(wrong == mail.wrongCredentials)
                }
            }
        }
    #endif

    @Test("a wrong password of the master's is a temporary error, and no user's fault")
    func wrongMasterPassword() throws {
        try run(password: "wrong") { site, _ in
            for mail in [Mail.imap, .pop3] {
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.logIn(mail, as: .ann) == mail.temporaryFailure)
            }
            #expect(site.gateway.log.contains("upstream sent invalid response"))
        }
    }

    @Test("a back-end that does not offer PLAIN gets no credential, and the log says why", arguments: Mail.allCases)
    func notOffered(mail: Mail) throws {
        try Stage.run { stage in
            let backEnd = try ScriptedBackEnd(on: stage, mail, .plain)
            let auth = try AuthService(on: stage, servers: [mail: backEnd.endpoint])
            try stage.directory.write("master.password", "all powerful\n")
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.mail += [
                "proxy_master_user proxy;", "proxy_master_password_file master.password;", "proxy_smtp_auth on;",
                "xclient off;",
            ]
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let client = try gateway.greetedClient(mail)
            #expect(try client.logIn(mail, as: .ann) == mail.internalError)
            let question = ["cap CAPABILITY", "CAPA", "EHLO gateway.example.test"]
            #expect(backEnd.received == "\(question[Mail.allCases.firstIndex(of: mail) ?? 0])\r\n")
            #expect(gateway.log.contains("upstream does not offer AUTH PLAIN, which this login needs while"))
        }
    }
}

extension Mail {
    /// The line of `error_texts rfc` for a failure that is not the client's.
    var temporaryFailure: String {
        switch self {
        case .imap: "a1 NO [UNAVAILABLE] Temporary authentication failure"
        case .pop3: "-ERR [SYS/TEMP] Temporary authentication failure"
        case .smtp: "454 4.7.0 Temporary authentication failure"
        }
    }

    /// The line of `error_texts rfc` for a wrong password.
    var wrongCredentials: String {
        switch self {
        case .imap: "a1 NO [AUTHENTICATIONFAILED] Invalid login or password"
        case .pop3: "-ERR [AUTH] Invalid login or password"
        case .smtp: "535 5.7.8 Invalid login or password"
        }
    }
}
