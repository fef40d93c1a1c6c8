import Foundation
import Testing

/// OAUTHBEARER and XOAUTH2: curl and raw clients, the auth service, and a Dovecot that asks for the tokens itself.
@Suite("Tokens", .endToEnd, .beyondNginx) struct TokenTests {
    private static let token = "ann-token.1~_+/=="
    /// The service believes it; the back-end does not.
    private static let revoked = "revoked-token"
    private static let mechanisms = ["OAUTHBEARER", "XOAUTH2"]

    private func run(
        withPostfix: Bool = false, passes: Bool = true, behaviour: AuthService.Behaviour = .wait,
        headers: [String: String] = [:], directives: [String] = [], asShown: Bool = false,
        _ body: (Site) throws -> Void
    ) throws {
        try Stage.run { stage in
            let introspection = try AuthService(
                on: stage, servers: [:], tokens: [Self.token: "ann"], name: "introspection")
            let options = LoginOptions(introspection: introspection.endpoint, servesPostfix: withPostfix)
            let dovecot = try Dovecot(on: stage, options: options)
            let postfix =
                withPostfix ? try Postfix(on: stage, sasl: LoginOptions.socket(in: stage.directory)) : nil
            let auth = try AuthService(
                on: stage,
                servers: [.imap: dovecot.imap, .pop3: dovecot.pop3, .smtp: postfix?.smtp ?? dovecot.imap],
                headers: headers, tokens: [Self.token: "ann", Self.revoked: "ann"])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint, behaviour: behaviour)
            configuration.logLevel = "debug"
            configuration.mail += directives + (passes ? ["proxy_pass_token on;"] : [])
            for index in configuration.servers.indices {
                let mail = configuration.servers[index].mail
                configuration.servers[index].directives.append("\(mail.rawValue)_auth plain oauthbearer xoauth2;")
            }
            let text =
                asShown ? try Guide.text("oauth", auth: auth.endpoint, configuration, on: stage) : nil
            let gateway = try GatewayUnderTest(on: stage, configuration, text: text)
            let site = Site(stage: stage, auth: auth, gateway: gateway, postfix: postfix)
            try body(site)
            // Security checklist G1: at no level, neither as it is nor as it travels.
            for token in [Self.token, Self.revoked] {
                let forms = [token] + Self.mechanisms.map { message($0, token) }
                for form in forms { #expect(!gateway.everythingSaid.contains(form), "\(form)") }
            }
        }
    }

    /// The message of a mechanism, in base64.
    private func message(_ mechanism: String, _ token: String) -> String {
        let name = mechanism == "XOAUTH2" ? "user=ann" : "n,a=ann,"
        return Data("\(name)\u{1}auth=Bearer \(token)\u{1}\u{1}".utf8).base64EncodedString()
    }

    private func begin(_ mail: Mail, _ mechanism: String, _ token: String) -> String {
        (mail == .imap ? "a1 AUTHENTICATE" : "AUTH") + " \(mechanism) \(message(mechanism, token))"
    }

    @Test("the guide's configuration: clients fetch and send with a token, which the back-ends check", .needsPostfix)
    func theGuide() throws {
        try run(withPostfix: true, asShown: true) { site in
            for (index, mechanism) in Self.mechanisms.enumerated() {
                let login = ClientLogin(mechanism: mechanism, token: Self.token)
                let sent = try site.send(subject: "token-\(mechanism)", login)
                #expect(sent.succeeded, "\(sent)")
                try waitUntil("delivery") {
                    site.stage.directory.files(startingWith: "mail/ann/Maildir/new/").count
                        + site.stage.directory.files(startingWith: "mail/ann/Maildir/cur/").count > index
                }
                for mail in [Mail.imap, .pop3] {
                    let fetched = try site.fetch(mail, login)
                    #expect(fetched.succeeded && fetched.output.contains("Subject: token-"), "\(fetched)")
                }
                #expect(
                    site.postfix.map { textOfFile($0.log) }?.contains("sasl_method=\(mechanism), sasl_username=ann")
                        == true)
            }
            let requests = try site.auth.requests
            #expect(Set(requests.compactMap { $0["Auth-Method"] }) == ["oauthbearer", "xoauth2"])
            for request in requests {
                #expect(request["Auth-User"] == "ann" && request["Auth-Pass"] == Self.token)
                #expect(request["Auth-Salt"] == nil)
            }
            #expect(requests.count == 6)
        }
    }

    @Test("a refused token: the service's challenge, its acknowledgement, and another try", arguments: Mail.allCases)
    func refused(mail: Mail) throws {
        try run { site in
            let client = try site.gateway.greetedClient(mail)
            if mail == .smtp { _ = try client.ask("EHLO me"); _ = try client.line() }
            for mechanism in Self.mechanisms {
                let prefix = mail == .smtp ? "334 " : "+ "
                let challenge = try client.ask(begin(mail, mechanism, "no-such-token"))
                #expect(challenge.hasPrefix(prefix))
                let json = try #require(Data(base64Encoded: String(challenge.dropFirst(prefix.count))))
                #expect(
                    try JSONDecoder().decode([String: String].self, from: json)
                        == ["status": "invalid_token", "schemes": "bearer", "scope": "mail"])
                #expect(try client.ask(mechanism == "XOAUTH2" ? "" : "AQ==") == mail.loginFailed)
            }
            guard mail != .smtp else { return }
            #expect(try client.ask(begin(mail, "OAUTHBEARER", Self.token)).hasPrefix(mail.loggedInPrefix))
            #expect(client.isAnswered(mail))
        }
    }

    @Test("curl and Python's libraries understand that their token is refused", arguments: mechanisms)
    func clientsUnderstand(mechanism: String) throws {
        try run(withPostfix: Postfix.isPossible) { site in
            let login = ClientLogin(mechanism: mechanism, token: "no-such-token")
            for mail in [Mail.imap, .pop3] {
                let fetched = try site.fetch(mail, login)
                // curl's number for a login that was denied; Python shows the reply.
                let isUnderstood =
                    mechanism == "XOAUTH2"
                    ? fetched.errors.contains("Invalid login or password") : fetched.status == .code(67)
                #expect(isUnderstood, "\(fetched)")
            }
            let sent = try site.send(subject: "refused", login)
            #expect(mechanism == "XOAUTH2" ? sent.errors.contains("535") : sent.status == .code(67), "\(sent)")
        }
    }

    @Test("a token that only the back-end refuses", arguments: [Mail.imap, .pop3], ["nginx", "rfc"])
    func refusedByBackEnd(mail: Mail, texts: String) throws {
        try run(directives: ["error_texts \(texts);"]) { site in
            for mechanism in Self.mechanisms {
                let client = try site.gateway.greetedClient(mail)
                let answer = try client.ask(begin(mail, mechanism, Self.revoked))
                let wrong = mail == .imap ? "a1 NO [AUTHENTICATIONFAILED] " : "-ERR [AUTH] "
                #expect(texts == "rfc" ? answer.hasPrefix(wrong) : answer == mail.internalError, "\(answer)")
                #expect(try client.untilEnd().isEmpty)
            }
            #expect(site.gateway.log.contains("upstream sent invalid response"))
        }
    }

    @Test("a password of the service's is used in place of the token")
    func serviceNamesPassword() throws {
        try run(headers: ["Auth-Pass": Account.ann.password]) { site in
            for mail in [Mail.imap, .pop3] {
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.ask(begin(mail, "XOAUTH2", Self.revoked)).hasPrefix(mail.loggedInPrefix))
            }
        }
    }

    @Test("a token is no password: without proxy_pass_token none goes to the back-end")
    func staysHere() throws {
        try run(passes: false, directives: ["proxy_smtp_auth on;"]) { site in
            for mail in Mail.allCases {
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.ask(begin(mail, "OAUTHBEARER", Self.token)) == mail.internalError)
            }
            #expect(site.gateway.log.contains("did not send password"))
            #expect(site.gateway.log.contains("or no password is available"))
        }
    }
}
