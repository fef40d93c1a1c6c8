/// Why a configuration is refused: nginx's own text, the place, and what would be accepted instead.
struct ConfigurationError: Error, Sendable, Hashable {
    /// nginx's text without the position, e.g. `unknown directive "imap_captabilities"`.
    let text: String
    let position: Position
    /// One sentence for whoever has to mend it; nil where the text says it all.
    let accepted: String?

    /// An error with nginx's text, its place, and perhaps a hint.
    init(_ text: String, at position: Position, accepted: String? = nil) {
        self.text = text
        self.position = position
        self.accepted = accepted
    }

    /// The text and its position on one line, as nginx writes it.
    var message: String {
        switch position {
        case .whole: text
        case .file, .commandLine: "\(text) in \(position)"
        }
    }
}

extension ConfigurationError: CustomStringConvertible {
    /// nginx's line, and the hint on a second one.
    var description: String {
        guard let accepted else { return message }
        return "\(message)\n\(accepted)"
    }
}

/// The text between double quotes, in a form that keeps a message on one line.
func quoted(_ text: String) -> String { "\"\(escaped(text))\"" }

/// The text with control bytes as `\xNN`, for the few messages that quote without quotes, as nginx's do.
func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
        if scalar.value < 0x20 || scalar.value == 0x7F {
            let digits = String(scalar.value, radix: 16, uppercase: true)
            result += digits.utf8.count == 1 ? "\\x0\(digits)" : "\\x\(digits)"
        } else {
            result.unicodeScalars.append(scalar)
        }
    }
    return result
}
