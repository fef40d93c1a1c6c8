import AsyncIO

/// What a back-end has announced that makes logins at it shorter.
package struct BackEndOffers: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    /// It takes several commands in one go (RFC 2449 §6.6).
    package static let pipelining = BackEndOffers(rawValue: 1)
    /// It takes XCLIENT from us (Postfix XCLIENT_README), with those of the attributes that are in here, too.
    package static let xclient = BackEndOffers(rawValue: 2)
    package static let xclientAddress = BackEndOffers(rawValue: 4)
    package static let xclientLogin = BackEndOffers(rawValue: 8)
    package static let xclientName = BackEndOffers(rawValue: 16)
}

/// What the back-ends of a server have announced.
///
/// Kept for an hour, because another server may come to live at the same address. Until somebody has asked, and for
/// whoever asks at the same time, it is not known.
package final class RememberedOffers: Sendable {
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
    private let places = Lock(ExpiringCache<Place, BackEndOffers>(maximum: RememberedOffers.placesMaximum))

    package init() {}

    /// What the back-end offers; nil when that is not known.
    package func offers(at place: Place, now: Instant) -> BackEndOffers? {
        places.withLock { $0.value(of: place, at: now) }
    }

    /// Remembers what the back-end has said.
    package func keep(_ offers: BackEndOffers, of place: Place, now: Instant) {
        places.withLock { $0.keep(offers, of: place, for: RememberedOffers.lifetime, at: now) }
    }
}
