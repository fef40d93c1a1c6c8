import AsyncIO

/// A front-end whose commands are single lines: POP3 and SMTP.
package protocol LineFrontEnd: CommandFrontEnd {
    /// Answers one command.
    mutating func obey(_ command: CommandLine)
}

extension LineFrontEnd {
    package mutating func readCommand() -> Bool {
        let maximum = progress.settings.clientBuffer
        guard let frame = progress.lines.next(in: input, maximum: maximum) else { return false }
        if let content = frame.content, let method = HTTPRequestLine.method(in: input, length: content) {
            endInViolation(.foreignProtocol(excerpt: method))
            return true
        }
        switch frame {
        case .tooLong:
            endInViolation(.tooLongCommand(excerpt: FrontEndNote.excerpt(of: input, length: maximum)))
        case .malformed(_, let length):
            if isTracing { trace(FrontEndNote.traced(input, length: length)) }
            input.consume(length)
            reject(isCounted: true)
        case .line(let content, let length):
            if isTracing { trace(FrontEndNote.traced(input, length: content)) }
            let command = CommandLine(input, length: content)
            input.consume(length)
            obey(command)
        }
        return true
    }
}
