import AsyncIO
import MailSessions
import TestSupport
import Testing

/// Logins at back-ends that need SASL: in the name of a master user, and with the client's token.
@Suite struct BackEndSASLTests {
    private enum Kind { case master, oauthBearer, xoauth2 }

    /// Settings and credentials of one kind; the user is `bob`, the token `pass`.
    private func situation(
        _ mailProtocol: MailProtocol, _ kind: Kind, login: String, tls: Bool, password: String? = nil
    ) -> (ServerSettings, BackEndCredentials) {
        var settings = BackEndFixture.settings(mailProtocol, tls: tls)
        settings.proxy.smtpAuth = true
        var credentials = BackEndFixture.credentials(login, kind == .master ? password : "pass")
        switch kind {
        case .master:
            settings.proxy.master = MasterUser(name: Array("root".utf8), password: Secret(Array("key".utf8)))
        case .oauthBearer: credentials.bearer = .oauthBearer
        case .xoauth2: credentials.bearer = .xoauth2
        }
        return (settings, credentials)
    }

    private func imap(_ transcript: String, _ kind: Kind, login: String = "bob", tls: Bool = false) throws {
        let (settings, credentials) = situation(.imap, kind, login: login, tls: tls)
        var context = ReplyContext()
        context.tag = Array("a2".utf8)
        try Transcript(transcript).check(BackEndFixture.words()) {
            IMAPBackEnd(credentials: credentials, context: context, settings: settings)
        }
    }

    private func pop3(_ transcript: String, _ kind: Kind, login: String = "bob", tls: Bool = false) throws {
        let (settings, credentials) = situation(.pop3, kind, login: login, tls: tls)
        try Transcript(transcript).check(BackEndFixture.words()) {
            POP3BackEnd(credentials: credentials, settings: settings)
        }
    }

    private func smtp(
        _ transcript: String, _ kind: Kind, login: String = "bob", tls: Bool = false,
        _ change: (inout ServerSettings, inout ReplyContext) -> Void = { _, _ in }
    ) throws {
        var (settings, credentials) = situation(.smtp, kind, login: login, tls: tls)
        var context = ReplyContext()
        context.envelope.helo = Array("laptop".utf8)
        context.envelope.isExtended = true
        settings.proxy.xclient = .off
        change(&settings, &context)
        try Transcript(transcript).check(BackEndFixture.words()) {
            SMTPBackEnd(
                credentials: credentials, context: context, settings: settings, client: BackEndFixture.client)
        }
    }

    /// `bob NUL root NUL key`, and the token in the form of each mechanism, in base64.
    private static let masterResponse = "Ym9iAHJvb3QAa2V5"
    private static let oauthBearerResponse = "bixhPWJvYiwBYXV0aD1CZWFyZXIgcGFzcwEB"
    private static let xoauth2Response = "dXNlcj1ib2IBYXV0aD1CZWFyZXIgcGFzcwEB"

    // MARK: IMAP

    @Test func `IMAP: the response goes with AUTHENTICATE where SASL-IR is offered, in the greeting or when asked`()
        throws
    {
        try imap(
            #"""
            C: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready
            S: a2 AUTHENTICATE PLAIN \#(Self.masterResponse)
            C: * CAPABILITY IMAP4rev1 IDLE
            C: a2 OK Logged in
            c: * 3 EXISTS
            = in * CAPABILITY IMAP4rev1 IDLE\r\na2 OK Logged in\r\n
            l: * 3 EXISTS
            """#, .master)
        try imap(
            #"""
            C: * OK [CAPABILITY IMAP4rev1 STARTTLS] ready
            S: cap CAPABILITY
            C: * CAPABILITY IMAP4rev1 sasl-ir
            C: * capability auth=plain
            C: cap OK done
            S: a2 AUTHENTICATE PLAIN \#(Self.masterResponse)
            C: a2 OK in
            = in a2 OK in\r\n
            """#, .master)
    }

    @Test func `IMAP: without SASL-IR the response waits to be asked for`() throws {
        let start = """
            C: * OK ready
            S: cap CAPABILITY
            C: * CAPABILITY IMAP4rev1 AUTH=PLAIN
            C: cap OK
            S: a2 AUTHENTICATE PLAIN

            """
        try imap(start + "C: +\nS: \(Self.masterResponse)\nC: a2 OK in\n= in a2 OK in\\r\\n", .master)
        try imap(start + "C: a2 OK in\n= invalid a2 OK in", .master)
        try imap(start + "C: a2 NO [CANNOT] no\n= invalid a2 NO [CANNOT] no", .master)
        // A challenge too many is answered by giving up.
        try imap(
            start + "C: + \nS: \(Self.masterResponse)\nC: + what\nS: *\nC: + what\n= invalid + what", .master)
    }

    @Test func `IMAP: behind STARTTLS nothing that was announced in clear counts`() throws {
        try imap(
            #"""
            C: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN STARTTLS] ready
            S: tls STARTTLS
            C: tls OK
            startTLS
            S: cap CAPABILITY
            C: * CAPABILITY AUTH=PLAIN
            C: cap OK
            S: a2 AUTHENTICATE PLAIN
            C: +
            S: \#(Self.masterResponse)
            C: a2 OK in
            = in a2 OK in\r\n
            """#, .master, tls: true)
    }

    @Test func `IMAP: a back-end that does not offer the mechanism gets no credential`() throws {
        let asked = "C: * OK ready\nS: cap CAPABILITY\n"
        try imap(asked + "C: * CAPABILITY AUTH=PLAINX AUTH=LOGIN\nC: cap OK\n= not offered PLAIN", .master)
        try imap(asked + "C: * CAPABILITY AUTH=PLAIN\nC: cap OK\n= not offered XOAUTH2", .xoauth2)
        try imap(asked + "C: cap BAD what\n= not offered PLAIN", .master)
        try imap(asked + "C: * BYE\n= invalid * BYE", .master)
    }

    @Test func `IMAP: the token goes on by the client's mechanism, and an error challenge is acknowledged`() throws {
        try imap(
            #"""
            C: * OK [CAPABILITY SASL-IR AUTH=OAUTHBEARER] ready
            S: a2 AUTHENTICATE OAUTHBEARER \#(Self.oauthBearerResponse)
            C: + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=
            S: AQ==
            C: a2 NO [AUTHENTICATIONFAILED] no
            = invalid a2 NO [AUTHENTICATIONFAILED] no
            """#, .oauthBearer)
        try imap(
            #"""
            C: * OK [CAPABILITY AUTH=XOAUTH2] ready
            S: a2 AUTHENTICATE XOAUTH2
            C: +
            S: \#(Self.xoauth2Response)
            C: + eyJzdGF0dXMiOiI0MDAifQ==
            S:
            C: a2 NO no
            = invalid a2 NO no
            """#, .xoauth2)
    }

    // MARK: POP3

    private static let capable = "C: +OK\nS: CAPA\nC: +OK list\nC: USER\nC: sasl LOGIN PLAIN OAUTHBEARER\nC: .\n"

    @Test func `POP3: the response goes with AUTH, or waits where it is too long`() throws {
        try pop3(
            Self.capable + "S: AUTH PLAIN \(Self.masterResponse)\nC: +OK in\nc: x\n= in +OK in\\r\\n\nl: x", .master)
        let long = String(repeating: "u", count: 200)
        let response = String(decoding: Base64.encode("\(long)\0root\0key".utf8), as: UTF8.self)
        try pop3(
            Self.capable + "S: AUTH PLAIN\nC: + \nS: \(response)\nC: +OK in\n= in +OK in\\r\\n", .master, login: long)
        // AUTH PLAIN, the response and CRLF: 255 bytes may go in one line, 259 may not (a response grows by four).
        let fits = String(repeating: "u", count: 171)
        let fitting = String(decoding: Base64.encode("\(fits)\0root\0key".utf8), as: UTF8.self)
        #expect("AUTH PLAIN \(fitting)\r\n".utf8.count <= 255 && "AUTH PLAIN \(fitting)AAAA\r\n".utf8.count > 255)
        try pop3(Self.capable + "S: AUTH PLAIN \(fitting)\nC: +OK\n= in +OK\\r\\n", .master, login: fits)
    }

    @Test func `POP3: a back-end that does not offer the mechanism gets no credential`() throws {
        try pop3("C: +OK\nS: CAPA\nC: -ERR what\n= not offered PLAIN", .master)
        try pop3("C: +OK\nS: CAPA\nC: +OK\nC: SASL LOGIN\nC: PLAIN\nC: .\n= not offered PLAIN", .master)
        try pop3(Self.capable + "= not offered XOAUTH2", .xoauth2)
    }

    @Test func `POP3: TLS comes first, refusals end it, an error challenge is acknowledged`() throws {
        try pop3("C: +OK\nS: STLS\nC: +OK\nstartTLS\nS: CAPA\nC: +OK\nC: .\n= not offered PLAIN", .master, tls: true)
        let start = Self.capable + "S: AUTH OAUTHBEARER \(Self.oauthBearerResponse)\n"
        try pop3(start + "C: + e30=\nS: AQ==\nC: -ERR [AUTH] no\n= invalid -ERR [AUTH] no", .oauthBearer)
        try pop3(start + "C: + e30=\nS: AQ==\nC: + e30=\n= invalid + e30=", .oauthBearer)
        try pop3(
            Self.capable + "S: AUTH PLAIN \(Self.masterResponse)\nC: -ERR no\n= invalid -ERR no", .master)
    }

    // MARK: SMTP

    private static let offer = "C: 220 back\nS: EHLO mx.example.com\nC: 250-back\nC: 250 AUTH LOGIN PLAIN XOAUTH2\n"

    @Test func `SMTP: the master user logs in behind EHLO, also for clients that said HELO`() throws {
        let transcript = Self.offer + "S: AUTH PLAIN \(Self.masterResponse)\nC: 235 in\n= in 235 2.0.0 OK\\r\\n"
        try smtp(transcript, .master)
        try smtp(transcript, .master) { $1.envelope.isExtended = false }
    }

    @Test func `SMTP: XCLIENT comes before, and what was offered before it counts no more`() throws {
        let start = Self.offer + "S: XCLIENT ADDR=192.0.2.7 NAME=[UNAVAILABLE]\nC: 220 back\n"
        let end = "S: AUTH PLAIN \(Self.masterResponse)\nC: 235 in\n= in 235 2.0.0 OK\\r\\n"
        try smtp(start + "S: EHLO laptop\nC: 250-back\nC: 250 AUTH PLAIN\n" + end, .master) { settings, _ in
            settings.proxy.xclient = .on
        }
        try smtp(start + "S: EHLO laptop\nC: 250 back\n= not offered PLAIN", .master) { settings, _ in
            settings.proxy.xclient = .on
        }
        try smtp(start + "S: EHLO laptop\nC: 250-back\nC: 250 AUTH PLAIN\n" + end, .master) { settings, context in
            settings.proxy.xclient = .on
            context.envelope.isExtended = false
        }
        try smtp(start + "S: EHLO mx.example.com\nC: 250 AUTH PLAIN\n= not offered PLAIN", .master) {
            settings, context in
            // The first line of a reply to EHLO is a greeting, and a name.
            settings.proxy.xclient = .on
            context.envelope.helo = nil
        }
    }

    @Test func `SMTP: without proxy_smtp_auth, and for mail without a login, nobody logs in`() throws {
        let start = "C: 220 back\nS: EHLO mx.example.com\nC: 250 back\n"
        try smtp(start + "= in 235 2.0.0 OK\\r\\n", .master) { settings, _ in settings.proxy.smtpAuth = false }
        try smtp(start + "S: MAIL FROM:<>\nC: 250 ok\nS: RCPT TO:<a>\nC: 250 ok\n= in 250 ok\\r\\n", .master) {
            $1.envelope.mailFrom = Array("MAIL FROM:<>".utf8)
            $1.envelope.recipient = Array("RCPT TO:<a>".utf8)
        }
    }

    @Test func `SMTP: long responses wait, an error challenge is acknowledged, refusals end it`() throws {
        let start = Self.offer + "S: AUTH XOAUTH2 \(Self.xoauth2Response)\n"
        try smtp(start + "C: 334 e30=\nS:\nC: 535 5.7.8 no\n= invalid 535 5.7.8 no", .xoauth2)
        try smtp(start + "C: 334 e30=\nS:\nC: 334 e30=\n= invalid 334 e30=", .xoauth2)
        try smtp(Self.offer + "= not offered OAUTHBEARER", .oauthBearer)
        let long = String(repeating: "u", count: 400)
        let response = String(decoding: Base64.encode("\(long)\0root\0key".utf8), as: UTF8.self)
        let waiting = Self.offer + "S: AUTH PLAIN\n"
        try smtp(
            waiting + "C: 334 \nS: \(response)\nC: 235 in\n= in 235 2.0.0 OK\\r\\n", .master, login: long)
        try smtp(waiting + "C: 235 in\n= invalid 235 in", .master, login: long)
    }

    // MARK: What is never sent

    @Test func `nobody is logged in as the master itself, and names that would be another message are not sent`()
        throws
    {
        for login in ["", "b\0b"] {
            try imap("= unsendable", .master, login: login)
            try pop3("= unsendable", .master, login: login)
            try smtp("= unsendable", .master, login: login)
        }
        try imap("= unsendable", .xoauth2, login: "")
        try imap("= unsendable", .xoauth2, login: "bob\u{1}auth=Bearer x")
        try imap("= unsendable", .oauthBearer, login: "bob\r\n")
        // Commas and equals signs are escaped; without a name the token says who it is.
        let message = String(
            decoding: Base64.encode("n,a=b=3Db=2C,\u{1}auth=Bearer pass\u{1}\u{1}".utf8), as: UTF8.self)
        let greeting = "C: * OK [CAPABILITY SASL-IR AUTH=OAUTHBEARER]\n"
        try imap(
            greeting + "S: a2 AUTHENTICATE OAUTHBEARER \(message)\nC: a2 NO\n= invalid a2 NO", .oauthBearer,
            login: "b=b,")
        let nameless = String(decoding: Base64.encode("n,,\u{1}auth=Bearer pass\u{1}\u{1}".utf8), as: UTF8.self)
        try imap(
            greeting + "S: a2 AUTHENTICATE OAUTHBEARER \(nameless)\nC: a2 NO\n= invalid a2 NO", .oauthBearer, login: "")
    }
}
