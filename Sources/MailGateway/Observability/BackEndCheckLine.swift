import MailSessions

extension SessionLog {
    /// What a check of a group's member has found out, or that it could not be made.
    func observe(_ event: BackEndChecks.Event, of group: String) {
        let name = LogText.quoted(group)
        switch event {
        case .recovered(let address):
            write(.notice, "upstream \(address) of group \(name) is healthy again")
        case .lost(let address, let failure):
            write(.warn, "upstream \(address) of group \(name) is unhealthy: \(SessionLog.text(failure))")
        case .unresolved(let host, let failure):
            write(.error, "\"\(host)\" could not be resolved (\(failure)) while checking group \(name)")
        }
    }

    /// Why a back-end does not serve.
    static func text(_ failure: BackEndProbe.Failure) -> String {
        switch failure {
        case .io(let error): "\(error)"
        case .refused(let reply) where reply.isEmpty: "too long response line"
        case .refused(let reply): "invalid response: \(LogText.quoted(reply))"
        case .loginRefused: "the test login was refused"
        }
    }
}
