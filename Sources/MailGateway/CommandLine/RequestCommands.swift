import ArgumentParser

/// A command that sends one request to the running gateway.
protocol RequestCommand: ParsableCommand {
    static var request: GatewayRequest { get }
    var options: RunOptions { get }
}

extension RequestCommand {
    mutating func run() throws { throw ExitCode(Self.request.send(options.choice)) }
}

/// `mailgateway stop`
struct StopCommand: RequestCommand {
    static let request = GatewayRequest.stop
    static let configuration = CommandConfiguration(
        commandName: "stop", abstract: "Tell the running gateway to stop now.")

    @OptionGroup var options: RunOptions
}

/// `mailgateway quit`
struct QuitCommand: RequestCommand {
    static let request = GatewayRequest.quit
    static let configuration = CommandConfiguration(
        commandName: "quit", abstract: "Tell it to accept nobody new, and to stop when the last session has ended.")

    @OptionGroup var options: RunOptions
}

/// `mailgateway reload`
struct ReloadCommand: RequestCommand {
    static let request = GatewayRequest.reload
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Tell it to read its configuration again.")

    @OptionGroup var options: RunOptions
}

/// `mailgateway reopen`
struct ReopenCommand: RequestCommand {
    static let request = GatewayRequest.reopen
    static let configuration = CommandConfiguration(
        commandName: "reopen", abstract: "Tell it to open its log files anew.")

    @OptionGroup var options: RunOptions
}

/// `mailgateway upgrade`
struct UpgradeCommand: RequestCommand {
    static let request = GatewayRequest.upgrade
    static let configuration = CommandConfiguration(
        commandName: "upgrade", abstract: "Tell it to start its program anew and to hand its sockets over.")

    @OptionGroup var options: RunOptions
}
