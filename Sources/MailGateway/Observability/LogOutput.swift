import Glibc

extension LogFile {
    /// A descriptor of a log, and the way to write to its kind without waiting.
    struct Output {
        private let descriptor: Int32
        private let kind: Kind
        /// Standard error is not ours to close.
        private let isOwned: Bool

        private enum Kind {
            /// Takes a write at once.
            case file
            /// Non-blocking: refuses what it cannot take (EAGAIN).
            case nonBlocking
            /// Refuses with MSG_DONTWAIT.
            case socket
            /// Shares its flags with other processes, so it is asked first. Another writer may fill it
            /// between question and write; there is no better way where it cannot be opened anew.
            case shared
        }

        /// A descriptor that was opened non-blocking, and is ours.
        init(_ descriptor: Int32) {
            self.init(descriptor, isOwned: true, kind: Output.isRegularFile(descriptor) ? .file : .nonBlocking)
        }

        private init(_ descriptor: Int32, isOwned: Bool, kind: Kind) {
            self.descriptor = descriptor
            self.isOwned = isOwned
            self.kind = kind
        }

        /// Standard error. A pipe or terminal is opened once more, for O_NONBLOCK on the inherited
        /// description would surprise whoever shares it (the shell, above all).
        static func standardError() -> Output { sharing(STDERR_FILENO) }

        /// A descriptor that others have too, and that stays theirs.
        static func sharing(_ descriptor: Int32) -> Output {
            if isRegularFile(descriptor) { return Output(descriptor, isOwned: false, kind: .file) }
            if mode(of: descriptor) & S_IFMT == S_IFSOCK { return Output(descriptor, isOwned: false, kind: .socket) }
            let flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
            let own = unsafe Glibc.open("/proc/self/fd/\(descriptor)", flags)
            return own >= 0
                ? Output(own, isOwned: true, kind: .nonBlocking) : Output(descriptor, isOwned: false, kind: .shared)
        }

        /// Writes `line` at once or not at all; a line is shorter than PIPE_BUF, so a pipe takes it whole.
        func write(_ line: [UInt8]) -> Bool {
            switch kind {
            case .file, .nonBlocking: break
            case .socket:
                return unsafe line.withUnsafeBytes {
                    unsafe send(
                        descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
                } == line.count
            case .shared:
                var question = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                guard unsafe poll(&question, 1, 0) == 1, question.revents & Int16(POLLOUT) != 0 else { return false }
            }
            return unsafe line.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
                == line.count
        }

        /// Closes the descriptor if it is ours.
        func close() {
            if isOwned { Glibc.close(descriptor) }
        }

        private static func isRegularFile(_ descriptor: Int32) -> Bool {
            mode(of: descriptor) & S_IFMT == S_IFREG
        }

        private static func mode(of descriptor: Int32) -> mode_t {
            var status = stat()
            return unsafe fstat(descriptor, &status) == 0 ? status.st_mode : 0
        }
    }
}
