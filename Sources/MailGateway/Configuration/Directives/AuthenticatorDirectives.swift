import AsyncIO
import MailSessions

/// Who decides about logins: `auth_http` and `auth_file`; `auth_mysql` and `auth_pam` have files of their own.
///
/// Authenticators share one slot, for they are asked in the order in which they are written.
enum AuthenticatorDirectives {
    static let slot = "authenticators"

    static let authHTTP = Setting(
        "auth_http", sharing: slot, in: [.mail, .server], url,
        shown: "none; `auth_http`, `auth_file`, `auth_mysql` or `auth_pam` is required", repetition: .adds,
        "The HTTP service that is asked about each login: `[http://]host[:port][/path]`, `https://host[:port][/path]` or "
            + "`unix:/socket[:/path]`, with port 80 (443) and path `/` by default. Several are asked in the order written: the next one when one cannot be "
            + "reached, does not answer in time, or answers 5xx without `Auth-Status`; who failed comes last for "
            + "\(AuthHTTPService.failurePause.components.seconds) s. (In nginx the last directive replaces the others.) A "
            + "host name is looked up when the configuration is read, and again at run time: through the `resolver`, or "
            + "without one by the system every \(HostAddresses.systemValidity.components.seconds) s. All its addresses are "
            + "tried. https is not in nginx. Beside other authenticators those services are one, whose answer decides.")

    static let authHTTPHeader = Setting(
        "auth_http_header", in: [.mail, .server], header, shown: "none", repetition: .adds,
        "A header that is sent with each question, for instance a shared secret.")

    static let authHTTPTimeout = Setting(
        "auth_http_timeout", in: [.mail, .server], .time, default: "60s",
        "How long one question may take, from connecting to the end of the answer.")

    static let authHTTPKeepAlive = Setting(
        "auth_http_keepalive", in: [.mail, .server], .number(0...65536), default: "32",
        "How many idle connections to the service each worker keeps; `0` closes each after its answer. Not in nginx.")

    static let passesClientCertificate = Setting(
        "auth_http_pass_client_cert", in: [.mail, .server], .flag, default: "off",
        "Whether the service gets the client's certificate as a whole (`Auth-SSL-Cert`).")

    static let verifies = Setting(
        "auth_http_ssl_verify", in: [.mail, .server], .flag, default: "on",
        "Whether an https service must prove by its certificate that it is who it should be. Not in nginx.")

    static let trustedAuthorities = Setting(
        "auth_http_ssl_trusted_certificate", in: [.mail, .server], .text("file"), shown: "the system's authorities",
        "Authorities that vouch for an https service. Not in nginx.")

    static let certificateName = Setting(
        "auth_http_ssl_name", in: [.mail, .server], .text("name"), shown: "the host of auth_http",
        "Whom an https service's certificate must be for; it is sent, too (SNI). Not in nginx.")

    static let authFile = Setting(
        "auth_file", sharing: slot, in: [.mail, .server], accounts, shown: "none", repetition: .adds,
        "A file of accounts that decides without a service: a path relative to the main file's directory, or "
            + "`data:` and the accounts themselves. Lines are `name:[backend=back-end:]{PLAIN}password`, with "
            + "`{CRYPT}hash` or a bare hash in place of `{PLAIN}password`. Accounts without `backend=` are at the "
            + "`proxy_pass`, which is required for them. Several authenticators are asked in the order written, and "
            + "the first that knows the user decides; one that cannot decide is a temporary failure. Not in nginx.")

    static let cache = Setting(
        "auth_cache", in: [.mail, .server], remembered, default: "off",
        "Remembers up to `max` decisions about logins in each worker, for each server by itself: those accepted for "
            + "`ttl` (`60s` by default), those refused for `negative_ttl` (`10s`); `0` for not at all. What is remembered "
            + "holds only for the same protocol, name, password, client address, TLS and certificate, and number of the "
            + "attempt; of the password a keyed digest is kept. A login that then fails at its back-end is forgotten, and "
            + "a reload forgets all. So a changed password or a locked account takes effect within `ttl` at the latest. "
            + "Only passwords are remembered, not answers to challenges or tokens. Not in nginx.")

    /// All rows.
    static let rows: [Directive] = [
        authHTTP.directive, authHTTPHeader.directive, authHTTPTimeout.directive, authHTTPKeepAlive.directive,
        authFile.directive, cache.directive,
        passesClientCertificate.directive, verifies.directive, trustedAuthorities.directive, certificateName.directive,
    ]

    /// The most decisions that may be remembered: some hundred bytes each.
    private static let rememberedMaximum = 1_000_000

    private static let remembered = ValueSyntax<AuthCacheSettings?>(
        .oneOrMore, "off | max=*number* [ttl=*time*] [negative_ttl=*time*]"
    ) { (statement, _, _) throws(ConfigurationError) in
        if statement.arguments == ["off"] { return nil }
        var settings = AuthCacheSettings(maximum: 0)
        for word in statement.arguments {
            let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let value = parts.count == 2 ? String(parts[1]) : ""
            let time = duration(value, precision: .milliseconds)
            switch (parts[0], time) {
            case ("max", _) where decimal(value, in: 1...rememberedMaximum) != nil:
                settings.maximum = decimal(value) ?? 0
            case ("ttl", let time?): settings.lifetime = time
            case ("negative_ttl", let time?): settings.refusalLifetime = time
            default:
                throw statement.error("invalid parameter: \(escaped(word))", accepted: rememberedForms)
            }
        }
        guard settings.maximum > 0 else { throw statement.error("no max in auth_cache", accepted: rememberedForms) }
        return settings
    }

    private static let rememberedForms =
        "It must be off, or max=number (1 to \(rememberedMaximum)) and perhaps ttl=time and negative_ttl=time."

    private static let urlForms =
        "It must be [http://]host[:port][/path], https://host[:port][/path] or unix:/socket[:/path]."

    private static let url = ValueSyntax<[AuthenticatorSettings]>(.one, "*url*") {
        (statement, previous, context) throws(ConfigurationError) in
        var text = statement.arguments[0]
        let isSecure = text.hasPrefix("https://")
        for scheme in ["http://", "https://"] where text.hasPrefix(scheme) {
            text.removeFirst(scheme.count)
            break
        }
        do throws(Endpoint.Failure) {
            let endpoint = try Endpoint(text, for: .service)
            guard (endpoint.hostText + endpoint.path).utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
                throw Endpoint.Failure(text: "invalid character")
            }
            let addresses = try endpoint.addresses(port: endpoint.ports?.lowerBound ?? (isSecure ? 443 : 80), &context)
            guard let address = addresses.first else { throw Endpoint.Failure(text: "host not found") }
            var settings = AuthHTTPSettings(address: address, host: endpoint.hostText)
            settings.isSecure = isSecure
            settings.addresses = addresses
            if case .name(let name) = endpoint.host { settings.hostName = name }
            // A query without a path, which nginx would send as it is, is no request target.
            if !endpoint.path.isEmpty {
                settings.uri = endpoint.path.hasPrefix("/") ? endpoint.path : "/" + endpoint.path
            }
            var authenticators = previous ?? []
            if case .http(let services) = authenticators.last {
                authenticators[authenticators.count - 1] = .http(services + [settings])
            } else {
                authenticators.append(.http([settings]))
            }
            return authenticators
        } catch {
            throw statement.error("\(error.text) in auth_http \(quoted(text))", accepted: urlForms)
        }
    }

    private static let header = ValueSyntax<[AuthHTTPSettings.Header]>(.two, "*name* *value*") {
        (statement, previous, _) throws(ConfigurationError) in
        let name = statement.arguments[0]
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") }) else {
            throw statement.invalidValue(name, accepted: "It must be the name of a header, without a colon.")
        }
        let value = statement.arguments[1]
        if !value.isEmpty { _ = try printable(value, of: statement) }
        return (previous ?? []) + [AuthHTTPSettings.Header(name: name, value: value)]
    }

    private static let accounts = ValueSyntax<[AuthenticatorSettings]>(.one, "*file* | data:*accounts*") {
        (statement, previous, context) throws(ConfigurationError) in
        let argument = statement.arguments[0]
        let name: String
        var text: [UInt8]
        if argument.hasPrefix("data:") {
            name = "data:"
            text = Array(argument.dropFirst("data:".count).utf8)
        } else {
            name = context.pathOfConfiguration(try printable(argument, of: statement))
            text = try context.read(name, as: .accounts, at: statement.position).bytes
        }
        defer { wipe(&text) }
        do throws(AccountsFileError) {
            return (previous ?? []) + [.accounts(try AccountsFile(parsing: text))]
        } catch {
            throw statement.error("invalid accounts at \(quoted("\(name):\(error.line)"))", accepted: sentence(error))
        }
    }

    private static func sentence(_ error: AccountsFileError) -> String {
        "Line \(error.line): \(error.reason.rawValue)."
    }
}
