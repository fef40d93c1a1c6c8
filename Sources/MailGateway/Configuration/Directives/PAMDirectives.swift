import MailSessions

/// PAM as an authenticator: `auth_pam` and what belongs to it.
enum PAMDirectives {
    static let authPAM = Setting(
        "auth_pam", sharing: AuthenticatorDirectives.slot, in: [.mail, .server], service, shown: "none",
        repetition: .adds,
        "A PAM service that decides about logins with a password: the name of its file in /etc/pam.d, or in the "
            + "directory of `confdir=`, which is relative to the main file's. Authentication and account phase must "
            + "both succeed. A helper process with the privileges of the master asks it, on "
            + "\(PAMLimits.threads) threads at most. PAM names no back-end, so `proxy_pass` is required with it. Not in nginx."
    )

    static let timeout = Setting(
        "auth_pam_timeout", in: [.mail, .server], .time, default: "30s",
        "How long PAM may take for one login; then the client gets a temporary error. Not in nginx.")

    /// All rows.
    static let rows: [Directive] = [authPAM.directive, timeout.directive]

    /// Whether this program can ask PAM.
    static var isBuiltIn: Bool {
        #if PAM
            true
        #else
            false
        #endif
    }

    /// What is said where it cannot.
    static let missing = "\"auth_pam\" is not built in"

    private static let service = ValueSyntax<[AuthenticatorSettings]>(.oneOrTwo, "*service* [confdir=*directory*]") {
        (statement, previous, context) throws(ConfigurationError) in
        guard isBuiltIn else {
            throw statement.error(
                missing, accepted: "Build with the package trait PAM, which needs libpam.")
        }
        let name = statement.arguments[0]
        guard isServiceName(name) else {
            throw statement.error(
                "invalid PAM service \(quoted(name))",
                accepted: "It must be the name of a file in /etc/pam.d, of letters, digits, \"-\", \"_\" and \".\".")
        }
        var directory: String?
        if let parameter = statement.arguments.dropFirst().first {
            guard parameter.hasPrefix("confdir="), parameter.utf8.count > "confdir=".utf8.count else {
                throw statement.error(
                    "invalid parameter \(quoted(parameter))", accepted: "It must be confdir=directory.")
            }
            let path = context.pathOfConfiguration(
                try printable(String(parameter.dropFirst("confdir=".count)), of: statement))
            guard path.utf8.count <= PAMService.textMaximum else {
                throw statement.error(
                    "too long parameter \(quoted(parameter))",
                    accepted: "A directory has at most \(PAMService.textMaximum) bytes.")
            }
            directory = path
        }
        return (previous ?? []) + [.pam(PAMSettings(PAMService(name, in: directory)))]
    }

    /// A file's name that stays in its directory, in the letters that libpam tells apart.
    private static func isServiceName(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= PAMService.textMaximum && !name.hasPrefix(".")
            && name.utf8.allSatisfy { $0.isLetter || $0.isDigit || "-_.".utf8.contains($0) }
    }
}

extension Configuration {
    /// The PAM services of all servers, each once, in the order written.
    var pamServices: [PAMService] {
        var services: [PAMService] = []
        for case .pam(let settings) in servers.flatMap(\.settings.authenticators)
        where !services.contains(settings.service) {
            services.append(settings.service)
        }
        return services
    }

    /// The helper keeps a bounded list.
    func checkPAMServices() throws(ConfigurationError) {
        let count = pamServices.count
        guard count > PAMService.countMaximum else { return }
        throw ConfigurationError(
            "\(count) PAM services are too many", at: .whole,
            accepted: "There may be \(PAMService.countMaximum) different ones.")
    }
}
