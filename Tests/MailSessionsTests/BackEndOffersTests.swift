import AsyncIO
import MailSessions
import TestSupport
import Testing

@Suite struct BackEndOffersTests {
    @Test func `what a back-end offers is kept for an hour, with TLS and without`() {
        let known = RememberedOffers()
        let clear = RememberedOffers.Place(address: BackEndFixture.address, isSecured: false)
        let secured = RememberedOffers.Place(address: BackEndFixture.address, isSecured: true)
        let now = Instant.now
        #expect(known.offers(at: clear, now: now) == nil)
        known.keep(.pipelining, of: clear, now: now)
        known.keep([], of: secured, now: now)
        #expect(known.offers(at: clear, now: now + .seconds(3599)) == .pipelining)
        #expect(known.offers(at: secured, now: now + .seconds(3599)) == [])
        #expect(known.offers(at: clear, now: now + .seconds(3600)) == nil)
    }

    private func smtp(
        _ offers: BackEndOffers?, helo: String? = "laptop", xclient: XClientPolicy = .on, tls: Bool = false
    ) -> SMTPBackEnd {
        var context = ReplyContext()
        context.envelope.helo = helo.map { Array($0.utf8) }
        context.envelope.isExtended = true
        var settings = BackEndFixture.settings(.smtp, tls: tls)
        settings.proxy.xclient = xclient
        return SMTPBackEnd(
            credentials: BackEndFixture.credentials(), context: context, settings: settings,
            client: BackEndFixture.client, offers: offers)
    }

    private func check(_ transcript: String, _ login: @autoclosure () -> SMTPBackEnd) throws {
        try Transcript(transcript).check(BackEndFixture.words()) { login() }
    }

    private let xclient = "S: XCLIENT ADDR=192.0.2.7 LOGIN=bob NAME=[UNAVAILABLE]\n"
    private let own = "S: EHLO mx.example.com\nC: 250 back\n"
    private let rest = "C: 220 back\nS: EHLO laptop\nC: 250 back\n= in 235 2.0.0 OK\\r\\n"

    @Test func `XCLIENT comes first at an SMTP back-end that has announced it`() throws {
        try check("C: 220 back\n" + xclient + rest, smtp(.xclient))
        try check("C: 220-back\nC: 220 end\n" + xclient + rest, smtp([.xclient, .xclientAddress]))
        try check(
            "C: 220 back\n" + own + "S: STARTTLS\nC: 220 go\nstartTLS\n" + xclient + rest, smtp(.xclient, tls: true))
        try check(
            "C: 220 back\nS: XCLIENT ADDR=192.0.2.7\n" + rest, smtp([.xclient, .xclientAddress], xclient: .automatic))
    }

    @Test func `EHLO comes first where XCLIENT is not known or not to be said, or no EHLO would follow it`() throws {
        let usual = "C: 220 back\n" + own + xclient
        try check(usual + rest, smtp([]))
        try check(usual + rest, smtp(nil))
        for helo in [nil, ""] { try check(usual + "C: 220 back\n= in 235 2.0.0 OK\\r\\n", smtp(.xclient, helo: helo)) }
        let silent = "C: 220 back\n" + own + "= in 235 2.0.0 OK\\r\\n"
        try check(silent, smtp(.xclient, xclient: .automatic))
        try check(silent, smtp(.xclient, xclient: .off))
    }

    @Test func `EHLO follows where XCLIENT in front of it is refused for good`() throws {
        for refusal in ["503 5.5.1 EHLO first", "550 5.7.0 no", "500 what"] {
            try check("C: 220 back\n" + xclient + "C: \(refusal)\n" + own + xclient + rest, smtp(.xclient))
        }
        for answer in ["421 bye", "354 go", "+OK"] {
            try check("C: 220 back\n" + xclient + "C: \(answer)\n= invalid \(answer)", smtp(.xclient))
        }
    }

    @Test func `until it is answered, XCLIENT in front of EHLO may be what a back-end takes offence at`() {
        func isShortening(after words: [String]) -> Bool {
            var login = smtp(.xclient)
            for word in words {
                login.input.append(contentsOf: Array("\(word)\r\n".utf8))
                while case .send = login.next() {}
            }
            return login.isShortening
        }
        #expect(!isShortening(after: []))
        #expect(isShortening(after: ["220 back"]))
        #expect(!isShortening(after: ["220 back", "503 EHLO first"]))
        #expect(!isShortening(after: ["220 back", "220 back"]))
    }

    @Test func `what an SMTP back-end says of XCLIENT is found out, its silence counting as no`() {
        func found(after words: [String], _ offers: BackEndOffers? = nil, _ policy: XClientPolicy = .on)
            -> BackEndOffers?
        {
            var login = smtp(offers, xclient: policy)
            for word in words {
                login.input.append(contentsOf: Array("\(word)\r\n".utf8))
                while case .send = login.next() {}
            }
            return login.offers
        }
        #expect(found(after: ["220 back"]) == nil)
        #expect(found(after: ["220 back", "502 no"]) == nil)
        #expect(found(after: ["220 back", "250 back"]) == [])
        #expect(found(after: ["220 back", "250-back", "250 XCLIENT"]) == .xclient)
        #expect(found(after: ["220 back", "250-back", "250 xclient name PORT"]) == [.xclient, .xclientName])
        #expect(found(after: ["220 back", "250-back", "250 XCLIENT"], []) == [])
        #expect(found(after: ["220 back", "250-back", "250 XCLIENT"], nil, .off) == nil)
        #expect(found(after: [], .xclient) == .xclient)
        #expect(found(after: ["220 back"], .xclient) == [])
        #expect(found(after: ["220 back", "220 back"], .xclient) == .xclient)
        #expect(found(after: ["220 back", "550 no", "250-back", "250 XCLIENT"], .xclient) == [])
    }
}
