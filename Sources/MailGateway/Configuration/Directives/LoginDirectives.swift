import AsyncIO
import MailSessions

/// How logins are answered, whom a certificate names, and in whose name back-ends are logged in at.
enum LoginDirectives {
    static let errorTexts = Setting(
        "error_texts", in: [.mail, .server], .choice(ErrorTexts.allCases.map { ($0.rawValue, $0) }),
        shown: "nginx where auth_http alone decides, else rfc",
        "How clients are told that a login failed. `rfc` tells wrong credentials (`NO [AUTHENTICATIONFAILED]`, `-ERR "
            + "[AUTH]`, `535 5.7.8`) from failures that are not the client's (`NO [UNAVAILABLE]`, `-ERR [SYS/TEMP]`, "
            + "`454 4.7.0`), so that it keeps its password; after the latter it may try again over the same connection, "
            + "as often as `max_errors` allows. `nginx` uses nginx's words and ends the session. Not in nginx.")

    static let clientIdentity = Setting(
        "ssl_client_identity", in: [.mail, .server],
        ValueSyntax<ClientIdentity?>.choice(
            [("off", nil)] + ClientIdentity.allCases.map { ($0.rawValue, ClientIdentity?.some($0)) }),
        default: "off",
        "Which part of a verified client certificate (`ssl_verify_client`) is the login name of EXTERNAL when the client "
            + "names none: the common name, the first e-mail address, or the user id of the subject. EXTERNAL without such "
            + "a certificate is refused then. A name that the client claims goes to the authenticator as it is. `off` lets "
            + "the authenticator judge it all, as in nginx. Not in nginx.")

    static let passesToken = Setting(
        "proxy_pass_token", in: [.mail, .server], .flag, default: "off",
        "Whether a login by OAUTHBEARER or XOAUTH2 is repeated at the back-end, with the same mechanism and token, where "
            + "the service sends no `Auth-Pass`; at SMTP back-ends only where users log in at all (`proxy_smtp_auth`). "
            + "Not in nginx.")

    static let masterUser = Setting(
        "proxy_master_user", in: [.mail, .server], .text("name"), shown: "none",
        "Who logs in at back-ends in every user's name: by SASL PLAIN, with the user as the identity to act as, so that "
            + "no password of the user is needed there. A back-end that does not offer PLAIN gets no credential. At SMTP "
            + "back-ends only where users log in at all (`proxy_smtp_auth`). Not in nginx.")

    static let masterPasswordFile = Setting(
        "proxy_master_password_file", in: [.mail, .server], .text("file"), shown: "none",
        "The file whose only line is the password of `proxy_master_user`: a path relative to the main file's directory. "
            + "It is read with the configuration. Not in nginx.")

    /// All rows.
    static let rows: [Directive] = [
        errorTexts.directive, clientIdentity.directive, passesToken.directive, masterUser.directive,
        masterPasswordFile.directive,
    ]
}

extension ServerDraft {
    /// The master user in force, with its password.
    func masterUser(_ mail: Scope, _ context: inout ParseContext) throws(ConfigurationError) -> MasterUser? {
        let values = ScopeChain(scope, mail)
        guard let name = values[LoginDirectives.masterUser] else { return nil }
        guard let path = values[LoginDirectives.masterPasswordFile] else {
            throw ConfigurationError(
                "no \"proxy_master_password_file\" is defined for the \"proxy_master_user\" directive",
                at: values.position(of: LoginDirectives.masterUser) ?? position,
                accepted: "Add proxy_master_password_file with the file that holds the password.")
        }
        let place = values.position(of: LoginDirectives.masterPasswordFile) ?? position
        return MasterUser(name: Array(name.utf8), password: try context.password(in: path, at: place))
    }
}
