import AsyncIO

/// The bounds of the PAM helper.
package enum PAMLimits {
    /// Conversations at once: each holds a thread, which is cheap as long as its module waits.
    package static let threads = 32
    /// Questions that wait for a thread; further ones are refused at once.
    package static let queueMaximum = 256
}

/// A PAM service, as `auth_pam` names it.
package struct PAMService: Sendable, Hashable {
    /// Longest name and longest directory, in bytes.
    package static let textMaximum = 255
    /// The most services of one gateway.
    package static let countMaximum = 64

    /// The name of its file; without slashes.
    package var name: String
    /// Where its file is; nil for PAM's own directories.
    package var directory: String?

    /// A service of the configuration.
    package init(_ name: String, in directory: String? = nil) {
        self.name = name
        self.directory = directory
    }
}

/// What a worker asks the PAM helper: whether a password is right.
///
/// On the wire: service, directory (empty for PAM's own), user, client address (empty if it has none) and password,
/// each behind its length in two bytes, big-endian. The helper believes none of it: see `init(decoding:)`.
package struct PAMQuestion: Sendable {
    /// The longest user name, in bytes: a local part and a domain (RFC 5321 §4.5.3.1).
    package static let userMaximum = 320
    /// The longest password, in bytes: PAM_MAX_RESP_SIZE, a NUL included, is what modules have room for.
    package static let passwordMaximum = 511
    /// The longest address in text, IPv6 with a scope.
    static let addressMaximum = 64
    /// The longest question on the wire, in bytes.
    package static let bytesMaximum = 2 * PAMService.textMaximum + userMaximum + addressMaximum + passwordMaximum + 10

    package let service: PAMService
    package let user: [UInt8]
    /// In text; empty for a client without one.
    package let address: [UInt8]
    package let password: Secret

    /// Nil for what no module shall see: a name that a module could take for a path, an option or two lines, no
    /// password at all (directories let anybody in who shows none, RFC 4513 §5.1.2), and what is longer
    /// than modules have room for.
    package init?(_ service: PAMService, user: [UInt8], address: [UInt8], password: Secret) {
        guard (1...PAMQuestion.userMaximum).contains(user.count), user.first != UInt8(ascii: "-"),
            user != [UInt8(ascii: ".")], !user.contains(where: { $0.isControl || $0 == UInt8(ascii: "/") }),
            (1...PAMQuestion.passwordMaximum).contains(password.count),
            !password.contains(where: { $0 == ASCII.nul }),
            address.count <= PAMQuestion.addressMaximum, address.allSatisfy(\.isAddressText)
        else { return nil }
        self.service = service
        self.user = user
        self.address = address
        self.password = password
    }

    /// The wire's form; whoever asks for it wipes it.
    package var encoded: [UInt8] {
        var writer = FieldWriter(capacity: PAMQuestion.bytesMaximum)
        writer.put(Array(service.name.utf8))
        writer.put(Array((service.directory ?? "").utf8))
        writer.put(user)
        writer.put(address)
        var password = password.bytes
        defer { wipe(&password) }
        writer.put(password)
        return writer.bytes
    }

    /// Reads the wire's form; nil for anything that `init(_:user:address:password:)` does not let pass, too.
    package init?(decoding bytes: [UInt8]) {
        var reader = FieldReader(bytes)
        guard bytes.count <= PAMQuestion.bytesMaximum, let name = reader.text(), let directory = reader.text(),
            let user = reader.field(), let address = reader.field(), let password = reader.field(), reader.isAtEnd
        else { return nil }
        self.init(
            PAMService(name, in: directory.isEmpty ? nil : directory), user: Array(user), address: Array(address),
            password: Secret(password))
    }
}

/// What the PAM helper answers: two bytes, the kind and PAM's code.
package enum PAMAnswer: Sendable, Hashable {
    /// The password is right, and the account may be used.
    case accepted
    /// The password is wrong, or the account may not be used.
    case refused
    /// There is no such user.
    case unknown
    /// Too many questions wait for a thread.
    case overloaded
    /// The question is none, or about a service that the configuration does not have (any more).
    case rejected
    /// PAM could not decide; its code for that, such as PAM_AUTHINFO_UNAVAIL.
    case failed(code: UInt8)

    /// The length on the wire, in bytes.
    package static let byteCount = 2

    private static let plain: [PAMAnswer] = [.accepted, .refused, .unknown, .overloaded, .rejected]

    /// The wire's form.
    package var encoded: [UInt8] {
        switch self {
        case .failed(let code): [0, code]
        default: [UInt8((PAMAnswer.plain.firstIndex(of: self) ?? 0) + 1), 0]
        }
    }

    /// Reads the wire's form; nil for what is none.
    package init?(decoding bytes: [UInt8]) {
        guard bytes.count == PAMAnswer.byteCount else { return nil }
        switch (Int(bytes[0]), bytes[1]) {
        case (0, let code): self = .failed(code: code)
        case (1...PAMAnswer.plain.count, 0): self = PAMAnswer.plain[Int(bytes[0]) - 1]
        default: return nil
        }
    }
}

/// The services that the helper may ask, told by the process that started it: name and directory of each, in the form
/// of `PAMQuestion`.
package enum PAMServiceList {
    /// The longest list on the wire, in bytes.
    package static let bytesMaximum = PAMService.countMaximum * 2 * (PAMService.textMaximum + 2) + 2

    /// The wire's form, never empty.
    package static func encoded(_ services: [PAMService]) -> [UInt8] {
        var writer = FieldWriter(capacity: bytesMaximum)
        // An empty message would be the end of the channel.
        writer.put([])
        for service in services {
            writer.put(Array(service.name.utf8))
            writer.put(Array((service.directory ?? "").utf8))
        }
        return writer.bytes
    }

    /// Reads the wire's form; nil for what is none.
    package static func decode(_ bytes: [UInt8]) -> Set<PAMService>? {
        var reader = FieldReader(bytes)
        guard reader.field()?.isEmpty == true else { return nil }
        var services: Set<PAMService> = []
        while !reader.isAtEnd {
            guard let name = reader.text(), let directory = reader.text() else { return nil }
            services.insert(PAMService(name, in: directory.isEmpty ? nil : directory))
        }
        return services
    }
}

/// Writes fields behind their lengths. The room is reserved, so that no copy of a password stays behind.
private struct FieldWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func put(_ field: [UInt8]) {
        precondition(field.count <= Int(UInt16.max), "a field's length has two bytes")
        bytes.append(UInt8(field.count >> 8))
        bytes.append(UInt8(field.count & 0xFF))
        bytes.append(contentsOf: field)
    }
}

/// Reads fields behind their lengths.
private struct FieldReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) { rest = bytes[...] }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func field() -> ArraySlice<UInt8>? {
        guard rest.count >= 2 else { return nil }
        let count = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
        let start = rest.startIndex + 2
        guard rest.endIndex - start >= count else { return nil }
        defer { rest = rest[(start + count)...] }
        return rest[start..<start + count]
    }

    mutating func text() -> String? { field().flatMap { String(validating: $0, as: UTF8.self) } }
}

extension UInt8 {
    /// Whether it may stand in an IP address: digits, letters of hexadecimal and scopes, separators.
    fileprivate var isAddressText: Bool {
        isLetter || isDigit || [UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "%")].contains(self)
    }
}
