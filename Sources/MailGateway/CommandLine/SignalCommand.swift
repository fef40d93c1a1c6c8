import Glibc

/// What can be asked of a running gateway: a signal to the process that its pid file names.
enum GatewayRequest: String, Sendable, Hashable, CaseIterable {
    case stop, quit, reload, reopen, upgrade

    /// The signal that its master understands.
    var signal: Int32 {
        switch self {
        case .stop: SIGTERM
        case .quit: SIGQUIT
        case .reload: SIGHUP
        case .reopen: SIGUSR1
        case .upgrade: SIGUSR2
        }
    }

    /// Sends it to the gateway that runs with this configuration; returns the exit code.
    ///
    /// As in nginx the configuration is read for its `pid`, so that it must be free of mistakes.
    func send(_ choice: ConfigurationChoice) -> Int32 {
        let configuration: Configuration
        do throws(ConfigurationError) {
            configuration = try choice.loadConfiguration()
        } catch {
            Terminal.complain(StartFailure(error))
            return 1
        }
        guard let path = configuration.core.pidFile else {
            Terminal.complain(
                StartFailure(
                    "no \"pid\" is defined in configuration file \(choice.shownPath)",
                    hint: "It is how a running gateway is found. Add for instance: pid /run/mailgateway.pid;"))
            return 1
        }
        let process: pid_t
        do throws(StartFailure) {
            process = try PIDFile.process(path)
        } catch {
            Terminal.complain(.error, error.text)
            return 1
        }
        guard kill(process, signal) == 0 else {
            Terminal.complain(.alert, StartFailure.lastError("kill(\(process), \(signal))").text)
            return 1
        }
        return 0
    }
}

extension PIDFile {
    /// The longest number, and a line end.
    private static let textMaximum = 22

    /// The process that the file names; nginx's texts where it does not.
    static func process(_ path: String) throws(StartFailure) -> pid_t {
        let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .lastError("open() \(quoted(path))") }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: textMaximum)
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw .lastError("read() \(quoted(path))") }
        let text = String(decoding: bytes.prefix(count), as: UTF8.self).prefix {
            $0 != "\n" && $0 != "\r\n" && $0 != "\r"
        }
        guard let number = decimal(text, in: 1...Int(pid_t.max)) else {
            throw StartFailure("invalid PID number \(quoted(String(text))) in \(quoted(path))")
        }
        return pid_t(number)
    }
}
