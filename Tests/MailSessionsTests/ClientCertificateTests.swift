import Testing

@testable import AsyncIO
@testable import MailSessions

/// What a client's certificate is worth, by `ssl_verify_client` (nginx-mail.md §8.3).
@Suite struct ClientCertificateTests {
    private static func facts(_ code: Int32, shown: Bool = true) -> TLSFacts {
        var facts = TLSFacts(
            version: "TLSv1.3", cipher: "TLS_AES_128_GCM_SHA256", isResumed: false, verificationCode: code,
            verificationText: "words")
        if shown {
            facts.peerCertificate = TLSCertificateFacts(
                subject: "CN=ann", issuer: "CN=ca", serial: "0A", fingerprint: "ff", pem: "PEM", commonName: "ann")
        }
        return facts
    }

    /// OpenSSL's codes: good; self-signed, alone or in the chain; issuer unknown, here or at the end; not trusted;
    /// expired; revoked.
    private static let tolerable: [Int32] = [18, 19, 20, 21, 27]
    private static let others: [Int32] = [10, 23]

    @Test(arguments: TLSClientVerification.allCases)
    func `a good certificate is good, and none is missing only where one is required`(_ policy: TLSClientVerification) {
        #expect(policy.refusal(of: Self.facts(0)) == nil)
        let missing = policy.refusal(of: Self.facts(0, shown: false))
        #expect(missing?.reason == (policy == .required ? .certificateMissing : nil))
        #expect(missing.map { $0.text == "client sent no required SSL certificate" } ?? true)
    }

    @Test(arguments: tolerable + others)
    func `a bad one is refused, unless only the authority is unknown and need not be known`(_ code: Int32) {
        let facts = Self.facts(code)
        #expect(TLSClientVerification.off.refusal(of: facts) == nil)
        for policy in [TLSClientVerification.required, .optional] {
            let refusal = policy.refusal(of: facts)
            #expect(refusal?.reason == .certificate(code))
            #expect(refusal?.text == "client SSL certificate verify error: (\(code):words)")
        }
        let isTolerated = TLSClientVerification.optionalWithoutAuthority.refusal(of: facts) == nil
        #expect(isTolerated == Self.tolerable.contains(code))
    }

    @Test func `what is told on`() {
        let off = ClientTLS(Self.facts(0), verification: .off, withText: true)
        #expect(off.verification == nil && off.certificate == nil)
        let none = ClientTLS(Self.facts(0, shown: false), verification: .optional, withText: true)
        #expect(none.verification == "NONE" && none.verificationCode == 1 && none.certificate == nil)
        let good = ClientTLS(Self.facts(0), verification: .optional, withText: false)
        #expect(good.verification == "SUCCESS" && good.verificationCode == 0)
        #expect(good.certificate?.subject == "CN=ann" && good.certificate?.pem == nil)
        let bad = ClientTLS(Self.facts(18), verification: .optionalWithoutAuthority, withText: true)
        #expect(bad.verification == "FAILED:words" && bad.verificationCode == 18)
        #expect(bad.certificate?.pem == "PEM" && bad.certificate?.isFromThisConnection == true)
    }
}
