/// Makes the salts of one session, `<random.time@server_name>`: unique in time and space, as
/// RFC 1939 §7 and RFC 2195 §2 want them.
///
/// Randomness and time come from outside, so that a dialogue is a value that can be replayed. A salt
/// is never given out twice: a repeated attempt gets a fresh one (nginx-mail.md §13 row 21).
package struct SaltFactory: Sendable {
    /// What makes a salt unique.
    package struct Nonce: Sendable {
        /// From a cryptographic generator.
        package var random: UInt64
        /// Seconds since 1970.
        package var unixTime: Int64

        /// What makes the next salt unique.
        package init(random: UInt64, unixTime: Int64) {
            self.random = random
            self.unixTime = unixTime
        }
    }

    /// What stands behind the `@`.
    var serverName: String
    private let nonce: @Sendable (Int) -> Nonce
    private var ordinal = 0

    /// - Parameter nonce: called with 0, 1, … for the salts of the session.
    package init(serverName: String, nonce: @escaping @Sendable (_ ordinal: Int) -> Nonce) {
        self.serverName = serverName
        self.nonce = nonce
    }

    /// A salt that nobody had before.
    package mutating func next() -> [UInt8] {
        let nonce = nonce(ordinal)
        ordinal += 1
        return Array("<\(nonce.random).\(nonce.unixTime)@\(serverName)>".utf8)
    }
}
