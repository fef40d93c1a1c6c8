import AsyncIO
import Glibc

#if PAM
    import CPAM
#endif

/// PAM's codes for people.
package enum PAMCode {
    /// What pam_strerror(3) says about a code.
    package static func text(_ code: UInt8) -> String {
        #if PAM
            // Linux-PAM does not look at the handle.
            if let text = unsafe pam_strerror(nil, Int32(code)) { return unsafe String(cString: text) }
        #endif
        return "unknown code"
    }
}

#if PAM

    /// One question answered by libpam: authentication, then the account phase.
    ///
    /// It blocks for as long as modules like, and belongs on a thread of the PAM helper. Nothing is opened
    /// and no credential is established (no `pam_open_session`, no `pam_setcred`): the mail is elsewhere.
    // Safety: the handle is used within `hold` only, between pam_start and pam_end, by one thread.
    @safe
    package struct PAMConversation {
        /// What modules see as the terminal; some refuse to work without one (pam_access, pam_time).
        private static let terminal = "mailgateway"
        /// No messages for a person, who would not see them; and nobody without a password.
        private static let flags = Int32(bitPattern: UInt32(PAM_SILENT) | UInt32(PAM_DISALLOW_NULL_AUTHTOK))

        private let handle: OpaquePointer

        private init(_ handle: OpaquePointer) { unsafe self.handle = handle }

        /// Asks the service of `question`, which the caller has found to be one of the configuration's.
        package static func hold(_ question: PAMQuestion) -> PAMAnswer {
            unsafe withUnsafePointer(to: question.password) { password in
                var callback = unsafe pam_conv(
                    conv: answerPrompts, appdata_ptr: UnsafeMutableRawPointer(mutating: password))
                var started: OpaquePointer?
                let status = unsafe withCString(question.user) { user in
                    unsafe pam_start_confdir(
                        question.service.name, user, &callback, question.service.directory, &started)
                }
                guard status == PAM_SUCCESS, let handle = unsafe started else { return .failed(code: code(status)) }
                let (answer, last) = unsafe PAMConversation(handle).decide(from: question.address)
                unsafe pam_end(handle, last)
                return answer
            }
        }

        /// The answer, and the status that it comes from.
        private func decide(from address: [UInt8]) -> (PAMAnswer, Int32) {
            let prepared = prepare(from: address)
            guard prepared == PAM_SUCCESS else { return (.failed(code: PAMConversation.code(prepared)), prepared) }
            let authenticated = unsafe pam_authenticate(handle, PAMConversation.flags)
            guard authenticated == PAM_SUCCESS else {
                return (PAMConversation.answer(authentication: authenticated), authenticated)
            }
            let account = unsafe pam_acct_mgmt(handle, PAMConversation.flags)
            return (PAMConversation.answer(account: account), account)
        }

        private func prepare(from address: [UInt8]) -> Int32 {
            let status = unsafe pam_set_item(handle, PAM_TTY, PAMConversation.terminal)
            guard status == PAM_SUCCESS else { return status }
            // Modules ask for seconds of delay after a wrong password, which libpam would sleep on this thread;
            // the session pauses instead, where waiting costs nothing.
            let noDelay: @convention(c) (Int32, UInt32, UnsafeMutableRawPointer?) -> Void = { _, _, _ in }
            let delay = unsafe pam_set_item(
                handle, PAM_FAIL_DELAY, unsafe unsafeBitCast(noDelay, to: UnsafeRawPointer.self))
            guard delay == PAM_SUCCESS, !address.isEmpty else { return delay }
            return unsafe PAMConversation.withCString(address) { unsafe pam_set_item(handle, PAM_RHOST, $0) }
        }

        // MARK: What PAM's codes mean

        /// pam_authenticate(3): who is refused is told from what could not be found out.
        private static func answer(authentication status: Int32) -> PAMAnswer {
            switch status {
            case PAM_USER_UNKNOWN: .unknown
            // The last: a module asked for more than a password, which nobody can give over these protocols.
            case PAM_AUTH_ERR, PAM_MAXTRIES, PAM_PERM_DENIED, PAM_ACCT_EXPIRED, PAM_CRED_EXPIRED, PAM_AUTHTOK_EXPIRED,
                PAM_NEW_AUTHTOK_REQD, PAM_CONV_ERR:
                .refused
            default: .failed(code: code(status))
            }
        }

        /// pam_acct_mgmt(3). A user whom the account phase does not know was known before, and is refused; so
        /// is one who has to change the password first.
        private static func answer(account status: Int32) -> PAMAnswer {
            switch status {
            case PAM_SUCCESS: .accepted
            case PAM_USER_UNKNOWN, PAM_AUTH_ERR, PAM_PERM_DENIED, PAM_ACCT_EXPIRED, PAM_CRED_EXPIRED,
                PAM_AUTHTOK_EXPIRED, PAM_NEW_AUTHTOK_REQD:
                .refused
            default: .failed(code: code(status))
            }
        }

        private static func code(_ status: Int32) -> UInt8 { UInt8(clamping: status) }

        // MARK: Prompts

        /// Answers what modules ask the person: hidden prompts with the password, which `appdata` leads to. Whatever else
        /// is asked ends the conversation; what is only said goes nowhere.
        static let answerPrompts:
            @convention(c) (
                Int32, UnsafeMutablePointer<UnsafePointer<pam_message>?>?,
                UnsafeMutablePointer<UnsafeMutablePointer<pam_response>?>?, UnsafeMutableRawPointer?
            ) -> Int32 = { count, messages, responses, appdata in
                guard let messages = unsafe messages, let responses = unsafe responses, let appdata = unsafe appdata,
                    (1...PAM_MAX_NUM_MSG).contains(count)
                else { return PAM_CONV_ERR }
                let password = unsafe appdata.assumingMemoryBound(to: Secret.self).pointee
                // libpam and the modules free these, so they come from malloc(3).
                guard
                    let answers = unsafe calloc(Int(count), MemoryLayout<pam_response>.stride)?
                        .bindMemory(to: pam_response.self, capacity: Int(count))
                else { return PAM_BUF_ERR }
                for index in 0..<Int(count) {
                    switch unsafe messages[index]?.pointee.msg_style {
                    case PAM_PROMPT_ECHO_OFF: unsafe answers[index].resp = copy(password)
                    case PAM_ERROR_MSG, PAM_TEXT_INFO: break
                    default:
                        for given in 0..<index { unsafe discard(answers[given].resp) }
                        unsafe free(answers)
                        return PAM_CONV_ERR
                    }
                }
                unsafe responses.pointee = unsafe answers
                return PAM_SUCCESS
            }

        /// A copy that whoever gets it wipes and frees.
        private static func copy(_ password: Secret) -> UnsafeMutablePointer<CChar>? {
            var bytes = password.bytes
            defer { wipe(&bytes) }
            return unsafe withCString(bytes) { unsafe strdup($0) }
        }

        private static func discard(_ answer: UnsafeMutablePointer<CChar>?) {
            guard let answer = unsafe answer else { return }
            unsafe explicit_bzero(answer, strlen(answer))
            unsafe free(answer)
        }

        /// The bytes with a NUL behind them, wiped afterwards.
        private static func withCString<Result>(_ bytes: [UInt8], _ body: (UnsafePointer<CChar>) -> Result) -> Result {
            unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { buffer in
                for (index, byte) in bytes.enumerated() { unsafe buffer[index] = CChar(bitPattern: byte) }
                unsafe buffer[bytes.count] = 0
                guard let base = buffer.baseAddress else { preconditionFailure("room for the NUL at least") }
                defer { unsafe explicit_bzero(base, buffer.count) }
                return unsafe body(base)
            }
        }
    }
#endif
