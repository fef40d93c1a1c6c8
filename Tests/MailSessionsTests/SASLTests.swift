import AsyncIO
import MailSessions
import TestSupport
import Testing

/// The mechanisms, each through all three protocols: they differ only in what surrounds a challenge.
@Suite("SASL")
struct SASLTests {
    /// What a client sends, one response a row's line, and what comes of it.
    struct Row: Sendable, CustomTestStringConvertible {
        let reason: String
        let mechanism: String
        /// Challenges (with `<`) and responses (with `>`, in clear; with `=`, as they stand) in turn.
        let dialogue: [String]
        /// The question asked, or with `!` the note of a failure; nil for a failure without a note.
        let result: String?

        init(_ reason: String, _ mechanism: String, _ dialogue: [String], _ result: String?) {
            self.reason = reason
            self.mechanism = mechanism
            self.dialogue = dialogue
            self.result = result
        }

        var testDescription: String { "\(mechanism): \(reason)" }
    }

    static let rows = [
        Row("name and password", "PLAIN", ["<", ">\0ann\0secret"], "plain ann secret"),
        Row("any case", "pLaIn", ["<", ">\0ann\0secret"], "plain ann secret"),
        Row("initial response", "PLAIN", [">\0ann\0secret"], "plain ann secret"),
        Row("empty password", "PLAIN", [">\0ann\0"], "plain ann \"\""),
        Row("spaces, quotes and 8-bit", "PLAIN", [">\0a n\"n\0s\u{e4} c\\"], "plain a n\"n s\u{e4} c\\"),
        Row("the same authzid (§13 row 31)", "PLAIN", [">ann\0ann\0secret"], "plain ann secret"),
        Row("another authzid (§13 row 31)", "PLAIN", [">bob\0ann\0secret"], "!invalidPlainLogin"),
        Row("B5: no NUL", "PLAIN", [">annsecret"], "!invalidPlainLogin"),
        Row("B5: one NUL", "PLAIN", [">\0annsecret"], "!invalidPlainPassword"),
        Row("B5: three NUL", "PLAIN", [">\0ann\0sec\0ret"], "!invalidPlainPassword"),
        Row("B5: empty user", "PLAIN", [">\0\0secret"], "!invalidPlainLogin"),
        Row("B5: CR LF in the user (CVE-2025-59028)", "PLAIN", [">\0ann\r\nbob\0x"], "!invalidPlainLogin"),
        Row("B5: nothing, as an initial response", "PLAIN", ["=="], "!invalidPlainLogin"),
        Row("B5: nothing, as a response", "PLAIN", ["<", "="], "!invalidPlainLogin"),
        Row("B5: `=` where nothing is an empty line", "PLAIN", ["<", "=="], "!invalidBase64 PLAIN"),
        Row("B5: no base64", "PLAIN", ["=%%%%"], "!invalidBase64 PLAIN"),
        Row("B5: behind the padding (§13 row 25)", "PLAIN", ["=AGEAYQ==AA"], "!invalidBase64 PLAIN"),
        Row("B5: a response of two words", "PLAIN", ["<", "=AGEA YQ=="], "!invalidBase64 PLAIN"),
        Row("cancelled", "PLAIN", ["<", "=*"], nil),
        Row("cancelled in the initial response", "PLAIN", ["=*"], nil),

        Row("name and password", "LOGIN", ["<Username:", ">ann", "<Password:", ">secret"], "plain ann secret"),
        Row("initial response", "LOGIN", [">ann", "<Password:", ">secret"], "plain ann secret"),
        Row("empty password", "LOGIN", [">ann", "<Password:", "="], "plain ann \"\""),
        Row("B5: empty user", "LOGIN", ["<Username:", "="], nil),
        Row("B5: NUL in the user", "LOGIN", ["<Username:", ">a\0n"], nil),
        Row("B5: NUL in the password", "LOGIN", [">ann", "<Password:", ">a\0n"], nil),
        Row("B5: no base64 for the name", "LOGIN", ["<Username:", "=ann"], "!invalidBase64 LOGIN"),
        Row("B5: no base64 for the password", "LOGIN", [">ann", "<Password:", "=x"], "!invalidBase64 LOGIN"),
        Row("cancelled at the password", "LOGIN", [">ann", "<Password:", "=*"], nil),

        Row(
            "name and digest", "CRAM-MD5", ["<<S@mx>", ">ann 0123456789abcdef0123456789ABCDEF"],
            "cram-md5 ann 0123456789abcdef0123456789ABCDEF salt=<S@mx>"),
        Row(
            "a name with a space", "CRAM-MD5", ["<<S@mx>", ">ann b 0123456789abcdef0123456789abcdef"],
            "cram-md5 ann b 0123456789abcdef0123456789abcdef salt=<S@mx>"),
        Row("no initial response", "CRAM-MD5", [">ann 0123456789abcdef0123456789abcdef"], nil),
        Row("31 digits", "CRAM-MD5", ["<<S@mx>", ">ann 123456789abcdef0123456789abcdef"], "!invalidCramMD5Hash"),
        Row("33 digits", "CRAM-MD5", ["<<S@mx>", ">ann 00123456789abcdef0123456789abcdef"], "!invalidCramMD5Hash"),
        Row("no digits", "CRAM-MD5", ["<<S@mx>", ">ann 0123456789abcdef0123456789abcdeg"], "!invalidCramMD5Hash"),
        Row("no user", "CRAM-MD5", ["<<S@mx>", ">0123456789abcdef0123456789abcdef"], "!invalidCramMD5Hash"),
        Row("an empty user", "CRAM-MD5", ["<<S@mx>", "> 0123456789abcdef0123456789abcdef"], "!invalidCramMD5Hash"),
        Row("B5: no base64", "CRAM-MD5", ["<<S@mx>", "=*a"], "!invalidBase64 CRAM-MD5"),

        Row("authzid", "EXTERNAL", ["<Username:", ">ann"], "external ann \"\""),
        Row("initial response", "EXTERNAL", [">ann"], "external ann \"\""),
        Row("empty", "EXTERNAL", ["<Username:", "="], "external \"\" \"\""),
        Row("empty initial response", "EXTERNAL", ["=="], "external \"\" \"\""),
        Row("B5: CR LF", "EXTERNAL", [">ann\r\n"], nil),
        Row("B5: no base64", "EXTERNAL", ["=ann"], "!invalidBase64 EXTERNAL"),

        Row("name and token", "XOAUTH2", ["<", ">user=ann^auth=Bearer t0.k-E_n~+/==^^"], "xoauth2 ann t0.k-E_n~+/=="),
        Row("initial response", "xoauth2", [">user=ann^auth=Bearer x^^"], "xoauth2 ann x"),
        Row("8-bit and commas in the name", "XOAUTH2", [">user=\u{e4}n,=n^auth=bearer  x^^"], "xoauth2 \u{e4}n,=n x"),
        Row("B5: no name", "XOAUTH2", [">user=^auth=Bearer x^^"], "!invalidBearer XOAUTH2"),
        Row("B5: CR LF in the name", "XOAUTH2", [">user=a\r\nb^auth=Bearer x^^"], "!invalidBearer XOAUTH2"),
        Row("B5: no token", "XOAUTH2", [">user=ann^auth=Bearer ^^"], "!invalidBearer XOAUTH2"),
        Row("B5: another scheme", "XOAUTH2", [">user=ann^auth=Basic x^^"], "!invalidBearer XOAUTH2"),
        Row("B5: a space in the token", "XOAUTH2", [">user=ann^auth=Bearer x y^^"], "!invalidBearer XOAUTH2"),
        Row("B5: CR LF in the token", "XOAUTH2", [">user=ann^auth=Bearer x\r\n^^"], "!invalidBearer XOAUTH2"),
        Row("B5: = in the middle of the token", "XOAUTH2", [">user=ann^auth=Bearer a=b^^"], "!invalidBearer XOAUTH2"),
        Row("B5: the other order", "XOAUTH2", [">auth=Bearer x^user=ann^^"], "!invalidBearer XOAUTH2"),
        Row("B5: one more key", "XOAUTH2", [">user=ann^auth=Bearer x^a=b^^"], "!invalidBearer XOAUTH2"),
        Row("B5: no end", "XOAUTH2", [">user=ann^auth=Bearer x^"], "!invalidBearer XOAUTH2"),
        Row("B5: more behind the end", "XOAUTH2", [">user=ann^auth=Bearer x^^x"], "!invalidBearer XOAUTH2"),
        Row("B5: nothing", "XOAUTH2", ["<", "="], "!invalidBearer XOAUTH2"),
        Row("B5: the other mechanism's", "XOAUTH2", [">n,a=ann,^auth=Bearer x^^"], "!invalidBearer XOAUTH2"),
        Row("B5: no base64", "XOAUTH2", ["=user!"], "!invalidBase64 XOAUTH2"),
        Row("cancelled", "XOAUTH2", ["<", "=*"], nil),

        Row("name and token", "OAUTHBEARER", ["<", ">n,a=ann,^auth=Bearer x^^"], "oauthbearer ann x"),
        Row("initial response", "OAUTHBEARER", [">n,a=ann,^auth=Bearer x^^"], "oauthbearer ann x"),
        Row("= and , in the name", "OAUTHBEARER", [">n,a=a=3D=2Cb,^auth=Bearer x^^"], "oauthbearer a=,b x"),
        Row("the name is left to the token", "OAUTHBEARER", [">n,,^auth=Bearer x^^"], "oauthbearer \"\" x"),
        Row(
            "the client would know of channel binding", "OAUTHBEARER", [">y,a=ann,^auth=Bearer x^^"],
            "oauthbearer ann x"),
        Row(
            "host, port, and keys nobody knows", "OAUTHBEARER",
            [">n,a=ann,^host=mx.example^port=993^qs=a b^auth=BEARER x^^"], "oauthbearer ann x"),
        Row("B5: channel binding", "OAUTHBEARER", [">p=tls-unique,a=ann,^auth=Bearer x^^"], bearerFailure),
        Row("B5: not a standard flag", "OAUTHBEARER", [">F,n,a=ann,^auth=Bearer x^^"], bearerFailure),
        Row("B5: no header", "OAUTHBEARER", [">^auth=Bearer x^^"], bearerFailure),
        Row("B5: a header without its end", "OAUTHBEARER", [">n,a=ann^auth=Bearer x^^"], bearerFailure),
        Row("B5: an empty name", "OAUTHBEARER", [">n,a=,^auth=Bearer x^^"], bearerFailure),
        Row("B5: a name without a=", "OAUTHBEARER", [">n,user=ann,^auth=Bearer x^^"], bearerFailure),
        Row("B5: an unknown escape", "OAUTHBEARER", [">n,a=a=2Fb,^auth=Bearer x^^"], bearerFailure),
        Row("B5: half an escape", "OAUTHBEARER", [">n,a=a=2,^auth=Bearer x^^"], bearerFailure),
        Row("B5: NUL in the name", "OAUTHBEARER", [">n,a=a\0b,^auth=Bearer x^^"], bearerFailure),
        Row("B5: no auth", "OAUTHBEARER", [">n,a=ann,^host=x^^"], bearerFailure),
        Row("B5: auth twice", "OAUTHBEARER", [">n,a=ann,^auth=Bearer x^auth=Bearer y^^"], bearerFailure),
        Row("B5: host twice", "OAUTHBEARER", [">n,a=ann,^host=a^host=b^auth=Bearer x^^"], bearerFailure),
        Row("B5: no port", "OAUTHBEARER", [">n,a=ann,^port=65536^auth=Bearer x^^"], bearerFailure),
        Row("B5: no host", "OAUTHBEARER", [">n,a=ann,^host=^auth=Bearer x^^"], bearerFailure),
        Row("B5: no key", "OAUTHBEARER", [">n,a=ann,^=x^auth=Bearer x^^"], bearerFailure),
        Row("B5: a digit in a key", "OAUTHBEARER", [">n,a=ann,^k1=x^auth=Bearer x^^"], bearerFailure),
        Row("B5: 8-bit in a value", "OAUTHBEARER", [">n,a=ann,^qs=\u{e4}^auth=Bearer x^^"], bearerFailure),
        Row("B5: an empty pair in the middle", "OAUTHBEARER", [">n,a=ann,^^auth=Bearer x^^"], bearerFailure),
        Row("B5: an acknowledgement, first of all", "OAUTHBEARER", [">^"], bearerFailure),
        Row("B5: nothing", "OAUTHBEARER", ["=="], bearerFailure),
        Row("cancelled", "OAUTHBEARER", ["=*"], nil),
    ]

    private static let bearerFailure = "!invalidBearer OAUTHBEARER"

    @Test("through IMAP", arguments: rows)
    func imap(_ row: Row) throws {
        let script = transcript(
            row, greeting: "* OK IMAP4 ready", command: "a AUTHENTICATE", prefix: "+ ", salt: "<0.7@mx>",
            refusal: "a BAD invalid command", accepted: "accepted a")
        try script.play(.imap, IMAPFrontEnd.init)
    }

    @Test("through POP3", arguments: rows)
    func pop3(_ row: Row) throws {
        let script = transcript(
            row, greeting: "+OK POP3 ready <0.7@mx>", command: "AUTH", prefix: "+ ", salt: "<1.7@mx>",
            refusal: "-ERR invalid command", accepted: "accepted")
        try script.play(.pop3, POP3FrontEnd.init)
    }

    @Test("through SMTP", arguments: rows)
    func smtp(_ row: Row) throws {
        let script = transcript(
            row, greeting: "220 mx ESMTP ready", command: "AUTH", prefix: "334 ", salt: "<0.7@mx>",
            refusal: "500 5.5.1 Invalid command", accepted: "accepted")
        try script.play(.smtp, SMTPFrontEnd.init)
    }

    @Test("every mechanism is offered where it is configured, in nginx's order")
    func offered() throws {
        let change: @Sendable (inout ServerSettings) -> Void = {
            $0.mechanisms = [.plain, .login, .cramMD5, .external, .oauthBearer, .xoauth2]
        }
        let names = ["PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL", "XOAUTH2", "OAUTHBEARER"]
        let list = names.joined(separator: " ")
        let imap = names.map { "AUTH=\($0)" }.joined(separator: " ")
        try DialogueRow(
            "IMAP", change,
            """
            S: * OK IMAP4 ready
            C: a CAPABILITY
            S: * CAPABILITY IMAP4 IMAP4rev1 UIDPLUS \(imap)
            S: a OK completed
            """
        ).play(.imap, IMAPFrontEnd.init)
        try DialogueRow(
            "POP3", change,
            """
            S: +OK POP3 ready <0.7@mx>
            C: CAPA
            S: +OK Capability list follows
            S: TOP
            S: USER
            S: UIDL
            S: SASL \(list)
            S: .
            C: AUTH
            S: +OK methods supported:
            \(names.map { "S: \($0)" }.joined(separator: "\n"))
            S: .
            """
        ).play(.pop3, POP3FrontEnd.init)
        try DialogueRow(
            "SMTP", change, "S: 220 mx ESMTP ready\nC: EHLO a\nS: 250-mx\nS: 250 AUTH \(list)"
        ).play(.smtp, SMTPFrontEnd.init)
    }

    @Test("OAUTHBEARER and XOAUTH2 are refused and not offered where not configured")
    func tokensAreConfigured() throws {
        let text = "n,a=ann,\u{1}auth=Bearer x\u{1}\u{1}"
        let message = String(decoding: Base64.encode(text.utf8), as: UTF8.self)
        let row = DialogueRow(
            "not configured", { $0.mechanisms = [.plain, .xoauth2] },
            """
            S: 220 mx ESMTP ready
            C: EHLO a
            S: 250-mx
            S: 250 AUTH PLAIN XOAUTH2
            C: AUTH OAUTHBEARER \(message)
            S: 500 5.5.1 Invalid command
            C: AUTH OAUTHBEARER
            S: 500 5.5.1 Invalid command
            """)
        try row.play(.smtp, SMTPFrontEnd.init)
    }

    @Test("CRAM-MD5 and EXTERNAL are refused where not configured, PLAIN and LOGIN never (§4.3, §13 row 1)")
    func enforcement() throws {
        let row = DialogueRow(
            "enforcement", { $0.mechanisms = .apop },
            #"""
            S: +OK POP3 ready <0.7@mx>
            C: AUTH CRAM-MD5
            S: -ERR invalid command
            C: AUTH EXTERNAL
            S: -ERR invalid command
            C: AUTH EXTERNAL YW5u
            S: -ERR invalid command
            C: AUTH LOGIN
            S: + VXNlcm5hbWU6
            C: *
            S: -ERR invalid command
            C: AUTH PLAIN AGFubgBzZWNyZXQ=
            ? plain ann secret -> accept
            = accepted
            """#)
        try row.play(.pop3, POP3FrontEnd.init)
    }

    /// The row as a transcript of one protocol.
    private func transcript(
        _ row: Row, greeting: String, command: String, prefix: String, salt: String, refusal: String, accepted: String
    ) -> DialogueRow {
        var responses = row.dialogue[...]
        var lines = ["S: \(greeting)"]
        var client = "C: \(command) \(row.mechanism)"
        if let initial = responses.first, !initial.hasPrefix("<") {
            client += " " + encoded(responses.removeFirst())
        }
        lines.append(client)
        for line in responses {
            if line.hasPrefix("<") {
                let challenge = line.dropFirst().replacing("<S@mx>", with: salt)
                let text = String(decoding: Base64.encode(challenge.utf8), as: UTF8.self)
                lines.append("S: \(prefix)\(text)")
            } else {
                lines.append("C: \(encoded(line))")
            }
        }
        if let result = row.result, !result.hasPrefix("!") {
            lines += ["? \(result.replacing("<S@mx>", with: salt)) -> accept", "= \(accepted)"]
        } else {
            if let note = row.result { lines.append("! \(note.dropFirst())") }
            lines.append("S: \(refusal)")
        }
        return DialogueRow(
            row.testDescription,
            { $0.mechanisms = [.plain, .login, .cramMD5, .external, .xoauth2, .oauthBearer] },
            lines.joined(separator: "\n"))
    }

    private func encoded(_ response: String) -> String {
        guard response.hasPrefix(">") else { return String(response.dropFirst()) }
        // `^` is written for the separator of OAUTHBEARER and XOAUTH2, a byte 1.
        let bytes = response.dropFirst().utf8.map { $0 == UInt8(ascii: "^") ? 1 : $0 }
        return String(decoding: Base64.encode(bytes), as: UTF8.self)
    }
}
