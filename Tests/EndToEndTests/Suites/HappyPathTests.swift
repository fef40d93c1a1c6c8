import Testing

/// Real clients through the gateway to real servers.
@Suite("Happy paths", .endToEnd) struct HappyPathTests {
    @Test func curlListsAndFetchesOverIMAP() throws {
        try Site.run { site in
            try site.deliver(subject: "over-imap")
            let url = "imap://\(try site.gateway.endpoint(.imap))/"
            let list = try site.stage.run(curl + ["--url", url])
            #expect(list.succeeded && list.output.contains("INBOX"), "\(list)")
            let fetch = try site.stage.run(curl + ["--url", "\(url)INBOX;MAILINDEX=1"])
            #expect(fetch.succeeded && fetch.output.contains("Subject: over-imap"), "\(fetch)")
        }
    }

    @Test func curlFetchesOverPOP3() throws {
        try Site.run { site in
            try site.deliver(subject: "over-pop3")
            let url = "pop3://\(try site.gateway.endpoint(.pop3))/1"
            let fetch = try site.stage.run(curl + ["--url", url])
            #expect(fetch.succeeded && fetch.output.contains("Subject: over-pop3"), "\(fetch)")
        }
    }

    @Test(.needsPostfix) func curlSendsOverSMTPAndTheMessageCanBeFetched() throws {
        try Site.run(withPostfix: true) { site in
            let file = try site.stage.directory.write("message", Messages.small(subject: "sent-by-curl"))
            let url = "smtp://\(try site.gateway.endpoint(.smtp))/client.example.test"
            let send = try site.stage.run(
                curl + [
                    "--url", url, "--mail-from", "sender@example.test", "--mail-rcpt", Account.ann.address,
                    "--upload-file", file,
                ])
            #expect(send.succeeded, "\(send)")
            try site.waitForDelivery()
            #expect(try site.mailbox(.imap).map(\.subject) == ["sent-by-curl"])
            #expect(try site.mailbox(.pop3).map(\.subject) == ["sent-by-curl"])
        }
    }

    @Test(.needsPostfix) func pythonsLibrariesSendAndFetch() throws {
        try Site.run(withPostfix: true) { site in
            let file = try site.stage.directory.write("message", Messages.small(subject: "sent-by-smtplib"))
            let endpoint = try site.gateway.endpoint(.smtp)
            let sent = try site.stage.runScript(
                "smtp_client.py",
                [
                    endpoint.host, "\(endpoint.port)", Account.bob.name, Account.bob.password, "bob@example.test",
                    Account.ann.address, file,
                ])
            #expect(sent.succeeded, "\(sent)")
            try site.waitForDelivery()
            let overIMAP = try site.mailbox(.imap)
            #expect(overIMAP.map(\.subject) == ["sent-by-smtplib"])
            #expect(try site.mailbox(.pop3) == overIMAP)
        }
    }

    @Test func aPasswordWithQuotesPercentAndBackslashWorks() throws {
        try Site.run { site in
            for mail in [Mail.imap, .pop3] {
                let messages = try site.mailbox(mail, of: .bob)
                #expect(messages.isEmpty)
            }
        }
    }

    @Test func mbsyncMirrorsAMailbox() throws {
        try Site.run { site in
            try site.deliver(subject: "mirrored")
            let endpoint = try site.gateway.endpoint(.imap)
            let mirror = try site.stage.directory.makeFolder("mirror")
            let file = try site.stage.directory.write(
                "mbsyncrc",
                """
                IMAPAccount gateway
                Host \(endpoint.host)
                Port \(endpoint.port)
                User \(Account.ann.name)
                Pass "\(Account.ann.password)"
                SSLType None
                AuthMechs PLAIN

                IMAPStore far
                Account gateway

                MaildirStore near
                Path \(mirror)/
                Inbox \(mirror)/INBOX

                Channel all
                Far :far:
                Near :near:
                Patterns *
                Create Near
                SyncState *

                """, mode: 0o600)
            let sync = try site.stage.run(["/usr/bin/mbsync", "-c", file, "-a"])
            #expect(sync.succeeded, "\(sync)")
            let copies = site.stage.directory.files(startingWith: "mirror/INBOX/").filter { $0.contains("/new/") }
            #expect(copies.count == 1)
            #expect(copies.allSatisfy { textOfFile(site.stage.directory.path($0)).contains("Subject: mirrored") })
        }
    }

    @Test func fetchmailCollectsOverPOP3() throws {
        try Site.run { site in
            try site.deliver(subject: "collected")
            let endpoint = try site.gateway.endpoint(.pop3)
            let inbox = site.stage.directory.path("collected")
            let file = try site.stage.directory.write(
                "fetchmailrc",
                """
                poll \(endpoint.host) service \(endpoint.port) protocol pop3
                    username "\(Account.ann.name)" password "\(Account.ann.password)" sslproto ""
                    mda "/bin/cat >> \(inbox)"

                """, mode: 0o600)
            let fetch = try site.stage.run(
                ["/usr/bin/fetchmail", "-f", file, "--nodetach", "--nosyslog", "--pidfile", "\(file).pid"],
                environment: ["FETCHMAILHOME": site.stage.directory.path])
            #expect(fetch.succeeded, "\(fetch)")
            #expect(textOfFile(inbox).contains("Subject: collected"))
        }
    }

    @Test(.needsPostfix) func msmtpAndSwaksSend() throws {
        try Site.run(withPostfix: true) { site in
            let endpoint = try site.gateway.endpoint(.smtp)
            let message = try site.stage.directory.write("message", Messages.small(subject: "sent-by-msmtp"))
            let file = try site.stage.directory.write(
                "msmtprc",
                """
                account default
                host \(endpoint.host)
                port \(endpoint.port)
                from sender@example.test
                domain client.example.test
                auth plain
                tls off
                user \(Account.ann.name)
                password "\(Account.ann.password)"

                """, mode: 0o600)
            let msmtp = try site.stage.run(["/usr/bin/msmtp", "-C", file, Account.ann.address], input: message)
            #expect(msmtp.succeeded, "\(msmtp)")
            let swaks = try site.stage.run([
                "/usr/bin/swaks", "--server", endpoint.host, "--port", "\(endpoint.port)", "--ehlo",
                "client.example.test", "--from", "sender@example.test", "--to", Account.ann.address, "--auth", "LOGIN",
                "--auth-user", Account.ann.name, "--auth-password", Account.ann.password, "--header",
                "Subject: sent-by-swaks", "--pipeline",
            ])
            #expect(swaks.succeeded, "\(swaks)")
            try site.waitForDelivery(of: 2)
            #expect(try Set(site.mailbox(.pop3).map(\.subject)) == ["sent-by-msmtp", "sent-by-swaks"])
        }
    }

    @Test(.needsPostfix) func postfixLearnsWhoTheClientIs() throws {
        try Site.run(withPostfix: true) { site in
            let client = try site.gateway.greetedClient(.smtp)
            #expect(try client.logIn(.smtp, as: .ann) == "235 2.0.0 OK")
            #expect(try client.ask("MAIL FROM:<sender@example.test>").hasPrefix("250 "))
            #expect(try client.ask("RCPT TO:<\(Account.ann.address)>").hasPrefix("250 "))
            #expect(try client.ask("DATA").hasPrefix("354 "))
            #expect(try client.ask("Subject: known\r\n\r\nbody\r\n.").hasPrefix("250 "))
            #expect(try client.ask("QUIT").hasPrefix("221 "))
            let log = try #require(site.postfix).log
            try waitUntil("the login in Postfix's log") {
                textOfFile(log).contains("client=unknown[127.0.0.1], sasl_method=XCLIENT, sasl_username=ann")
            }
        }
    }

    /// curl as every test here needs it: quiet, but for errors.
    private var curl: [String] {
        [
            "/usr/bin/curl", "--silent", "--show-error", "--max-time", "20", "--user",
            "\(Account.ann.name):\(Account.ann.password)",
        ]
    }
}
