import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite struct SMTPBackEndTests {
    /// What differs between the tests.
    private struct Situation {
        var login = "bob"
        var password: String? = "pass"
        var helo: String? = "laptop"
        var isExtended = true
        var mailFrom: String?
        var recipient: String?
        var xclient = XClientPolicy.on
        var smtpAuth = false
        /// `Auth-SMTP`.
        var ownSMTPAuth: Bool?
        var client = BackEndFixture.client
        var buffer = 4096
        var tls = false
        var offers: BackEndOffers? = []
    }

    private func check(_ transcript: String, _ change: (inout Situation) -> Void = { _ in }) throws {
        var situation = Situation()
        change(&situation)
        var context = ReplyContext()
        context.envelope.helo = situation.helo.map { Array($0.utf8) }
        context.envelope.isExtended = situation.isExtended
        context.envelope.mailFrom = situation.mailFrom.map { Array($0.utf8) }
        context.envelope.recipient = situation.recipient.map { Array($0.utf8) }
        var settings = BackEndFixture.settings(.smtp, buffer: situation.buffer)
        settings.proxy.xclient = situation.xclient
        settings.proxy.smtpAuth = situation.smtpAuth
        if situation.tls { settings.proxy.tls.security = .startTLS }
        try Transcript(transcript).check(BackEndFixture.words()) {
            var credentials = BackEndFixture.credentials(situation.login, situation.password)
            credentials.smtpAuth = situation.ownSMTPAuth
            return SMTPBackEnd(
                credentials: credentials, context: context, settings: settings, client: situation.client,
                offers: situation.offers)
        }
    }

    private func withoutLogin(_ situation: inout Situation) {
        situation.login = ""
        situation.password = ""
        situation.mailFrom = "MAIL FROM:<a@b> SIZE=9"
        situation.recipient = "RCPT TO:<c@d>"
        situation.xclient = .off
    }

    @Test func `TLS comes before the login where it is demanded, and then all begins anew`() throws {
        try check(
            #"""
            C: 220 back
            S: EHLO mx.example.com
            C: 250-back
            C: 250 STARTTLS
            S: STARTTLS
            C: 220 go
            startTLS
            S: EHLO mx.example.com
            C: 250 back
            S: AUTH PLAIN AGJvYgBwYXNz
            C: 235 in
            = in 235 2.0.0 OK\r\n
            """#
        ) {
            $0.tls = true
            $0.smtpAuth = true
            $0.xclient = .off
        }
        for refusal in ["454 later", "502 no", "250 fine"] {
            try check(
                "C: 220 back\nS: EHLO mx.example.com\nC: 250 back\nS: STARTTLS\nC: \(refusal)\n= no TLS \(refusal)"
            ) {
                $0.tls = true
                $0.xclient = .off
            }
        }
    }

    @Test func `introduces the client with XCLIENT and repeats its EHLO`() throws {
        try check(
            #"""
            C: 220 back
            S: EHLO mx.example.com
            C: 250-back
            C: 250 XCLIENT
            S: XCLIENT ADDR=192.0.2.7 LOGIN=bob NAME=[UNAVAILABLE]
            C: 220 back
            S: EHLO laptop
            C: 250-back
            C: 250-PIPELINING
            C: 250 SIZE
            = in 235 2.0.0 OK\r\n
            """#)
    }

    @Test func `repeats HELO as HELO and goes on without one`() throws {
        let start =
            "C: 220 back\nS: EHLO mx.example.com\nC: 250 back\nS: XCLIENT ADDR=192.0.2.7 LOGIN=bob NAME=[UNAVAILABLE]\n"
        try check(start + "C: 250 ok\nS: HELO laptop\nC: 250 back\n= in 235 2.0.0 OK\\r\\n") { $0.isExtended = false }
        try check(start + "C: 220 ok\n= in 235 2.0.0 OK\\r\\n") { $0.helo = nil }
    }

    @Test func `XCLIENT names IPv6 clients so, codes the login as xtext and leaves it out where AUTH follows`() throws {
        try check(
            #"""
            C: 220 back
            S: EHLO mx.example.com
            C: 250 back
            S: XCLIENT ADDR=IPV6:2001:db8::1 LOGIN=b+20b+2B+3D+0D+0A+C3+A4+7F@x NAME=host.example
            """#
        ) {
            $0.login = "b b+=\r\nä\u{7F}@x"
            $0.client.address = SocketAddress("[2001:db8::1]:9") ?? BackEndFixture.address
            $0.client.hostName = "host.example"
        }
        try check(
            #"""
            C: 220 back
            S: EHLO mx.example.com
            C: 250 back
            S: XCLIENT ADDR=[UNAVAILABLE] NAME=[UNAVAILABLE]
            C: 220 back
            S: EHLO laptop
            C: 250 back
            S: AUTH PLAIN AGJvYgBwYXNz
            C: 235 welcome
            = in 235 2.0.0 OK\r\n
            """#
        ) {
            $0.client.address = .unix("/run/x")
            $0.smtpAuth = true
        }
    }

    @Test(
        arguments: [
            ("XCLIENT NAME ADDR PROTO LOGIN PORT", "XCLIENT ADDR=192.0.2.7 LOGIN=bob NAME=[UNAVAILABLE]"),
            ("xclient addr", "XCLIENT ADDR=192.0.2.7"), ("XCLIENT LOGIN", "XCLIENT LOGIN=bob"),
        ])
    func `xclient auto tells only what is offered`(_ offer: String, _ command: String) throws {
        try check(
            #"""
            C: 220 back
            S: EHLO mx.example.com
            C: 250-back
            C: 250-\#(offer)
            C: 250 SIZE
            S: \#(command)
            C: 220 back
            S: EHLO laptop
            C: 250 back
            = in 235 2.0.0 OK\r\n
            """#
        ) { $0.xclient = .automatic }
    }

    @Test(arguments: ["250 SIZE", "250 XCLIENT", "250 XCLIENT PORT HELO", "250 XCLIENTS ADDR"])
    func `xclient auto tells nothing where nothing is offered`(_ last: String) throws {
        try check("C: 220 back\nS: EHLO mx.example.com\nC: 250-back\nC: \(last)\n= in 235 2.0.0 OK\\r\\n") {
            $0.xclient = .automatic
        }
    }

    @Test func `xclient auto asks with EHLO, and says HELO where only that is known`() throws {
        try check(
            "C: 220 back\nS: EHLO mx.example.com\nC: 502 no\nS: HELO mx.example.com\nC: 250 back\n= in 235 2.0.0 OK\\r\\n"
        ) {
            $0.xclient = .automatic
            $0.isExtended = false
        }
        try check("C: 220 back\nS: EHLO mx.example.com\nC: 502 no\n= invalid 502 no") { $0.xclient = .automatic }
        try check(
            "C: 220 back\nS: EHLO mx.example.com\nC: 502 no\nS: HELO mx.example.com\nC: 502 no\n= invalid 502 no"
        ) {
            $0.xclient = .automatic
            $0.isExtended = false
        }
    }

    @Test(arguments: [(true, false), (false, true)])
    func `Auth-SMTP overrides proxy_smtp_auth for the session`(_ configured: Bool, _ own: Bool) throws {
        let login = own ? "" : " LOGIN=bob"
        let auth = own ? "S: AUTH PLAIN AGJvYgBwYXNz\nC: 235 in\n" : ""
        try check(
            "C: 220 back\nS: EHLO mx.example.com\nC: 250 back\nS: XCLIENT ADDR=192.0.2.7\(login) NAME=[UNAVAILABLE]\n"
                + "C: 220 back\nS: EHLO laptop\nC: 250 back\n\(auth)= in 235 2.0.0 OK\\r\\n"
        ) {
            $0.smtpAuth = configured
            $0.ownSMTPAuth = own
        }
    }

    @Test(arguments: [(true, "EHLO"), (false, "HELO")])
    func `without XCLIENT greets as the client did`(isExtended: Bool, verb: String) throws {
        try check("C: 220 back\nS: \(verb) mx.example.com\nC: 250 back\nc: more\n= in 235 2.0.0 OK\\r\\n\nl: more") {
            $0.xclient = .off
            $0.isExtended = isExtended
        }
    }

    @Test func `replays MAIL and RCPT, and any reply to RCPT is the client's`() throws {
        let start =
            "C: 220 back\nS: HELO mx.example.com\nC: 250 back\nS: MAIL FROM:<a@b> SIZE=9\nC: 250 ok\nS: RCPT TO:<c@d>\n"
        for reply in ["250 2.1.5 ok", "450 later", "550-no\nC: 550 such user"] {
            let line = reply.replacing("\nC: ", with: #"\r\n"#)
            try check(start + "C: \(reply)\n= in \(line)\\r\\n") {
                withoutLogin(&$0)
                $0.isExtended = false
                // Even with proxy_smtp_auth: there is nobody to log in.
                $0.smtpAuth = true
                $0.password = nil
            }
        }
    }

    @Test func `a refusal ends the login at every step`() throws {
        try check("C: 554 go away\n= invalid 554 go away")
        try check("C: 220 back\nS: EHLO mx.example.com\nC: 500-one\nC: 500 two\\x01\n= invalid 500 two ")
        let start =
            "C: 220 back\nS: EHLO mx.example.com\nC: 250 back\nS: XCLIENT ADDR=192.0.2.7 LOGIN=bob NAME=[UNAVAILABLE]\n"
        try check(start + "C: 550 no\n= invalid 550 no")
        try check(start + "C: 220 ok\nS: EHLO laptop\nC: 502 no\n= invalid 502 no")
        try check("C: 220 b\nS: EHLO mx.example.com\nC: 250 b\nS: AUTH PLAIN AGJvYgBwYXNz\nC: 535 no\n= invalid 535 no")
        {
            $0.xclient = .off
            $0.smtpAuth = true
        }
        try check(
            "C: 220 b\nS: EHLO mx.example.com\nC: 250 b\nS: MAIL FROM:<a@b> SIZE=9\nC: 452 full\n= invalid 452 full",
            withoutLogin)
    }

    @Test(arguments: ["", "22", "22x hello", "220_hello", "hello", "+OK hello"])
    func `what is no SMTP reply ends the login`(line: String) throws {
        try check("C: \(line)\n= invalid \(line)")
    }

    @Test func `a reply of bare digits counts`() throws {
        try check("C: 220\nS: EHLO mx.example.com")
    }

    @Test func `all lines of a reply share the buffer`() throws {
        try check("C: 220-4567\nC: 220 4\nS: EHLO mx.example.com", { $0.buffer = 17 })
        try check("C: 220-4567\nC: 220 45\n= too long", { $0.buffer = 17 })
    }

    @Test func `what cannot be sent in one line is not sent (checklist C5)`() throws {
        try check("= unsendable") { $0.helo = "a\r\nRSET" }
        try check("= unsendable") {
            withoutLogin(&$0); $0.recipient = "RCPT TO:<a>\nDATA"
        }
        try check("= unsendable") {
            withoutLogin(&$0); $0.mailFrom = "MAIL FROM:<\0>"
        }
        try check("= unsendable") {
            $0.smtpAuth = true; $0.password = nil
        }
        try check("= unsendable") {
            $0.smtpAuth = true; $0.password = "a\0b"
        }
        try check("= unsendable") {
            $0.smtpAuth = true; $0.login = "a\0b"
        }
    }
}
