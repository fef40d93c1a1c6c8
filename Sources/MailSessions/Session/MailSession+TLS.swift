import AsyncIO

/// The client's TLS: the handshake, and what its certificate is worth.
extension MailSession {
    /// The handshake of a client that begins with it.
    /// - Parameter early: what came behind a PROXY header.
    func secureClient(_ early: [UInt8]) async throws(SessionEnd) -> ClientTLS {
        context.phase = .handshaking
        do throws(IOError) {
            return try await shakeHands(early, client.executor.now + server.settings.timeout)
        } catch {
            throw clientFailed(error)
        }
    }

    /// The handshake that the front-end has agreed to.
    func startTLS(_ deadline: Instant) async throws(IOError) -> ClientTLS {
        context.phase = .startingTLS
        context.usesStartTLS = true
        let tls = try await shakeHands([], deadline)
        context.phase = .authenticating
        return tls
    }

    private func shakeHands(_ early: [UInt8], _ deadline: Instant) async throws(IOError) -> ClientTLS {
        guard let tls = server.settings.tls else { throw .tls(.notConfigured) }
        try await client.secure(by: tls, names: named?.names, early: early, deadline: deadline)
        guard let engine = client.handle.tls else { throw .tls(.notConfigured) }
        if let chosen = named?.server(with: engine.context), chosen !== server {
            server = chosen
            try await checkAccessInsideTLS()
        }
        named = nil
        let facts = engine.facts
        let verification = engine.context.verification
        if let refusal = verification.refusal(of: facts) {
            // The handshake is done, so the client can read why (nginx-mail.md §8.3).
            engine.forgetSession()
            sayFarewell(refusal.reason == .certificateMissing ? .certificateMissing : .certificateError)
            await linger()
            throw .tls(refusal)
        }
        let client = ClientTLS(
            facts, verification: verification, withText: server.settings.passesClientCertificate)
        report(.secured(client))
        return client
    }
}

/// The named server's rules.
extension MailSession {
    /// Who may use the first server of an address need not be allowed to use another.
    private func checkAccessInsideTLS() async throws(IOError) {
        guard !server.settings.access.admit(context.client) else { return }
        report(.accessDenied)
        sayFarewell(.denied)
        await linger()
        throw .closed
    }
}

/// The back-end's TLS.
extension MailSession {
    /// The handshake with a back-end; nothing is sent to one that cannot prove who it is.
    func secure(_ socket: Socket, _ credentials: BackEndCredentials, _ deadline: Instant) async throws(IOError) {
        let phase = context.phase
        context.phase = .handshakingWithBackEnd
        let tls = server.settings.proxy.tls
        guard let client = tls.context, let address = context.backEnd else { throw .tls(.notConfigured) }
        try await socket.secure(
            by: client, peer: "\(address)", name: credentials.certificateName ?? tls.name ?? address.hostText,
            sendsName: tls.sendsName, deadline: deadline)
        context.phase = phase
    }
}

extension TLSClientVerification {
    /// Why a client with these facts must go; nil when it may stay.
    func refusal(of facts: TLSFacts) -> TLSFailure? {
        switch self {
        case .off: return nil
        case .required where facts.peerCertificate == nil:
            return TLSFailure(.certificateMissing, "client sent no required SSL certificate")
        case .optionalWithoutAuthority where TLSClientVerification.unknownAuthority.contains(facts.verificationCode):
            return nil
        case .required, .optional, .optionalWithoutAuthority:
            guard facts.peerCertificate != nil, facts.verificationCode != 0 else { return nil }
            let words = "(\(facts.verificationCode):\(facts.verificationText))"
            return TLSFailure(
                .certificate(facts.verificationCode), "client SSL certificate verify error: \(words)")
        }
    }

    /// Self-signed, alone or in the chain; issuer unknown, here or at its end; not trusted for this (X509_V_ERR_…).
    private static let unknownAuthority: Set<Int32> = [18, 19, 20, 21, 27]
}

extension ClientTLS {
    /// What TLS found out, in the words of auth_http and the PROXY protocol.
    /// - Parameter withText: whether a certificate is kept as PEM, too.
    init(_ facts: TLSFacts, verification: TLSClientVerification, withText: Bool) {
        self.init(version: facts.version, cipher: facts.cipher)
        serverName = facts.serverName
        applicationProtocol = facts.applicationProtocol
        isResumed = facts.isResumed
        signatureAlgorithm = facts.signatureAlgorithm
        keyAlgorithm = facts.keyAlgorithm
        guard verification != .off else { return }
        guard let shown = facts.peerCertificate else {
            self.verification = "NONE"
            return
        }
        self.verification = facts.verificationCode == 0 ? "SUCCESS" : "FAILED:\(facts.verificationText)"
        verificationCode = UInt32(bitPattern: facts.verificationCode)
        var certificate = ClientCertificate(
            subject: shown.subject, issuer: shown.issuer, serial: shown.serial, fingerprint: shown.fingerprint)
        certificate.commonName = shown.commonName
        certificate.emailAddress = shown.emailAddress
        certificate.userID = shown.userID
        certificate.isFromThisConnection = !facts.isResumed
        if withText { certificate.pem = shown.pem }
        self.certificate = certificate
    }
}
