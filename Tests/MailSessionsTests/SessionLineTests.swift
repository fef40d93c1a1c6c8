import AsyncIO
import Glibc
import MailSessions
import Testing

/// Every event of a session in nginx's words, with its level and suffix (nginx-mail.md §3.1, §11).
@Suite struct SessionLineTests {
    private static let client = SocketAddress.ipv4(IPv4Address(192, 0, 2, 1), port: 4711)
    private static let listener = SocketAddress.ipv4(.any, port: 143)
    private static let backEnd = SocketAddress.ipv4(IPv4Address(198, 51, 100, 1), port: 1143)
    private static let service = SocketAddress.ipv4(.loopback, port: 9143)
    private static let suffix = ", client: 192.0.2.1, server: 0.0.0.0:143"
    private static let known = "\(suffix), login: \"bob\", upstream: 198.51.100.1:1143"

    /// An event, where the session stands, and the line.
    struct Row: Sendable, CustomTestStringConvertible {
        let event: SessionEvent
        let phase: SessionPhase
        let line: String?

        init(_ event: SessionEvent, _ phase: SessionPhase, _ line: String?) {
            self.event = event
            self.phase = phase
            self.line = line
        }

        var testDescription: String { line ?? "\(event)" }
    }

    private static func line(_ row: Row, _ change: (inout SessionContext) -> Void = { _ in }) -> String? {
        var context = SessionContext(number: 5, mailProtocol: .imap, client: client, listener: listener)
        context.phase = row.phase
        change(&context)
        let line = SessionLine(row.event, in: context)
        #expect(line.map { $0.level == SessionLine.level(row.event) } ?? true)
        return line.map { "[\($0.level.rawValue)] \($0.text)" }
    }

    @Test(arguments: [
        Row(.connected, .greeting, "[info] client 192.0.2.1:4711 connected to 0.0.0.0:143"),
        Row(
            .clientFailed(.timedOut), .authenticating,
            "[info] client timed out (110: Connection timed out) while in auth state\(suffix)"),
        Row(
            .clientFailed(.system(.recv, code: ECONNRESET)), .authenticating,
            "[info] recv() failed (104: Connection reset by peer) while in auth state\(suffix)"),
        Row(.clientFailed(.closed), .authenticating, nil),
        Row(
            .limited(.connections, zone: "one", isDryRun: false), .greeting,
            "[error] limiting connections by zone \"one\"\(suffix)"),
        Row(
            .limited(.connections, zone: "one", isDryRun: true), .greeting,
            "[error] limiting connections, dry run, by zone \"one\"\(suffix)"),
        Row(
            .limited(.logins, zone: "two", isDryRun: false), .askingAuthenticator,
            "[warn] limiting logins by zone \"two\"\(suffix)"),
        Row(
            .clientFailed(.timedOut), .readingProxyHeader,
            "[info] client timed out (110: Connection timed out) while reading PROXY protocol\(suffix)"),
        Row(
            .note(.rejectedBeforeGreeting(excerpt: Array("QUIT\r\n".utf8))), .delayingGreeting,
            "[info] client was rejected before greeting: \"QUIT__\" while in delay pipelining state\(suffix)"),
        Row(
            .note(.rejected(excerpt: Array("MAIL FROM:<a\u{1B}>".utf8))), .authenticating,
            "[info] client was rejected: \"MAIL FROM:<a\\x1B>__\" while in auth state\(suffix)"),
        Row(
            .note(.tooLongCommand(excerpt: Array("a\"".utf8))), .authenticating,
            "[info] client sent too long command \"a\\x22\" while in auth state\(suffix)"),
        Row(
            .note(.tooManyErrors), .authenticating,
            "[info] client sent too many invalid commands while in auth state\(suffix)"),
        Row(
            .note(.invalidBase64(mechanism: "CRAM-MD5")), .authenticating,
            "[info] client sent invalid base64 encoding in AUTH CRAM-MD5 command while in auth state\(suffix)"),
        Row(
            .note(.invalidPlainLogin), .authenticating,
            "[info] client sent invalid login in AUTH PLAIN command while in auth state\(suffix)"),
        Row(
            .note(.invalidPlainPassword), .authenticating,
            "[info] client sent invalid password in AUTH PLAIN command while in auth state\(suffix)"),
        Row(
            .note(.invalidCramMD5Hash), .authenticating,
            "[info] client sent invalid CRAM-MD5 hash in AUTH CRAM-MD5 command while in auth state\(suffix)"),
        Row(
            .note(.foreignProtocol(excerpt: Array("GET".utf8))), .authenticating,
            "[info] client speaks another protocol: \"GET\" while in auth state\(suffix)"),
        Row(
            .note(.command(excerpt: Array("AUTH ***".utf8))), .authenticating,
            "[debug] client command: \"AUTH ***\" while in auth state\(suffix)"),
    ])
    func `before the login`(_ row: Row) { #expect(Self.line(row) == row.line) }

    @Test func `STARTTLS stands behind the client`() {
        let row = Row(.clientFailed(.timedOut), .startingTLS, "")
        #expect(
            Self.line(row) { $0.usesStartTLS = true }
                == "[info] client timed out (110: Connection timed out) while in starttls state, client: 192.0.2.1 using starttls, server: 0.0.0.0:143"
        )
    }

    @Test(arguments: [
        Row(
            .loginRefused(text: Array("Invalid login".utf8)), .askingAuthenticator,
            "[info] client login failed: \"Invalid login\" while in http auth state"),
        Row(
            .authenticatorFailed(.unreachable(service, .timedOut)), .askingAuthenticator,
            "[error] auth http server 127.0.0.1:9143 timed out (110: Connection timed out) while in http auth state"),
        Row(
            .authenticatorFailed(.unreachable(service, .system(.connect, code: ECONNREFUSED))), .askingAuthenticator,
            "[error] connect() to 127.0.0.1:9143 failed (111: Connection refused) while in http auth state"),
        Row(
            .authenticatorFailed(.fault(service, .response)), .askingAuthenticator,
            "[error] auth http server 127.0.0.1:9143 sent invalid response while in http auth state"),
        Row(
            .authenticatorFailed(.fault(service, .header)), .askingAuthenticator,
            "[error] auth http server 127.0.0.1:9143 sent invalid header in response while in http auth state"),
        Row(
            .authenticatorFailed(.fault(service, .missingServerOrPort)), .askingAuthenticator,
            "[error] auth http server 127.0.0.1:9143 did not send server or port while in http auth state"),
        Row(
            .authenticatorFailed(.fault(service, .missingPassword)), .askingAuthenticator,
            "[error] auth http server 127.0.0.1:9143 did not send password while in http auth state"),
        Row(
            .authenticatorFailed(.fault(service, .serverAddress(Array("x".utf8)))), .askingAuthenticator,
            "[error] auth http server 127.0.0.1:9143 sent invalid server address:\"x\" while in http auth state"),
        Row(
            .authenticatorFailed(.fault(service, .serverPort(Array("0".utf8)))), .askingAuthenticator,
            "[error] auth http server 127.0.0.1:9143 sent invalid server port:\"0\" while in http auth state"),
        Row(
            .authenticatorFailed(.database("unix:/db", .timedOut)), .askingAuthenticator,
            "[error] mysql unix:/db timed out (110: Connection timed out) while checking the login"),
        Row(
            .authenticatorFailed(.pam("mail", .rejected)), .askingAuthenticator,
            "[error] PAM service \"mail\" is not known to the PAM helper while checking the login"),
        Row(
            .authenticatorFailed(.overloaded), .askingAuthenticator,
            "[error] too many passwords wait to be checked while checking the login"),
        Row(
            .authenticatorFailed(.noBackEnd), .askingAuthenticator,
            "[error] no back-end is known for this login, and no \"proxy_pass\" is defined while checking the login"),
    ])
    func `while the service decides`(_ row: Row) {
        let login = ", client: 192.0.2.1, server: 0.0.0.0:143, login: \"b\\x0Ab\""
        #expect(Self.line(row) { $0.login = Array("b\nb".utf8) } == row.line.map { $0 + login })
    }

    @Test(arguments: [
        Row(
            .backEndFailed(.io(.system(.connect, code: ECONNREFUSED))), .connectingToBackEnd,
            "[error] connect() to 198.51.100.1:1143 failed (111: Connection refused) while connecting to upstream"),
        Row(
            .backEndFailed(.io(.timedOut)), .sendingProxyHeader,
            "[info] upstream timed out (110: Connection timed out) while sending PROXY protocol header to upstream"),
        Row(
            .backEndFailed(.io(.timedOut)), .loggingInAtBackEnd(.sendingPassword),
            "[info] upstream timed out (110: Connection timed out) while sending password to upstream"),
        Row(
            .backEndFailed(.invalidResponse(Array("a NO".utf8), isPassedOn: false)),
            .loggingInAtBackEnd(.readingReply),
            "[error] upstream sent invalid response: \"a NO\" while reading response from upstream"),
        Row(
            .backEndFailed(.invalidResponse(Array("a NO".utf8), isPassedOn: true)),
            .loggingInAtBackEnd(.readingReply),
            "[info] upstream sent invalid response: \"a NO\" while reading response from upstream"),
        Row(
            .backEndFailed(.responseTooLong(Array("* OK x".utf8))), .loggingInAtBackEnd(.readingReply),
            "[error] upstream sent too long response line: \"* OK x\" while reading response from upstream"),
        Row(.loggedIn, .relaying, "[info] client logged in"),
        Row(
            .relaySourceFailed(.client, .system(.recv, code: ECONNRESET)), .relaying,
            "[info] recv() failed (104: Connection reset by peer) while proxying and reading from client"),
        Row(
            .relaySourceFailed(.backEnd, .system(.recv, code: ECONNRESET)), .relaying,
            "[error] recv() failed (104: Connection reset by peer) while proxying and reading from upstream"),
    ])
    func `at the back-end`(_ row: Row) {
        let line = Self.line(row) {
            $0.login = Array("bob".utf8)
            $0.backEnd = Self.backEnd
        }
        #expect(line == row.line.map { $0 + Self.known })
    }

    @Test(
        arguments: [
            (.finished, "[info] proxied session done\(known)"),
            (.timedOut, "[info] client timed out (110: Connection timed out) while proxying\(known)"),
            (.cancelled, "[info] shutdown timeout while proxying\(known)"),
            (
                .failed(.system(.send, code: EPIPE), sendingTo: .client),
                "[info] send() failed (32: Broken pipe) while proxying and sending to client\(known)"
            ),
            (
                .failed(.system(.send, code: EPIPE), sendingTo: .backEnd),
                "[error] send() failed (32: Broken pipe) while proxying and sending to upstream\(known)"
            ),
        ] as [(Relay.End, String)])
    func `a closing line has the bytes each way and the duration`(_ end: Relay.End, _ beginning: String) {
        let event = SessionEvent.ended(
            .relayed(end, received: 12, sent: 3456, duration: .milliseconds(61_042)))
        let line = Self.line(Row(event, .relaying, "")) {
            $0.login = Array("bob".utf8)
            $0.backEnd = Self.backEnd
        }
        #expect(line == beginning + ", bytes from/to client: 12/3456, duration: 61.042")
    }

    @Test(
        arguments: [
            (.awaitingGreeting, "connecting to upstream"), (.readingReply, "reading response from upstream"),
            (.sendingUser, "sending user name to upstream"), (.sendingPassword, "sending password to upstream"),
            (.sendingLogin, "sending LOGIN command to upstream"), (.sendingHello, "sending HELO/EHLO to upstream"),
            (.sendingXClient, "sending XCLIENT to upstream"),
            (.sendingClientHello, "sending client HELO/EHLO to upstream"),
            (.sendingAuthentication, "sending AUTH to upstream"), (.sendingMail, "sending MAIL FROM to upstream"),
            (.sendingRecipient, "sending RCPT TO to upstream"),
        ] as [(BackEndActivity, String)])
    func `each step at a back-end has its words`(_ activity: BackEndActivity, _ words: String) {
        let row = Row(.backEndFailed(.io(.timedOut)), .loggingInAtBackEnd(activity), "")
        #expect(
            Self.line(row) == "[info] upstream timed out (110: Connection timed out) while \(words)\(Self.suffix)")
    }
}
