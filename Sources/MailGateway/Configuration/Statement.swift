/// Where something stands in the configuration.
enum Position: Sendable, Hashable {
    /// A file's path as opened, and a line counted from 1.
    case file(String, line: Int)
    /// The text given by `-g`.
    case commandLine
    /// Nowhere in particular: the configuration as a whole.
    case whole
}

extension Position: CustomStringConvertible {
    /// `/etc/mailgateway.conf:12`, `command line`, or nothing.
    var description: String {
        switch self {
        case .file(let path, let line): "\(path):\(line)"
        case .commandLine: "command line"
        case .whole: ""
        }
    }
}

/// A directive as written: its name, its arguments, and where it ended.
struct Statement: Sendable, Hashable {
    let name: String
    let arguments: [String]
    /// The line of the terminating `;` or `{`, which is the one nginx names in its messages.
    let position: Position

    /// An error at this statement, in nginx's words and with a hint of ours.
    func error(_ text: String, accepted: String? = nil) -> ConfigurationError {
        ConfigurationError(text, at: position, accepted: accepted)
    }

    /// `"name" directive reason`, the form in which nginx reports a setter's refusal.
    func refusal(_ reason: String, accepted: String? = nil) -> ConfigurationError {
        error("\(quoted(name)) directive \(reason)", accepted: accepted)
    }

    /// `invalid value "x"`, with the accepted values as the hint.
    func invalidValue(_ value: String, accepted: String) -> ConfigurationError {
        error("invalid value \(quoted(value))", accepted: accepted)
    }
}
