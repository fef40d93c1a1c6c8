/// `ssl_client_identity`: which part of a client's certificate is its login name.
package enum ClientIdentity: String, Sendable, Hashable, CaseIterable {
    /// The subject's common name.
    case commonName = "cn"
    /// The first e-mail address of the subject, else of the alternative names.
    case email
    /// The subject's user id (RFC 4519 §2.39).
    case userID = "uid"
}

extension ClientTLS {
    /// The login name that the certificate proves; nil without a certificate that was asked for and verified,
    /// or where it has no such part, or one that is no name.
    func identity(_ part: ClientIdentity) -> [UInt8]? {
        guard verification == "SUCCESS", let certificate else { return nil }
        let text =
            switch part {
            case .commonName: certificate.commonName
            case .email: certificate.emailAddress
            case .userID: certificate.userID
            }
        guard let text, !text.isEmpty, Credentials.admits(login: Array(text.utf8)) else { return nil }
        return Array(text.utf8)
    }
}

extension LoginAttempt {
    /// The attempt with the name that the certificate proves where EXTERNAL names nobody (RFC 4422 appendix A).
    ///
    /// A name that the client claims stays as it is, for the authenticator to judge. Nil where EXTERNAL has no
    /// verified certificate behind it although `ssl_client_identity` asks for one.
    func identified(by tls: ClientTLS?, _ part: ClientIdentity?) -> LoginAttempt? {
        guard method == .external, let part else { return self }
        guard let identity = tls?.identity(part) else { return nil }
        var attempt = self
        if login.isEmpty { attempt.login = identity }
        return attempt
    }
}
