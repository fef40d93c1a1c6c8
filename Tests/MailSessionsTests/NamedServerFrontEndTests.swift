import AsyncIO
import MailSessions
import TestSupport
import Testing

/// A client that asks for another server by name when STARTTLS was agreed to talks to that one from there on.
@Suite struct NamedServerFrontEndTests {
    @Test func imap() throws {
        try play(
            .imap, IMAPFrontEnd.init,
            { settings in
                settings.capabilities = ["IMAP4rev1", "SECOND"]
                settings.mechanisms = [.plain, .cramMD5]
                settings.clientBuffer = 40
            },
            #"""
            S: * OK IMAP4 ready
            C: a XYZ
            S: a BAD invalid command
            C: b STARTTLS
            S: b OK completed
            startTLS
            C: c CAPABILITY
            S: * CAPABILITY IMAP4rev1 SECOND AUTH=PLAIN AUTH=CRAM-MD5
            S: c OK completed
            C: d AUTHENTICATE CRAM-MD5
            S: + PDAuN0BzZWNvbmQ+
            C: *
            S: d BAD invalid command
            C: e NOOP ----------------------------------
            ! tooLongCommand "e NOOP ---------------------------------"
            S: e BAD invalid command
            = violation
            """#)
    }

    @Test func pop3() throws {
        try play(
            .pop3, POP3FrontEnd.init,
            { settings in
                settings.capabilities = ["TOP", "SECOND"]
                settings.mechanisms = [.plain, .apop]
                settings.bareLineFeed = .refuse
            },
            #"""
            S: +OK POP3 ready
            C: STLS
            S: +OK
            startTLS
            C: CAPA
            S: +OK Capability list follows
            S: TOP
            S: SECOND
            S: SASL PLAIN LOGIN
            S: .
            C: APOP ann 0123456789abcdef0123456789abcdef
            S: -ERR invalid command
            C: XYZW
            S: -ERR invalid command
            C: XYZW
            ! tooManyErrors
            S: -ERR invalid command
            = violation
            """#, maxErrors: 2)
    }

    @Test func smtp() throws {
        try play(
            .smtp, SMTPFrontEnd.init,
            { settings in
                settings.capabilities = ["SIZE 1000"]
                settings.mechanisms = [.plain, .none]
            },
            #"""
            S: 220 mx ESMTP ready
            C: EHLO one
            S: 250-mx
            S: 250-AUTH PLAIN LOGIN
            S: 250 STARTTLS
            C: MAIL FROM:<a@b>
            ! rejected "MAIL FROM:<a@b>"
            S: 530 5.7.1 Authentication required
            C: STARTTLS
            S: 220 2.0.0 Start TLS
            startTLS
            C: EHLO two
            S: 250-second
            S: 250-SIZE 1000
            S: 250 AUTH PLAIN
            C: MAIL FROM:<a@b>
            S: 250 2.0.0 OK
            """#)
    }

    private func play<Subject: FrontEnd>(
        _ mailProtocol: MailProtocol, _ make: @escaping (ServerSettings, Bool, SaltFactory) -> Subject,
        _ change: (inout ServerSettings) -> Void, _ transcript: String, maxErrors: Int = 5
    ) throws {
        var first = ServerSettings.fixture(mailProtocol)
        first.startTLS = .on
        var second = first
        second.name = "second"
        second.maxErrors = maxErrors
        change(&second)
        try Transcript(transcript).check(.frontEnd) { Switching(make(first, false, .counting), to: second) }
    }
}

/// A front-end that goes on as another server's when TLS begins.
private struct Switching<Subject: FrontEnd>: FrontEnd {
    private var subject: Subject
    private let other: ServerSettings

    init(_ subject: Subject, to other: ServerSettings) {
        self.subject = subject
        self.other = other
    }

    var input: ByteQueue {
        get { subject.input }
        set { subject.input = newValue }
    }

    mutating func next() -> Step<LoginAttempt, FrontEndNote, FrontEndOutcome> {
        let step = subject.next()
        if case .startTLS = step { subject.goOn(by: other) }
        return step
    }

    mutating func resume(_ answer: Verdict) { subject.resume(answer) }
    mutating func goOn(by settings: ServerSettings) { subject.goOn(by: settings) }
    func farewell(_ reason: Farewell) -> [UInt8] { subject.farewell(reason) }
}
