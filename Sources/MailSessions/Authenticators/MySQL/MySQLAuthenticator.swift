#if MySQL
    import AsyncIO

    /// Decides by what a database says of the login name.
    package struct MySQLAuthenticator: Authenticator {
        package let directive = "auth_mysql"
        private let pool: MySQLPool
        private let mailProtocol: MailProtocol

        /// - Parameter mailProtocol: of the server that asks.
        package init(_ pool: MySQLPool, for mailProtocol: MailProtocol) {
            self.pool = pool
            self.mailProtocol = mailProtocol
        }

        package func decide(
            _ attempt: LoginAttempt, of client: ClientFacts, in scope: CancellationScope,
            report: (AuthenticatorFailure) -> Void
        ) async throws(AuthenticatorFailure) -> LoginDecision {
            // A row holds a password: whoever shows none, or another proof, is for others to know. And what is no
            // text is nobody's name; the database would call it an error.
            guard [.plain, .cramMD5, .apop].contains(attempt.method), attempt.login.isText else { return .unknown }
            let question = MySQLQuestion(
                attempt: attempt, values: pool.settings.query.values(for: attempt.login, of: client, mailProtocol))
            do throws(DatabaseFailure) {
                switch try await pool.verdict(on: question, in: scope) {
                case .unknown, .found: return .unknown
                case .wrong: return .wrongCredentials(attempt)
                case .refused(let refusal): return .refuse(text: refusal.text, code: nil, wait: refusal.wait)
                case .accepted(let account, let password):
                    var credentials = BackEndCredentials(
                        login: account.login ?? attempt.login, password: account.backEndPassword ?? password)
                    credentials.security = account.security
                    return .accept(account.backEnd, credentials)
                }
            } catch {
                throw .database("\(pool.settings.server)", error)
            }
        }

        package func locate(
            _ user: [UInt8], in scope: CancellationScope
        ) async throws(AuthenticatorFailure) -> UserLocation {
            guard user.isText else { return .unknown }
            let nobody = LoginAttempt(method: .plain, login: user, password: Secret([]), number: 1)
            let here = ClientFacts(address: .unix(""), localAddress: .unix(""))
            let values = pool.settings.query.values(for: user, of: here, mailProtocol)
            let question = MySQLQuestion(
                attempt: nobody, values: values, isLookup: true)
            do throws(DatabaseFailure) {
                guard case .found(let account) = try await pool.verdict(on: question, in: scope) else {
                    return .unknown
                }
                return .known(account.backEnd, security: account.security)
            } catch {
                throw .database("\(pool.settings.server)", error)
            }
        }
    }

    extension [UInt8] {
        /// UTF-8 without NUL.
        fileprivate var isText: Bool { !contains(ASCII.nul) && String(validating: self, as: UTF8.self) != nil }
    }
#endif
