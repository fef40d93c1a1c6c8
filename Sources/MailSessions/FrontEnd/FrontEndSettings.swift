/// What a front-end goes by: the part of its server's settings that it keeps. The rest of them would be most of what a
/// client that says nothing holds.
struct FrontEndSettings: Sendable {
    let mailProtocol: MailProtocol
    let name: String
    let maxErrors: Int
    let clientBuffer: Int
    let bareLineFeed: BareLineFeedPolicy
    let startTLS: StartTLSPolicy
    let capabilities: [String]
    let mechanisms: MechanismSet
    let greetingDelay: Duration
    let errorTexts: ErrorTexts
    let tracesCommands: Bool

    init(_ settings: ServerSettings) {
        mailProtocol = settings.mailProtocol
        name = settings.name
        maxErrors = settings.maxErrors
        clientBuffer = settings.clientBuffer
        bareLineFeed = settings.bareLineFeed
        startTLS = settings.startTLS
        capabilities = settings.capabilities
        mechanisms = settings.mechanisms
        greetingDelay = settings.greetingDelay
        errorTexts = settings.errorTexts
        tracesCommands = settings.tracesCommands
    }
}
