import Testing

/// A guide in docs whose configuration a test runs, with the stage's addresses in place of those shown.
enum Guide {
    /// The guide's first configuration. Shown are `127.0.0.1:9143` for the service, and the ports 1143, 1110 and
    /// 1587 for IMAP, POP3 and SMTP.
    static func text(_ name: String, auth: Endpoint, _ configuration: GatewayConfiguration, on stage: Stage) throws
        -> String
    {
        let block = try #require(
            DocumentedConfigurationTests.blocks.first { $0.place.hasPrefix("docs/guides/\(name).md:") })
        var text = block.text.replacing("127.0.0.1:9143", with: "\(auth)")
        for (mail, port) in [(Mail.imap, 1143), (.pop3, 1110), (.smtp, 1587)] {
            let endpoint = try #require(configuration.servers.first { $0.mail == mail }).endpoint
            text = text.replacing("127.0.0.1:\(port)", with: "\(endpoint)")
        }
        return """
            error_log \(stage.directory.path("gateway.log")) debug;
            pid \(stage.directory.path("gateway.pid"));
            \(text)
            """
    }
}

/// A login by curl, or with XOAUTH2 by Python's libraries, that shows a token or a password.
struct ClientLogin {
    /// As curl names it in `AUTH=…`.
    var mechanism: String
    var account = Account.ann
    /// Shown in place of the password.
    var token: String?

    /// curl's arguments, up to the URL.
    var arguments: [String] {
        let proof = token.map { ["--oauth2-bearer", $0, "--user", account.name] }
        return [
            "/usr/bin/curl", "--silent", "--show-error", "--max-time", "20", "--login-options", "AUTH=\(mechanism)",
        ]
            + (proof ?? ["--user", "\(account.name):\(account.password)"])
    }
}

extension Site {
    /// Fetches the only message over IMAP or POP3.
    func fetch(_ mail: Mail, _ login: ClientLogin) throws -> CommandResult {
        let endpoint = try gateway.endpoint(mail)
        if login.mechanism == "XOAUTH2" { return try runPython(mail, login) }
        let path = mail == .imap ? "INBOX;MAILINDEX=1" : "1"
        return try stage.run(login.arguments + ["--url", "\(mail.rawValue)://\(endpoint)/\(path)"])
    }

    /// Sends a message to Ann.
    func send(subject: String, _ login: ClientLogin) throws -> CommandResult {
        let file = try stage.directory.write("message-\(subject)", Messages.small(subject: subject))
        if login.mechanism == "XOAUTH2" {
            return try runPython(.smtp, login, [file, "sender@example.test", Account.ann.address])
        }
        return try stage.run(
            login.arguments + [
                "--url", "smtp://\(try gateway.endpoint(.smtp))/client.example.test", "--mail-from",
                "sender@example.test", "--mail-rcpt", Account.ann.address, "--upload-file", file,
            ])
    }

    private func runPython(_ mail: Mail, _ login: ClientLogin, _ message: [String] = []) throws -> CommandResult {
        let endpoint = try gateway.endpoint(mail)
        return try stage.runScript(
            "xoauth2_client.py",
            [endpoint.host, "\(endpoint.port)", mail.rawValue, login.account.name, login.token ?? ""] + message)
    }
}
