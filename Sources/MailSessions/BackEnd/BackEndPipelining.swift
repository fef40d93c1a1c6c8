import AsyncIO

/// Which back-ends take several commands in one go (PIPELINING, RFC 2449 §6.6), as they have said themselves.
///
/// Kept for an hour, because another server may come to live at the same address. Until somebody has asked, and for
/// whoever asks at the same time, it is not known.
package final class BackEndPipelining: Sendable {
    /// What a server offers may depend on how the connection is secured.
    package struct Place: Hashable, Sendable {
        package var address: SocketAddress
        package var isSecured: Bool

        package init(address: SocketAddress, isSecured: Bool) {
            self.address = address
            self.isSecured = isSecured
        }
    }

    private static let lifetime = Duration.seconds(3600)
    /// More back-ends than that are asked more often.
    private static let placesMaximum = 4096
    // A lock only to be Sendable by right: all who ask live on one thread.
    private let places = Lock(ExpiringCache<Place, Bool>(maximum: BackEndPipelining.placesMaximum))

    package init() {}

    /// Whether the back-end takes commands in one go; nil when that is not known.
    package func isOffered(at place: Place, now: Instant) -> Bool? { places.withLock { $0.value(of: place, at: now) } }

    /// Remembers what the back-end has said.
    package func keep(_ isOffered: Bool, of place: Place, now: Instant) {
        places.withLock { $0.keep(isOffered, of: place, for: BackEndPipelining.lifetime, at: now) }
    }
}
