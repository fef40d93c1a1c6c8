import AsyncIO

/// The client's TLS: the handshake, and what its certificate is worth.
extension MailSession {
    /// The handshake of a client that begins with it.
    func secureClient(_ opening: inout Opening, _ facts: inout ClientFacts) async throws(SessionEnd) {
        context.phase = .handshaking
        do throws(IOError) {
            let deadline = opening.takeDeadline() ?? client.executor.now + server.settings.timeout
            _ = try await shakeHands(&facts, opening.heard.takeAll(), deadline)
        } catch {
            throw clientFailed(error)
        }
    }

    /// The handshake that the front-end has agreed to; whether the session goes on as another server's.
    func startTLS(_ facts: inout ClientFacts, _ deadline: Instant) async throws(IOError) -> Bool {
        context.phase = .startingTLS
        context.usesStartTLS = true
        let isAnother = try await shakeHands(&facts, [], deadline)
        if isAnother { try await lookUpName(&facts) }
        context.phase = .authenticating
        return isAnother
    }

    /// Whether the session is another server's afterwards.
    private func shakeHands(
        _ facts: inout ClientFacts, _ early: [UInt8], _ deadline: Instant
    ) async throws(IOError) -> Bool {
        guard let tls = server.settings.tls else { throw .tls(.notConfigured) }
        try await client.secure(by: tls, names: named?.names, early: early, deadline: deadline)
        guard let engine = client.handle.tls else { throw .tls(.notConfigured) }
        let chosen = named?.server(with: engine.context) ?? server
        named = nil
        let isAnother = chosen !== server
        if isAnother { try await goOn(as: chosen, &facts) }
        let found = engine.facts
        let verification = engine.context.verification
        if let refusal = verification.refusal(of: found) {
            // The handshake is done, so the client can read why (nginx-mail.md §8.3).
            engine.forgetSession()
            sayFarewell(refusal.reason == .certificateMissing ? .certificateMissing : .certificateError)
            await linger()
            throw .tls(refusal)
        }
        engine.concludeHandshake()
        let secured = ClientTLS(found, verification: verification, withText: server.settings.passesClientCertificate)
        facts.tls = secured
        report(.secured(secured))
        return isAnother
    }
}

/// The server that a client asks for by name.
extension MailSession {
    /// From here on the session is `chosen`'s in everything: what the first server of the address knew of the
    /// client by its own rules is found out anew, and who was let in there need not be let in here.
    private func goOn(as chosen: MailServer, _ facts: inout ClientFacts) async throws(IOError) {
        server = chosen
        // A client that has gone has no address any more; then the known one has to do.
        facts = factsOfClient(at: client.peerAddress ?? context.client, facts.proxyAddresses)
        guard client.handle.move(to: chosen.clients) else {
            report(.tooManyClients(chosen.clients.maximum))
            return try await sendAway(saying: .busy)
        }
        guard chosen.settings.access.admit(context.client) else {
            report(.accessDenied)
            return try await sendAway(saying: .denied)
        }
        guard takePlacesAnew() else { return try await sendAway(saying: .limited) }
    }

    private func sendAway(saying reason: Farewell) async throws(IOError) {
        sayFarewell(reason)
        await linger()
        throw .closed
    }
}

/// The back-end's TLS.
extension MailSession {
    /// The handshake with a back-end; nothing is sent to one that cannot prove who it is.
    func secure(
        _ socket: Socket, _ backEnd: BackEndRoute.Candidate, _ credentials: BackEndCredentials, _ deadline: Instant
    ) async throws(IOError) {
        let phase = context.phase
        context.phase = .handshakingWithBackEnd
        try await server.settings.proxy.tls.secure(
            socket, to: backEnd.address,
            as: credentials.certificateName ?? server.settings.proxy.tls.name ?? backEnd.host,
            deadline: deadline)
        context.phase = phase
    }
}

extension BackEndTLS {
    /// The handshake with the back-end at `address`.
    /// - Parameter name: whom its certificate must be for; nil for the address.
    func secure(
        _ socket: Socket, to address: SocketAddress, as name: String?, deadline: Instant
    ) async throws(IOError) {
        guard let context else { throw .tls(.notConfigured) }
        try await socket.secure(
            by: try context.context(), peer: "\(address)", name: name ?? address.hostText, sendsName: sendsName,
            deadline: deadline)
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
