import AsyncIO
import Testing

@testable import MailSessions

/// EXTERNAL with the name of the client's certificate (`ssl_client_identity`).
@Suite struct ClientIdentityTests {
    private func tls(_ verification: String? = "SUCCESS", _ change: (inout ClientCertificate) -> Void = { _ in })
        -> ClientTLS
    {
        var tls = ClientTLS(version: "TLSv1.3", cipher: "c")
        tls.verification = verification
        var certificate = ClientCertificate(subject: "CN=ann", issuer: "CN=ca", serial: "1", fingerprint: "2")
        certificate.commonName = "ann"
        certificate.emailAddress = "ann@example.test"
        certificate.userID = "a1"
        change(&certificate)
        tls.certificate = certificate
        return tls
    }

    private func attempt(_ login: String = "", _ method: AuthenticationMethod = .external) -> LoginAttempt {
        LoginAttempt(method: method, login: Array(login.utf8), password: Secret([]), number: 1)
    }

    private func login(_ attempt: LoginAttempt?) -> String? {
        attempt.map { String(decoding: $0.login, as: UTF8.self) }
    }

    @Test(arguments: [(ClientIdentity.commonName, "ann"), (.email, "ann@example.test"), (.userID, "a1")])
    func `the certificate names who names nobody`(_ part: ClientIdentity, _ name: String) {
        #expect(login(attempt().identified(by: tls(), part)) == name)
        #expect(login(attempt("bob").identified(by: tls(), part)) == "bob", "claimed, for the authenticator to judge")
        #expect(login(attempt("").identified(by: tls(), nil)) == "", "as in nginx")
    }

    @Test func `G: only a certificate that was verified counts`() {
        for verification in ["FAILED:self-signed certificate", "NONE", nil] {
            #expect(attempt().identified(by: tls(verification), .commonName) == nil)
            #expect(attempt("ann").identified(by: tls(verification), .commonName) == nil)
        }
        #expect(attempt().identified(by: nil, .commonName) == nil)
        #expect(login(attempt("ann", .plain).identified(by: nil, .commonName)) == "ann", "other methods need none")
    }

    @Test(arguments: ["", "ann\r\nbob", "ann\0", "a\u{7F}"])
    func `B5: a name that is none names nobody`(_ name: String) {
        #expect(attempt().identified(by: tls { $0.commonName = name }, .commonName) == nil)
        #expect(attempt().identified(by: tls { $0.commonName = nil }, .commonName) == nil)
    }
}
