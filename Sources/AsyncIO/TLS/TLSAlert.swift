import COpenSSL

/// What a record of TLS is about (RFC 8446 §5.1), as far as ours go.
enum TLSContentType: UInt8 {
    case alert = 21
    case handshake = 22
    case applicationData = 23
}

/// An alert of TLS by its number (RFC 8446 §6).
struct TLSAlert: RawRepresentable, Sendable, Hashable {
    let rawValue: UInt8

    static let closeNotify = TLSAlert(rawValue: 0)
    static let unexpectedMessage = TLSAlert(rawValue: 10)
    static let badRecordMAC = TLSAlert(rawValue: 20)
    static let recordOverflow = TLSAlert(rawValue: 22)
    static let illegalParameter = TLSAlert(rawValue: 47)
    static let decodeError = TLSAlert(rawValue: 50)
    static let internalError = TLSAlert(rawValue: 80)
    static let userCanceled = TLSAlert(rawValue: 90)

    /// OpenSSL's words for it.
    var text: String { unsafe String(cString: SSL_alert_desc_string_long(Int32(rawValue))) }
}

/// Why records are not gone on with.
enum TLSRecordError: Error, Hashable {
    /// What arrived is refused, for this reason.
    case refused(TLSAlert)
    /// The peer said so.
    case told(TLSAlert)
}
