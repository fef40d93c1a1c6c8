import MailSessions

/// The directives of one protocol's front-end; the three protocols have the same four or fewer.
enum ProtocolDirectives {
    static let imapCapabilities = capabilities("imap", default: "IMAP4 IMAP4rev1 UIDPLUS", "CAPABILITY")
    static let pop3Capabilities = capabilities("pop3", default: "TOP USER UIDL", "CAPA")
    static let smtpCapabilities = capabilities("smtp", default: "", "EHLO")

    static let imapMechanisms = mechanisms("imap", [plain, login, cramMD5, external] + bearer, default: "plain")
    static let pop3Mechanisms = mechanisms("pop3", [plain, apop, cramMD5, external] + bearer, default: "plain")
    static let smtpMechanisms = mechanisms(
        "smtp", [plain, login, cramMD5, external, none] + bearer, default: "plain login")

    static let imapClientBuffer = clientBuffer("imap")
    static let pop3ClientBuffer = clientBuffer("pop3")
    static let smtpClientBuffer = clientBuffer("smtp")

    static let smtpGreetingDelay = Setting(
        "smtp_greeting_delay", in: [.mail, .server], .time, default: "0",
        "How long the greeting is held back; a client that speaks before it is refused.")

    /// All rows.
    static let rows: [Directive] = [
        imapCapabilities.directive, imapMechanisms.directive, imapClientBuffer.directive,
        pop3Capabilities.directive, pop3Mechanisms.directive, pop3ClientBuffer.directive,
        smtpCapabilities.directive, smtpMechanisms.directive, smtpClientBuffer.directive,
        smtpGreetingDelay.directive,
    ]

    /// The settings of a protocol: capabilities, mechanisms, and the size of the command buffer in bytes.
    static func settings(
        of mailProtocol: MailProtocol
    ) -> (capabilities: Setting<[String]>, mechanisms: Setting<MechanismSet>, clientBuffer: Setting<Int>) {
        switch mailProtocol {
        case .imap: (imapCapabilities, imapMechanisms, imapClientBuffer)
        case .pop3: (pop3Capabilities, pop3Mechanisms, pop3ClientBuffer)
        case .smtp: (smtpCapabilities, smtpMechanisms, smtpClientBuffer)
        }
    }

    private typealias Mechanism = (word: String, value: MechanismSet)
    private static let plain: Mechanism = ("plain", .plain)
    private static let login: Mechanism = ("login", .login)
    private static let apop: Mechanism = ("apop", .apop)
    private static let cramMD5: Mechanism = ("cram-md5", .cramMD5)
    private static let external: Mechanism = ("external", .external)
    private static let none: Mechanism = ("none", .none)
    private static let bearer: [Mechanism] = [("xoauth2", .xoauth2), ("oauthbearer", .oauthBearer)]

    private static func capabilities(_ prefix: String, default text: String, _ command: String) -> Setting<[String]> {
        Setting(
            "\(prefix)_capabilities", in: [.mail, .server], .words("capability"), default: text, repetition: .adds,
            "What \(command) lists, in the order written; name what all back-ends can do. Login mechanisms and STARTTLS "
                + "are added by themselves. A capability with a space needs quotes.")
    }

    private static func mechanisms(_ prefix: String, _ words: [Mechanism], default text: String) -> Setting<
        MechanismSet
    > {
        Setting(
            "\(prefix)_auth", in: [.mail, .server], .mask(words), default: text, repetition: .adds,
            "The ways to log in that clients are offered. `xoauth2` and `oauthbearer`, which show a token, are not in "
                + "nginx."
                + (prefix == "pop3" ? " `plain` offers LOGIN as well." : "")
                + (prefix == "smtp" ? " `none` lets clients send mail without a login." : ""))
    }

    private static func clientBuffer(_ prefix: String) -> Setting<Int> {
        Setting(
            "\(prefix)_client_buffer", in: [.mail, .server], .size(128...(16 << 20)), default: "4k",
            "The longest command before the login, literals included."
                + (prefix == "pop3" ? " Not in nginx, where it is 128 bytes." : ""))
    }
}
