import AsyncIO
import Glibc

/// Why a process cannot start to serve, in nginx's words.
struct StartFailure: Error, Sendable, Hashable {
    let text: String
    /// What to do about it, where that is not obvious.
    var hint: String?

    /// A failure with a text of its own.
    init(_ text: String, hint: String? = nil) {
        self.text = text
        self.hint = hint
    }

    /// A mistake in the configuration.
    init(_ error: ConfigurationError) { self.init(error.message, hint: error.accepted) }

    /// A file that cannot be opened.
    init(_ error: SourceError) { self.init(error.text) }

    /// `call failed (errno: text)`, for the current `errno`.
    static func lastError(_ call: String) -> StartFailure { failed(call, errno) }

    /// `call failed (code: text)`.
    static func failed(_ call: String, _ code: Int32) -> StartFailure {
        StartFailure("\(call) failed (\(code): \(IOError.text(code)))")
    }
}

extension RingExecutor {
    /// Runs `body` and all it starts on this thread; throws what `body` throws, after it has ended.
    func runToSuccess(_ body: @escaping @Sendable () async throws(StartFailure) -> Void) throws(StartFailure) {
        let failure = Lock<StartFailure?>(nil)
        run {
            do throws(StartFailure) { try await body() } catch { failure.withLock { $0 = error } }
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}
