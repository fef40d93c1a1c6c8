import AsyncIO

/// How one exchange with an auth_http service ends.
package struct AuthHTTPOutcome: Sendable {
    package var answer: AuthHTTPAnswer
    /// Whether the next request may use the same connection. Bytes behind the answer stay in
    /// `input`; who keeps the connection closes it when there are any.
    package var isReusable: Bool
}

/// What the service decided.
package enum AuthHTTPAnswer: Sendable {
    // What is large is behind references, for it is in the frames of functions that wait (docs/architecture.md).

    /// The credentials are right. `server` is nil where the service named none and the configured
    /// back-end is meant; `login` and `password` replace the client's, `smtpAuth` replaces `proxy_smtp_auth`.
    indirect case success(
        server: BackEndChoice?, login: [UInt8]?, password: Secret?, smtpAuth: Bool?, tls: BackEndDemand)
    /// The credentials are wrong; bounded, without control bytes. `code` is for SMTP only,
    /// `challenge` for OAUTHBEARER and XOAUTH2: base64.
    indirect case refusal(text: [UInt8], code: [UInt8]?, wait: Duration?, challenge: [UInt8]?)
    /// Ask the same again after this pause, at least a second (nginx-mail.md §13 row 4).
    case waitAndRetry(Duration)
    /// Nothing that could be acted on: the client gets the temporary error.
    case invalid(AuthHTTPFault)
}

/// What the service demands of the connection to the back-end; nil for what the configuration says.
package struct BackEndDemand: Sendable, Equatable {
    package var security: BackEndSecurity?
    package var certificateName: String?
}

/// What is wrong with an answer; MailGateway puts it into words (nginx-mail.md §11).
/// Quoted values are bounded and free of control bytes.
package enum AuthHTTPFault: Error, Sendable, Equatable {
    /// `sent invalid response`: a malformed status line.
    case response
    /// `sent invalid header in response`
    case header
    /// More than `AuthHTTPExchange.headMaximum` bytes of status line and headers.
    case tooLong
    /// A status other than 2xx, and no Auth-Status that would say more.
    case status(Int)
    /// `did not send server or port`
    case missingServerOrPort
    /// `did not send password`: the client showed a digest, and the back-end wants a password.
    case missingPassword
    /// `sent invalid server address:"x"`
    case serverAddress([UInt8])
    /// `sent invalid server port:"x"`
    case serverPort([UInt8])
    /// `sent invalid Auth-SSL-Backend:"x"`
    case backEndSecurity([UInt8])
    /// `sent invalid Auth-SSL-Backend-Name:"x"`
    case backEndName([UInt8])
}
