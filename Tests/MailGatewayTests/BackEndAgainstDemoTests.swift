import AsyncIO
import MailSessions
import TestSupport
import Testing

@testable import MailGateway

/// Our back-end logins and our demo servers understand each other, whatever the size of the pieces.
@Suite struct BackEndAgainstDemoTests {
    private func settings(_ mailProtocol: MailProtocol) -> ServerSettings {
        var settings = ServerSettings.fixture(mailProtocol)
        settings.name = "mx.example.com"
        return settings
    }

    private func credentials(_ password: String) -> BackEndCredentials {
        BackEndCredentials(login: Array("demo".utf8), password: Secret(Array(password.utf8)))
    }

    private var context: ReplyContext {
        var context = ReplyContext()
        context.tag = Array("a2".utf8)
        context.envelope.helo = Array("laptop".utf8)
        context.envelope.isExtended = true
        return context
    }

    private func smtp(_ password: String, _ change: (inout ServerSettings) -> Void) -> SMTPBackEnd {
        var settings = settings(.smtp)
        change(&settings)
        let address = SocketAddress.ipv4(.loopback, port: 1)
        return SMTPBackEnd(
            credentials: credentials(password), context: context, settings: settings,
            client: ClientFacts(address: address, localAddress: address))
    }

    @Test(arguments: [1, 2, 3, 7, .max])
    func `IMAP`(pieceCount: Int) throws {
        func logIn(_ password: String) -> BackEndOutcome? {
            let client = IMAPBackEnd(credentials: credentials(password), context: context, settings: settings(.imap))
            var pair = DialoguePair(client, DemoIMAPServer())
            pair.pieceCount = pieceCount
            return pair.logIn()
        }
        let capability = "[CAPABILITY IMAP4rev1 LITERAL+ SASL-IR IDLE AUTH=PLAIN]"
        #expect(logIn("secret") == .loggedIn(reply: .line("a2 OK \(capability) logged in")))
        #expect(
            logIn("wrong")
                == .invalidResponse(reply: Array("a2 NO [AUTHENTICATIONFAILED] wrong name or password".utf8)))
    }

    @Test(arguments: [1, 2, 3, 7, .max])
    func `POP3`(pieceCount: Int) throws {
        func logIn(_ password: String) -> BackEndOutcome? {
            let client = POP3BackEnd(credentials: credentials(password), settings: settings(.pop3))
            var pair = DialoguePair(client, DemoPOP3Server())
            pair.pieceCount = pieceCount
            return pair.logIn()
        }
        #expect(logIn("secret") == .loggedIn(reply: .line("+OK 1 messages")))
        #expect(logIn("wrong") == .invalidResponse(reply: Array("-ERR [AUTH] wrong name or password".utf8)))
    }

    @Test(arguments: [1, 2, 3, 7, .max])
    func `SMTP with XCLIENT, with AUTH, with both`(pieceCount: Int) throws {
        func logIn(_ password: String, xclient: Bool, auth: Bool) -> BackEndOutcome? {
            let client = smtp(password) {
                $0.proxy.xclient = xclient ? .on : .off
                $0.proxy.smtpAuth = auth
            }
            var pair = DialoguePair(client, DemoSMTPServer())
            pair.pieceCount = pieceCount
            return pair.logIn()
        }
        let ok = BackEndOutcome.loggedIn(reply: .line("235 2.0.0 OK"))
        #expect(logIn("", xclient: true, auth: false) == ok)
        #expect(logIn("secret", xclient: false, auth: true) == ok)
        #expect(logIn("secret", xclient: true, auth: true) == ok)
        #expect(
            logIn("wrong", xclient: true, auth: true)
                == .invalidResponse(reply: Array("535 5.7.8 Wrong name or password".utf8)))
    }

    @Test func `mail sent by SMTP is read by POP3 and IMAP`() throws {
        var sender = DialoguePair(smtp("") { _ in }, DemoSMTPServer())
        _ = sender.logIn()
        let sent = sender.converse(
            "MAIL FROM:<a@b>\nRCPT TO:<demo@x>\nDATA\nFrom: A <a@b>\nSubject: hello\n\n..dot\n.\nQUIT\n")
        #expect(
            sent == """
                250 2.1.0 OK
                250 2.1.5 OK
                354 End with a dot
                250 2.0.0 Stored
                221 2.0.0 Bye

                """)
        let reader = POP3BackEnd(credentials: credentials("secret"), settings: settings(.pop3))
        var popper = DialoguePair(reader, DemoPOP3Server(), store: sender.store)
        #expect(popper.logIn() == .loggedIn(reply: .line("+OK 2 messages")))
        let text = popper.converse("RETR 2\n")
        let received = """
            Received: from laptop (login demo)
            \tby mailgateway.invalid with ESMTP; Mon, 23 Nov 2026 06:16:15 +0000

            """
        #expect(text.hasSuffix("octets\n\(received)From: A <a@b>\nSubject: hello\n\n..dot\n.\n"))
        let fetcher = IMAPBackEnd(credentials: credentials("secret"), context: context, settings: settings(.imap))
        var imap = DialoguePair(fetcher, DemoIMAPServer(), store: popper.store)
        _ = imap.logIn()
        _ = imap.converse("a SELECT INBOX\n")
        #expect(
            imap.converse("b FETCH 2 (BODY.PEEK[TEXT] ENVELOPE)\n") == """
                * 2 FETCH (BODY[TEXT] {6}
                .dot
                 ENVELOPE (NIL "hello" ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL))
                b OK completed

                """)
    }
}
