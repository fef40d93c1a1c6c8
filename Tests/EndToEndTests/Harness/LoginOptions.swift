/// Who may log in at a Dovecot beside its accounts, and how.
struct LoginOptions {
    /// Somebody who may log in in everybody's name.
    var master: Account?
    /// The service that knows tokens (RFC 7662), for OAUTHBEARER and XOAUTH2.
    var introspection: Endpoint?
    /// Whether a Postfix may ask about logins over `socket(in:)`.
    var servesPostfix = false

    /// Where Postfix asks.
    static func socket(in directory: TestDirectory) -> String { directory.path("dovecot/auth-client") }

    /// What a Dovecot's configuration has beside what every one has.
    func configuration(in directory: TestDirectory) throws -> String {
        var lines: [String] = []
        if let master {
            let file = try directory.write("dovecot/masters", "\(master.name):{PLAIN}\(master.password)\n")
            lines.append("passdb {\n driver = passwd-file\n args = username_format=%u \(file)\n master = yes\n}")
        }
        if let introspection {
            let file = try directory.write(
                "dovecot/oauth2.conf",
                """
                introspection_mode = get
                introspection_url = http://\(introspection)/introspect?token=
                force_introspection = yes
                username_attribute = username
                active_attribute = active
                active_value = true

                """)
            lines.append("auth_mechanisms = plain login oauthbearer xoauth2")
            lines.append("passdb {\n driver = oauth2\n mechanisms = oauthbearer xoauth2\n args = \(file)\n}")
        }
        if servesPostfix {
            let socket = LoginOptions.socket(in: directory)
            lines.append("service auth {\n unix_listener \(socket) {\n mode = 0666\n }\n}")
        }
        return (lines + [""]).joined(separator: "\n")
    }
}
