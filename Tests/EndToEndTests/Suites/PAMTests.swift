#if PAM
    import Foundation
    import Glibc
    import Testing

    /// `auth_pam`: libpam and its modules as they are, asked by a helper process.
    @Suite("PAM", .endToEnd, .beyondNginx) struct PAMTests {
        private static let temporary: [Mail: String] = [
            .imap: "a1 NO [UNAVAILABLE]", .pop3: "-ERR [SYS/TEMP]", .smtp: "454 4.7.0",
        ]

        /// Whether an answer is the protocol's temporary error, in nginx's words or in the RFCs'.
        private func isTemporary(_ answer: String, _ mail: Mail) -> Bool {
            answer.hasPrefix(mail.internalError) || answer.hasPrefix(Self.temporary[mail] ?? "")
        }

        private func isRefused(_ answer: String, _ mail: Mail) -> Bool {
            let prefix: [Mail: String] = [.imap: "a1 NO", .pop3: "-ERR", .smtp: "535"]
            return answer.hasPrefix(prefix[mail] ?? "") && answer.contains("Invalid login or password")
        }

        @Test(arguments: Mail.allCases)
        func aRightPasswordLogsInAndOthersDoNot(mail: Mail) throws {
            try PAMSite.run { site in
                let client = try site.gateway.greetedClient(mail)
                #expect(try client.logIn(mail, as: .bob).hasPrefix(mail.loggedInPrefix))
                #expect(client.isAnswered(mail))
                #expect(try isRefused(site.logIn(mail, password: "wrong"), mail))
                #expect(try isRefused(site.logIn(mail, as: Account(name: "nobody", password: "x")), mail))
            }
        }

        @Test func theAccountPhaseRefusesAsAWrongPasswordDoes() throws {
            try PAMSite.run(services: { stage in
                ["mail": [PAMSite.passwords(stage)[0], "account required pam_debug.so acct=acct_expired"]]
            }) { site in
                for mail in Mail.allCases {
                    let answer = try site.logIn(mail)
                    #expect(isRefused(answer, mail), "\(answer)")
                }
            }
        }

        @Test func whatPAMCannotDecideIsTemporary() throws {
            try PAMSite.run(services: { _ in
                ["mail": ["auth required pam_debug.so auth=authinfo_unavail", "account required pam_permit.so"]]
            }) { site in
                for mail in Mail.allCases {
                    let answer = try site.logIn(mail)
                    #expect(isTemporary(answer, mail), "\(answer)")
                }
                #expect(
                    site.gateway.log.contains(
                        "PAM service \"mail\" could not decide (9: Authentication service cannot retrieve"))
            }
        }

        @Test func onlyPasswordsAreShownToPAM() throws {
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": [
                            "auth required pam_exec.so \(stage.directory.path("note"))",
                            "account required pam_permit.so",
                        ]
                    ]
                },
                scripts: ["note": "echo asked >> \"$(dirname \"$0\")/asked\""]
            ) { site in
                let pop3 = try site.gateway.greetedClient(.pop3)
                #expect(try isRefused(pop3.ask("APOP ann c4c9334bac560ecc979e58001b3e22fb"), .pop3))
                let smtp = try site.gateway.greetedClient(.smtp)
                smtp.say("EHLO client.example.test")
                _ = try smtp.lines { $0.hasPrefix("250 ") }
                _ = try smtp.ask("AUTH CRAM-MD5")
                let digest = Data("ann b913a602c7eda7a495b4e6e7334d3890".utf8).base64EncodedString()
                #expect(try isRefused(smtp.ask(digest), .smtp))
                #expect(textOfFile(site.stage.directory.path("asked")).isEmpty)
                #expect(try site.logIn(.pop3).hasPrefix("+OK"))
                #expect(textOfFile(site.stage.directory.path("asked")) == "asked\n")
            }
        }

        /// What modules see of a login; a child of theirs gets signals as any program does.
        @Test func modulesSeeUserPasswordAndClientOnly() throws {
            let script = """
                read -r password
                exec > "$(dirname "$0")/seen"
                echo "$PAM_SERVICE|$PAM_USER|$PAM_RHOST|$PAM_TTY|$password"
                exec grep -E '^Sig(Blk|Ign)' /proc/self/status
                """
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": [
                            "auth required pam_exec.so expose_authtok \(stage.directory.path("see"))",
                            "account required pam_permit.so",
                        ]
                    ]
                }, scripts: ["see": script]
            ) { site in
                let answer = try site.logIn()
                #expect(answer.hasPrefix("a1 OK"))
                let seen = textOfFile(site.stage.directory.path("seen")).split(separator: "\n")
                #expect(seen.first.map(String.init) == "mail|ann|127.0.0.1|mailgateway|\(Account.ann.password)")
                let masks = seen.dropFirst().compactMap { $0.split(separator: "\t").last }.compactMap {
                    UInt64($0, radix: 16)
                }
                let ours = [SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGPIPE].reduce(UInt64(0)) {
                    $0 | 1 << UInt64($1 - 1)
                }
                #expect(masks.count == 2)
                for mask in masks { #expect(mask & ours == 0) }
            }
        }

        @Test func aHangingModuleCostsItsOwnSessionOnly() throws {
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": [
                            "auth [success=ignore default=1] pam_succeed_if.so quiet user = bob",
                            "auth required pam_exec.so quiet \(stage.directory.path("hang"))",
                        ] + PAMSite.passwords(stage)
                    ]
                },
                scripts: ["hang": "touch \"$(dirname \"$0\")/hanging\"; exec sleep 30"],
                adjust: { configuration, _ in configuration.mail.append("auth_pam_timeout 2s;") }
            ) { site in
                let start = ContinuousClock.now
                let hanging = try site.gateway.greetedClient(.imap)
                hanging.say("a1 LOGIN bob x")
                try waitUntil("the module to hang") { !site.stage.directory.files(startingWith: "hanging").isEmpty }
                for mail in Mail.allCases { #expect(try site.logIn(mail).hasPrefix(mail.loggedInPrefix)) }
                #expect(try isTemporary(hanging.line(), .imap))
                #expect(ContinuousClock.now - start < .seconds(15))
                #expect(site.gateway.log.contains("PAM service \"mail\" timed out"))
            }
        }

        @Test func aHelperThatIsKilledIsReplacedAndFailsWhatItHadTaken() throws {
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": ["auth optional pam_exec.so quiet \(stage.directory.path("wait"))"]
                            + PAMSite.passwords(stage)
                    ]
                },
                // It waits as long as there is nobody who lets it go.
                scripts: [
                    "wait": "here=\"$(dirname \"$0\")\"; touch \"$here/waiting\"; "
                        + "while [ ! -e \"$here/go\" ] && [ -e \"$here/pam.d\" ]; do sleep 0.02; done"
                ]
            ) { site in
                let helper = try site.helper()
                let client = try site.gateway.greetedClient(.imap)
                client.say("a1 LOGIN ann {\(Account.ann.password.utf8.count)+}\r\n\(Account.ann.password)")
                try waitUntil("the question to be taken") {
                    !site.stage.directory.files(startingWith: "waiting").isEmpty
                }
                kill(helper, SIGKILL)
                #expect(try isTemporary(client.line(), .imap))
                try site.stage.directory.write("go", "")
                // Asked before there is another: the question waits for it.
                for mail in Mail.allCases { #expect(try site.logIn(mail).hasPrefix(mail.loggedInPrefix)) }
                #expect(try site.helper(otherThan: helper) != helper)
                #expect(site.gateway.log.contains("PAM helper process \(helper) exited on signal 9"))
                #expect(
                    site.gateway.log.contains("PAM service \"mail\" gave no answer, because the PAM helper has ended"))
            }
        }

        /// Names that are dangerous as paths, options, lines or to a shell reach no module, or as they are.
        @Test(arguments: [
            "../ann", "..%2fann", "/etc/passwd", "-n", "ann\u{1}", "$(touch x)", "ann;id", "ann' or '1'='1", "%s%s%n",
            "*",
            "ann\\0", "root", "ann bob",
        ])
        func injectionsInUserNamesLogNobodyIn(name: String) throws {
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": ["auth optional pam_exec.so quiet \(stage.directory.path("see"))"]
                            + PAMSite.passwords(stage)
                    ]
                },
                scripts: ["see": "printf '%s|' \"$PAM_USER\" >> \"$(dirname \"$0\")/seen\""]
            ) { site in
                let client = try site.gateway.greetedClient(.imap)
                client.say("a1 AUTHENTICATE PLAIN \(plainCredentials(name, Account.ann.password))")
                let answer = try client.line()
                #expect(answer.hasPrefix("a1 NO") || answer.hasPrefix("a1 BAD"), "\(answer)")
                let seen = textOfFile(site.stage.directory.path("seen"))
                let isHeldBack = name.contains("/") || name.hasPrefix("-") || name.contains("\u{1}")
                #expect(seen == (isHeldBack ? "" : "\(name)|"))
                #expect(try site.logIn().hasPrefix("a1 OK"))
            }
        }

        @Test func aNewlineOrNULInANameIsNoSecondUser() throws {
            try PAMSite.run { site in
                for name in ["ann\nbob", "bob\n", "ann\0bob", "ann\r\nx"] {
                    let client = try site.gateway.greetedClient(.smtp)
                    client.say("EHLO client.example.test")
                    _ = try client.lines { $0.hasPrefix("250 ") }
                    let answer = try client.ask("AUTH PLAIN \(plainCredentials(name, Account.ann.password))")
                    #expect(answer.hasPrefix("5"), "\(answer)")
                }
            }
        }

        @Test(.enabled("only root has privileges to give up") { geteuid() == 0 })
        func theHelperHasPrivilegesAndWorkersHaveNot() throws {
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": ["auth optional pam_exec.so quiet \(stage.directory.path("who"))"]
                            + PAMSite.passwords(stage)
                    ]
                },
                scripts: ["who": "id -u > \"$(dirname \"$0\")/who-it-was\""],
                adjust: { configuration, stage in
                    configuration.main.append("user nobody nogroup;")
                    // Workers could not read it.
                    unsafe chmod(stage.directory.path("passwd"), 0o600)
                }
            ) { site in
                for mail in Mail.allCases { #expect(try site.logIn(mail).hasPrefix(mail.loggedInPrefix)) }
                #expect(textOfFile(site.stage.directory.path("who-it-was")) == "0\n")
                let helper = try site.helper()
                func users(_ process: pid_t) -> String? {
                    textOfFile("/proc/\(process)/status").split(separator: "\n").first { $0.hasPrefix("Uid:") }
                        .map { $0.dropFirst("Uid:".count).trimmingCharacters(in: .whitespaces) }
                }
                #expect(users(helper) == "0\t0\t0\t0")
                guard let entry = unsafe getpwnam("nobody") else {
                    Issue.record("there is no nobody")
                    return
                }
                let nobody = unsafe entry.pointee.pw_uid
                let workers = site.gateway.workers.filter { $0 != helper }
                #expect(workers.count == 1)
                for worker in workers { #expect(users(worker) == "\(nobody)\t\(nobody)\t\(nobody)\t\(nobody)") }
            }
        }

        @Test(arguments: [true, false])
        func aReloadBringsServicesAndTakesThemAway(hasMaster: Bool) throws {
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": PAMSite.passwords(stage),
                        "closed": ["auth required pam_deny.so", "account required pam_permit.so"],
                    ]
                },
                adjust: { configuration, stage in
                    if !hasMaster { configuration.main.append("master_process off;") }
                    configuration.mail[0] = "auth_file \"data:ann:{PLAIN}in the file\";"
                }
            ) { site in
                func reload(_ authenticator: String) throws {
                    let reconfigured =
                        site.gateway.occurrences(of: "] reconfigured") + site.gateway.occurrences(of: ": reconfigured")
                    try site.gateway.rewrite({ $0.mail[0] = authenticator }, on: site.stage)
                    if hasMaster { return try site.gateway.reload() }
                    site.gateway.process.signal(SIGHUP)
                    try waitUntil("the reload") {
                        site.gateway.occurrences(of: "] reconfigured") + site.gateway.occurrences(of: ": reconfigured")
                            > reconfigured
                    }
                }
                let directory = site.stage.directory.path("pam.d")
                #expect(try site.logIn(password: "in the file").hasPrefix("a1 OK"))
                try reload("auth_pam mail confdir=\(directory);")
                #expect(try site.logIn().hasPrefix("a1 OK"))
                let helper = try site.helper()
                try reload("auth_pam closed confdir=\(directory);")
                #expect(try site.logIn().hasPrefix("a1 NO"))
                try reload("auth_pam mail confdir=\(directory);")
                #expect(try site.logIn().hasPrefix("a1 OK"))
                #expect(try site.helper() == helper, "it is told of the services, not replaced")
                try reload("auth_file \"data:ann:{PLAIN}in the file\";")
                #expect(try site.logIn(password: "in the file").hasPrefix("a1 OK"))
            }
        }

        @Test func whoeverPAMDoesNotKnowMayBeKnownToTheNext() throws {
            try PAMSite.run(
                adjust: { configuration, _ in
                    configuration.mail.append("auth_file \"data:eve:{PLAIN}in the file\\nann:{PLAIN}in the file\";")
                }
            ) { site in
                let eve = try site.logIn(as: Account(name: "eve", password: "in the file"))
                #expect(eve.hasPrefix("a1 OK"))
                #expect(try site.logIn().hasPrefix("a1 OK"))
                #expect(try isRefused(site.logIn(password: "in the file"), .imap), "PAM knows ann, and decides")
            }
        }

        @Test("G2: an unknown user and a wrong password read the same and last the same")
        func unknownAndWrongLastTheSame() throws {
            try PAMSite.run { site in
                func refusal(_ account: Account) throws -> (text: String, time: Duration) {
                    let client = try site.gateway.greetedClient(.imap)
                    let start = ContinuousClock.now
                    let text = try client.logIn(.imap, as: account, password: "wrong")
                    return (text, ContinuousClock.now - start)
                }
                // The module answers in no time for whom it does not know, and hashes for others.
                _ = try refusal(.ann)
                let (known, unknown) = (try refusal(.ann), try refusal(Account(name: "nobody", password: "")))
                #expect(known.text == unknown.text)
                #expect(known.time > .milliseconds(1200) && unknown.time > .milliseconds(1200))
                #expect(abs((known.time - unknown.time) / .milliseconds(1)) < 200)
            }
        }

        @Test("G1: a canary password reaches no log, nor the helper's command line")
        func passwordsStayOutOfAllLogs() throws {
            let canary = "CANARYx7q9wPelican"
            try PAMSite.run(adjust: { configuration, _ in configuration.logLevel = "debug" }) { site in
                for mail in Mail.allCases {
                    _ = try site.logIn(mail, password: canary)
                    _ = try site.logIn(mail)
                }
                let said = site.gateway.everythingSaid + textOfFile("/proc/\(try site.helper())/cmdline")
                #expect(!said.isEmpty && !said.contains(canary) && !said.contains(Account.ann.password))
            }
        }

        @Test func moreThanTheThreadsWaitAndNobodyIsLost() throws {
            try PAMSite.run(
                services: { stage in
                    [
                        "mail": ["auth optional pam_exec.so quiet \(stage.directory.path("wait"))"]
                            + PAMSite.passwords(stage)
                    ]
                },
                scripts: ["wait": "sleep 0.2"]
            ) { site in
                let clients = try (0..<48).map { _ in try site.gateway.greetedClient(.imap) }
                for client in clients {
                    client.say("a1 LOGIN ann {\(Account.ann.password.utf8.count)+}\r\n\(Account.ann.password)")
                }
                for client in clients { #expect(try client.line(within: .seconds(30)).hasPrefix("a1 OK")) }
            }
        }

        /// What a worker could say that is not ours any more: the helper asks what it was told to, and goes on.
        @Test func theHelperBelievesNoWorker() throws {
            try Stage.run { stage in
                try stage.directory.makeFolder("pam.d")
                try PAMSite.write(
                    ["auth required pam_permit.so", "account required pam_permit.so"], as: "mail", on: stage)
                try PAMSite.write(
                    ["auth required pam_permit.so", "account required pam_permit.so"], as: "other", on: stage)
                let program = GatewayKind.mailgateway.command(checking: false, in: stage.directory)[0]
                let result = try stage.runScript(
                    "pam_questions.py", [stage.directory.path("pam.d"), program, "pam-helper"])
                let (accepted, rejected) = ("1 0", "5 0")
                let expected = [
                    "right \(accepted)", "other-service \(rejected)", "other-directory \(rejected)",
                    "system-directory \(rejected)", "path-as-service \(rejected)", "path-as-user \(rejected)",
                    "two-users \(rejected)", "two-lines \(rejected)", "no-password \(rejected)", "cut \(rejected)",
                    "trailing \(rejected)", "nothing \(rejected)", "endless none", "no-way-back none",
                    "two-ways-back \(rejected)", "no-service-any-more \(rejected)", "without-a-master \(rejected)",
                    "exit 0",
                ]
                #expect(result.output.split(separator: "\n").map(String.init) == expected, "\(result)")
            }
        }

        @Test func theGatewayEndsWithItsHelper() throws {
            try PAMSite.run { site in
                let helper = try site.helper()
                site.gateway.process.signal(SIGQUIT)
                #expect(try site.gateway.process.waitForExit() == .code(0))
                try waitUntil("the helper to end") { hasEnded(helper) }
            }
        }
    }
#endif
