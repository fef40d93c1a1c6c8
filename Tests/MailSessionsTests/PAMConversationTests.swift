#if PAM
    import AsyncIO
    import CPAM
    import Foundation
    import Testing

    @testable import MailSessions

    /// libpam with real modules and service files of the tests' own.
    @Suite struct PAMConversationTests {
        /// A directory with one service file, for as long as `body` runs.
        private func answer(to user: String = "ann", _ password: String = "secret", lines: String...) throws
            -> PAMAnswer
        {
            let directory = FileManager.default.temporaryDirectory.appendingPathComponent("pam-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            defer {
                do { try FileManager.default.removeItem(at: directory) } catch { Issue.record(error) }
            }
            let text = lines.joined(separator: "\n") + "\n"
            try Data(text.utf8).write(to: directory.appendingPathComponent("mail"))
            let question = try #require(
                PAMQuestion(
                    PAMService("mail", in: directory.path), user: Array(user.utf8), address: Array("192.0.2.1".utf8),
                    password: Secret(Array(password.utf8))))
            return PAMConversation.hold(question)
        }

        @Test(arguments: [
            ("success", PAMAnswer.accepted), ("auth_err", .refused), ("user_unknown", .unknown), ("maxtries", .refused),
            ("perm_denied", .refused), ("acct_expired", .refused), ("new_authtok_reqd", .refused),
            ("cred_expired", .refused), ("conv_err", .refused),
            ("authinfo_unavail", .failed(code: UInt8(PAM_AUTHINFO_UNAVAIL))),
            ("system_err", .failed(code: UInt8(PAM_SYSTEM_ERR))),
            ("service_err", .failed(code: UInt8(PAM_SERVICE_ERR))),
            ("cred_insufficient", .failed(code: UInt8(PAM_CRED_INSUFFICIENT))),
            ("buf_err", .failed(code: UInt8(PAM_BUF_ERR))), ("abort", .failed(code: UInt8(PAM_ABORT))),
        ])
        func `authentication's codes: refused, unknown, or not decided`(code: String, expected: PAMAnswer) throws {
            let said = try answer(lines: "auth required pam_debug.so auth=\(code)", "account required pam_permit.so")
            #expect(said == expected)
        }

        @Test(arguments: [
            ("success", PAMAnswer.accepted), ("acct_expired", .refused), ("new_authtok_reqd", .refused),
            ("perm_denied", .refused), ("auth_err", .refused), ("user_unknown", .refused),
            ("authinfo_unavail", .failed(code: UInt8(PAM_AUTHINFO_UNAVAIL))),
            ("system_err", .failed(code: UInt8(PAM_SYSTEM_ERR))),
        ])
        func `the account phase may refuse whom authentication let in`(code: String, expected: PAMAnswer) throws {
            let said = try answer(lines: "auth required pam_permit.so", "account required pam_debug.so acct=\(code)")
            #expect(said == expected)
        }

        @Test func `a service that is broken, or has no account phase, lets nobody in`() throws {
            let missing = try answer(lines: "auth required pam_nowhere.so", "account required pam_permit.so")
            #expect(missing == .failed(code: UInt8(PAM_MODULE_UNKNOWN)))
            #expect(try answer(lines: "nonsense") == .refused)
            #expect(try answer(lines: "auth required pam_permit.so") == .refused)
        }

        @Test func `a delay that a module asks for is not slept here`() throws {
            let start = ContinuousClock.now
            let said = try answer(
                lines: "auth optional pam_faildelay.so delay=20000000", "auth required pam_deny.so",
                "account required pam_permit.so")
            #expect(said == .refused)
            #expect(ContinuousClock.now - start < .seconds(5))
        }

        // MARK: Prompts

        /// What the conversation answers to prompts of these styles; nil for PAM_CONV_ERR.
        private func answers(to styles: [Int32], _ password: Secret) throws -> [String?]? {
            let messages = UnsafeMutablePointer<pam_message>.allocate(capacity: styles.count + 1)
            let pointers = UnsafeMutablePointer<UnsafePointer<pam_message>?>.allocate(capacity: styles.count + 1)
            defer {
                unsafe messages.deallocate()
                unsafe pointers.deallocate()
            }
            for (index, style) in styles.enumerated() {
                unsafe (messages + index).initialize(to: pam_message(msg_style: style, msg: nil))
                unsafe (pointers + index).initialize(to: UnsafePointer(messages + index))
            }
            var given: UnsafeMutablePointer<pam_response>?
            let status = unsafe withUnsafePointer(to: password) {
                unsafe PAMConversation.answerPrompts(
                    Int32(styles.count), pointers, &given, UnsafeMutableRawPointer(mutating: $0))
            }
            guard status == PAM_SUCCESS else {
                #expect(status == PAM_CONV_ERR)
                let isEmpty = unsafe given == nil
                #expect(isEmpty)
                return nil
            }
            guard let responses = unsafe given else {
                Issue.record("a success without answers")
                return nil
            }
            defer { unsafe free(responses) }
            return styles.indices.map { index in
                guard let text = unsafe responses[index].resp else { return nil }
                defer { unsafe free(text) }
                return unsafe String(cString: text)
            }
        }

        @Test func `a hidden prompt gets the password, messages get nothing, anything else ends it`() throws {
            let password = Secret(Array("secret".utf8))
            #expect(try answers(to: [PAM_PROMPT_ECHO_OFF], password) == ["secret"])
            #expect(
                try answers(to: [PAM_TEXT_INFO, PAM_PROMPT_ECHO_OFF, PAM_ERROR_MSG], password) == [nil, "secret", nil])
            #expect(try answers(to: [PAM_PROMPT_ECHO_ON], password) == nil)
            #expect(try answers(to: [PAM_PROMPT_ECHO_OFF, PAM_PROMPT_ECHO_ON], password) == nil)
            #expect(try answers(to: [PAM_RADIO_TYPE], password) == nil)
            #expect(try answers(to: [], password) == nil)
            #expect(try answers(to: Array(repeating: PAM_PROMPT_ECHO_OFF, count: 32), password)?.count == 32)
            #expect(try answers(to: Array(repeating: PAM_PROMPT_ECHO_OFF, count: 33), password) == nil)
        }
    }
#endif
