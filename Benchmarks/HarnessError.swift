import Glibc

/// Why a measurement cannot go on; the text is all that the user sees.
struct HarnessError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    /// A refused call to the system, with its name and `errno`.
    static func system(_ call: String, _ code: Int32) -> HarnessError {
        HarnessError("\(call): \(unsafe String(cString: strerror(code)))")
    }
}
