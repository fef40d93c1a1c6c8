import AsyncIO

/// One line about one event: level and text, without time and place.
package struct SessionLine {
    package let level: LogLevel
    /// Message and suffix.
    package let text: String

    private init(_ level: LogLevel, whole text: String) {
        self.level = level
        self.text = text
    }

    /// - Parameter action: the words behind "while"; nil for none.
    private init(_ level: LogLevel, _ text: String, while action: String?, _ context: SessionContext) {
        self.level = level
        var line = text
        line.reserveCapacity(SessionLine.usualLength)
        if let action {
            line += " while "
            line += action
        }
        SessionLine.append(context, to: &line)
        self.text = line
    }

    /// Bytes that most lines stay below: what is reserved for them at once.
    private static let usualLength = 256

    /// nil for events that nginx has no line for.
    package init?(_ event: SessionEvent, in context: SessionContext) {
        let action = SessionLine.action(of: event, in: context.phase)
        let level = SessionLine.level(event)
        switch event {
        case .connected:
            // Nothing is known yet that a suffix would say.
            self.init(level, whole: "client \(context.client) connected to \(context.listener)")
        case .proxyHeaderRefused(let fault):
            self.init(level, SessionLine.text(fault), while: action, context)
        case .accessDenied:
            self.init(level, "access forbidden by rule", while: nil, context)
        case .tooManyClients(let maximum):
            self.init(level, "\(maximum) max_connections are not enough", while: nil, context)
        case .limited(let limit, let zone, let isDryRun):
            let what = limit == .connections ? "connections" : "logins"
            let dryRun = isDryRun ? ", dry run," : ""
            self.init(level, "limiting \(what)\(dryRun) by zone \(LogText.quoted(zone))", while: nil, context)
        case .secured(let tls):
            let reused = tls.isResumed ? ", reused session" : ""
            self.init(level, "SSL: \(tls.version), cipher: \(tls.cipher)\(reused)", while: action, context)
        case .clientNameFailed(let failure):
            self.init(level, SessionLine.text(failure, context), while: action, context)
        case .note(let note):
            self.init(level, SessionLine.text(note), while: action, context)
        case .clientFailed(let error):
            guard let text = SessionLine.text(client: error) else { return nil }
            self.init(level, text, while: action, context)
        case .loginRefused(let text):
            self.init(level, "client login failed: \(LogText.quoted(text))", while: action, context)
        case .authenticatorFailed(let failure):
            self.init(level, SessionLine.text(failure), while: action, context)
        case .backEndFailed(let failure):
            self.init(level, SessionLine.text(failure, context), while: action, context)
        case .backEndDisabled:
            self.init(level, "upstream server temporarily disabled", while: action, context)
        case .loggedIn:
            self.init(level, "client logged in", while: nil, context)
        case .relaySourceFailed(let side, let error):
            let source = side == .client ? "client" : "upstream"
            self.init(level, "\(error)", while: "proxying and reading from \(source)", context)
        case .ended(.relayed(let end, let received, let sent, let duration)):
            let line = SessionLine(level, SessionLine.text(end), while: SessionLine.action(at: end), context)
            let trailer = ", bytes from/to client: \(received)/\(sent), duration: \(seconds(duration))"
            self.init(level, whole: line.text + trailer)
        case .ended:
            return nil
        }
    }

    /// Appends what is known of the session, in nginx's order.
    private static func append(_ context: SessionContext, to line: inout String) {
        line += ", client: "
        line += context.client.hostText
        if context.usesStartTLS { line += " using starttls" }
        line += ", server: "
        line += context.listener.description
        if let login = context.login, !login.isEmpty {
            line += ", login: "
            line += LogText.quoted(login)
        }
        if let group = context.group {
            line += ", group: "
            line += LogText.quoted(group)
        }
        if let backEnd = context.backEnd {
            line += ", upstream: "
            line += backEnd.description
        }
        if !context.backEndsTried.isEmpty {
            line += ", tried before: "
            line += context.backEndsTried.map(\.description).joined(separator: " ")
        }
    }

    // MARK: Words

    /// What was being done when it happened.
    private static func action(of event: SessionEvent, in phase: SessionPhase) -> String {
        switch event {
        // Not what nginx says there, for these it does not have.
        case .authenticatorFailed(.database), .authenticatorFailed(.pam), .authenticatorFailed(.overloaded),
            .authenticatorFailed(.noBackEnd):
            "checking the login"
        default: action(in: phase)
        }
    }

    /// The words of nginx-mail.md §3.1.
    private static func action(in phase: SessionPhase) -> String {
        switch phase {
        case .readingProxyHeader: "reading PROXY protocol"
        case .handshaking: "SSL handshaking"
        case .resolvingAddress: "in resolving client address"
        case .resolvingHostName: "in resolving client hostname"
        case .delayingGreeting: "in delay pipelining state"
        case .greeting: "sending client greeting line"
        case .authenticating: "in auth state"
        case .startingTLS: "in starttls state"
        case .askingAuthenticator: "in http auth state"
        case .resolvingBackEnd: "resolving upstream"
        case .connectingToBackEnd: "connecting to upstream"
        case .handshakingWithBackEnd: "SSL handshaking to upstream"
        case .sendingProxyHeader: "sending PROXY protocol header to upstream"
        case .loggingInAtBackEnd(let activity): action(in: activity)
        case .relaying: "proxying"
        }
    }

    private static func action(in activity: BackEndActivity) -> String {
        switch activity {
        // nginx says so until it has read something.
        case .awaitingGreeting: "connecting to upstream"
        case .readingReply: "reading response from upstream"
        case .startingTLS: "sending STARTTLS to upstream"
        case .sendingUser: "sending user name to upstream"
        case .sendingPassword: "sending password to upstream"
        case .sendingLogin: "sending LOGIN command to upstream"
        case .askingCapabilities: "asking upstream for its capabilities"
        case .sendingHello: "sending HELO/EHLO to upstream"
        case .sendingXClient: "sending XCLIENT to upstream"
        case .sendingClientHello: "sending client HELO/EHLO to upstream"
        case .sendingAuthentication: "sending AUTH to upstream"
        case .sendingMail: "sending MAIL FROM to upstream"
        case .sendingRecipient: "sending RCPT TO to upstream"
        }
    }

    private static func action(at end: Relay.End) -> String? {
        switch end {
        case .finished: nil
        case .timedOut, .cancelled: "proxying"
        case .failed(_, let side): "proxying and sending to \(side == .client ? "client" : "upstream")"
        }
    }

    private static func text(_ note: FrontEndNote) -> String {
        switch note {
        case .tooLongCommand(let excerpt): "client sent too long command \(LogText.quoted(excerpt))"
        case .tooManyErrors: "client sent too many invalid commands"
        case .invalidBase64(let mechanism): "client sent invalid base64 encoding in AUTH \(mechanism) command"
        case .invalidPlainLogin: "client sent invalid login in AUTH PLAIN command"
        case .invalidPlainPassword: "client sent invalid password in AUTH PLAIN command"
        case .invalidCramMD5Hash: "client sent invalid CRAM-MD5 hash in AUTH CRAM-MD5 command"
        case .invalidBearer(let mechanism): "client sent invalid message in AUTH \(mechanism) command"
        // Two strokes for the line's end, as nginx shows it.
        case .rejected(let excerpt): "client was rejected: \(LogText.quoted(excerpt + [0x5F, 0x5F]))"
        case .rejectedBeforeGreeting(let excerpt):
            // Whole lines, whose ends nginx shows like this.
            "client was rejected before greeting: \(LogText.quoted(excerpt.map { $0 == 13 || $0 == 10 ? 0x5F : $0 }))"
        case .foreignProtocol(let excerpt): "client speaks another protocol: \(LogText.quoted(excerpt))"
        case .command(let excerpt): "client command: \(LogText.quoted(excerpt))"
        }
    }

    private static func text(_ failure: ClientNameFailure, _ context: SessionContext) -> String {
        let client = context.client.hostText
        return switch failure {
        case .address(let failure): "\(client) could not be resolved (\(failure))"
        case .invalidName(let name): "\(client) resolved to invalid host name \(LogText.quoted(name))"
        case .hostName(let name, let failure): "\"\(name)\" could not be resolved (\(failure))"
        }
    }

    private static func text(_ fault: ProxyProtocolFault) -> String {
        switch fault {
        case .broken(let excerpt): "broken header: \(LogText.quoted(excerpt))"
        case .tooLarge: "header is too large"
        case .version(let version): "unknown PROXY protocol version: \(version)"
        case .command(let command): "unknown PROXY protocol command: \(command)"
        }
    }

    private static func text(client error: IOError) -> String? {
        switch error {
        case .timedOut: "client \(error)"
        // A client that simply goes leaves no line, as in nginx.
        case .closed, .cancelled, .noPlace: nil
        case .tls(let failure): failure.text
        case .system: "\(error)"
        }
    }

    private static func text(_ failure: AuthenticatorFailure) -> String {
        switch failure {
        case .unreachable(_, .noPlace): "worker_connections are not enough"
        case .unreachable(let service, .timedOut): "auth http server \(service) \(IOError.timedOut)"
        case .unreachable(let service, .closed): "auth http server \(service) closed the connection without an answer"
        case .unreachable(let service, .system(.connect, let code)): text(connecting: service, code)
        case .unreachable(let service, .tls(let failure)):
            failure.reason.isCertificate
                ? "auth http server \(service) SSL certificate verify error: \(failure.text)"
                : "\(failure.text) with auth http server \(service)"
        case .unreachable(let service, let error): "\(error) with auth http server \(service)"
        case .unresolved(let name, let failure): "\"\(name)\" could not be resolved (\(failure))"
        case .fault(let service, let fault): "auth http server \(service) \(text(fault))"
        case .endlessWait(let service):
            "auth http server \(service) answered WAIT more than \(AuthHTTPClient.waitsMaximum) times"
        case .noBackEnd: "no back-end is known for this login, and no \"proxy_pass\" is defined"
        case .overloaded: "too many passwords wait to be checked"
        case .database(let place, let failure): "mysql \(place) \(text(failure))"
        case .pam(let service, let fault): "PAM service \(LogText.quoted(service)) \(text(fault))"
        }
    }

    private static func text(_ failure: DatabaseFailure) -> String {
        switch failure {
        case .timedOut: "\(IOError.timedOut)"
        case .cancelled: "\(IOError.cancelled)"
        case .overloaded: "has too many logins waiting (auth_mysql_queue)"
        case .unreachable(let code, let text): "cannot be reached (\(code): \(LogText.quoted(text)))"
        case .failed(let code, let text): "failed (\(code): \(LogText.quoted(text)))"
        case .unusable(let fault): text(fault)
        }
    }

    private static func text(_ fault: MySQLAnswerFault) -> String {
        let columns = MySQLColumn.allCases.map(\.rawValue).joined(separator: ", ")
        return switch fault {
        case .noColumns: "got an auth_mysql_query that gives no columns"
        case .unknownColumn(let name):
            "sent a column \(LogText.quoted(name)) that means nothing here; the columns are \(columns)"
        case .duplicateColumn(let column): "sent the column \"\(column.rawValue)\" twice"
        case .noPasswordColumn: "sent no column \"password\", without which anybody could log in"
        case .severalRows: "sent several rows for one login"
        case .tooLong(let column):
            "sent more than \(MySQLColumn.lengthMaximum) bytes in column \"\(column.rawValue)\""
        case .invalid(let column): "sent an invalid value in column \"\(column.rawValue)\""
        case .portWithoutHost: "sent a port without a host"
        }
    }

    private static func text(_ fault: PAMFault) -> String {
        switch fault {
        case .io(.timedOut): "\(IOError.timedOut)"
        case .io(.closed): "gave no answer, because the PAM helper has ended"
        case .io(let error): "cannot be asked: \(error)"
        case .code(let code): "could not decide (\(code): \(PAMCode.text(code)))"
        case .rejected: "is not known to the PAM helper"
        }
    }

    private static func text(_ fault: AuthHTTPFault) -> String {
        switch fault {
        case .response: "sent invalid response"
        case .header: "sent invalid header in response"
        case .tooLong: "sent a response of more than \(AuthHTTPExchange.headMaximum) bytes"
        case .status(let status): "answered \(status) without Auth-Status"
        case .missingServerOrPort: "did not send server or port"
        case .missingPassword: "did not send password"
        case .serverAddress(let text): "sent invalid server address:\(LogText.quoted(text))"
        case .serverPort(let text): "sent invalid server port:\(LogText.quoted(text))"
        case .backEndSecurity(let text): "sent invalid Auth-SSL-Backend:\(LogText.quoted(text))"
        case .backEndName(let text): "sent invalid Auth-SSL-Backend-Name:\(LogText.quoted(text))"
        }
    }

    /// How severe an event is: what clients do is `info`, what services and back-ends do wrong `error`.
    package static func level(_ event: SessionEvent) -> LogLevel {
        switch event {
        case .authenticatorFailed(.unreachable(_, .noPlace)), .backEndFailed(.io(.noPlace)), .tooManyClients: .alert
        case .backEndFailed(.io(.timedOut)), .backEndFailed(.invalidResponse(_, isPassedOn: true)): .info
        case .authenticatorFailed, .backEndFailed, .proxyHeaderRefused, .accessDenied, .clientNameFailed: .error
        case .limited(.logins, _, _): .warn
        case .limited(.connections, _, _): .error
        case .relaySourceFailed(.backEnd, _), .ended(.relayed(.failed(_, sendingTo: .backEnd), _, _, _)): .error
        case .clientFailed(.tls(let failure)): failure.reason == .ours ? .crit : .info
        case .backEndDisabled: .warn
        case .note(.command), .secured: .debug
        case .relaySourceFailed(.client, _), .connected, .note, .clientFailed, .loginRefused, .loggedIn, .ended: .info
        }
    }

    private static func text(_ failure: BackEndFailure, _ context: SessionContext) -> String {
        switch failure {
        case .io(.timedOut): "upstream \(IOError.timedOut)"
        case .io(.closed): "upstream closed the connection before the login was done"
        case .io(.noPlace): "worker_connections are not enough"
        case .io(.system(.connect, let code)):
            context.backEnd.map { text(connecting: $0, code) } ?? "\(IOError.system(.connect, code: code))"
        case .io(.tls(let failure)): text(upstream: failure)
        case .io(let error): "\(error)"
        case .tlsRefused(let reply): "upstream does not begin with TLS: \(LogText.quoted(reply))"
        case .invalidResponse(let reply, _): "upstream sent invalid response: \(LogText.quoted(reply))"
        case .mechanismNotOffered(let mechanism): "upstream does not offer AUTH \(mechanism), which this login needs"
        case .responseTooLong(let beginning): "upstream sent too long response line: \(LogText.quoted(beginning))"
        case .unresolved(let name, let failure): "\"\(name)\" could not be resolved (\(failure))"
        case .noneServes: "no live upstreams"
        case .unsendableCredentials: "the credentials cannot be sent to this upstream, or no password is available"
        }
    }

    /// As nginx's stream module says it.
    private static func text(upstream failure: TLSFailure) -> String {
        switch failure.reason {
        case .certificate: "upstream SSL certificate verify error: \(failure.text)"
        case .closedInHandshake, .certificateMissing, .peer, .ours: failure.text
        case .injected: "upstream: \(failure.text)"
        case .notConfigured: "no TLS is configured towards upstreams, but \"Auth-SSL-Backend\" asks for it"
        }
    }

    /// nginx names the address inside: `connect() to 192.0.2.1:143 failed (111: Connection refused)`.
    private static func text(connecting to: SocketAddress, _ code: Int32) -> String {
        "connect() to \(to) failed (\(code): \(IOError.text(code)))"
    }

    private static func text(_ end: Relay.End) -> String {
        switch end {
        case .finished: "proxied session done"
        case .timedOut: "client \(IOError.timedOut)"
        case .cancelled: "shutdown timeout"
        case .failed(let error, _): "\(error)"
        }
    }
}

/// Seconds with three places, as nginx's `$session_time`.
private func seconds(_ duration: Duration) -> String {
    let milliseconds = duration / .milliseconds(1)
    let whole = Int(milliseconds) / 1000
    let rest = String(Int(milliseconds) % 1000)
    return "\(whole)." + String(repeating: "0", count: 3 - rest.count) + rest
}
