import MailSessions
import TestSupport
import Testing

/// One transcript and the reason it is there.
struct DialogueRow: Sendable, CustomTestStringConvertible {
    let reason: String
    let transcript: String
    let change: @Sendable (inout ServerSettings) -> Void

    /// A row under the default settings.
    init(_ reason: String, _ transcript: String) {
        self.init(reason, { _ in }, transcript)
    }

    /// A row under settings changed from the defaults.
    init(_ reason: String, _ change: @escaping @Sendable (inout ServerSettings) -> Void, _ transcript: String) {
        self.reason = reason
        self.transcript = transcript
        self.change = change
    }

    var testDescription: String { reason }

    /// Plays it against a fresh front-end, cut in every way. Salts are `<0.7@mx>`, `<1.7@mx>` and so on.
    func play<Subject: FrontEnd>(
        _ mailProtocol: MailProtocol, isSecure: Bool = false,
        _ make: (ServerSettings, Bool, SaltFactory) -> Subject
    ) throws {
        var settings = ServerSettings.fixture(mailProtocol)
        change(&settings)
        try Transcript(transcript).check(.frontEnd) { make(settings, isSecure, .counting) }
    }
}
