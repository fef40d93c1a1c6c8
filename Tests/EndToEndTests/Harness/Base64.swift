import Foundation

/// The initial response of SASL PLAIN (RFC 4616).
func plainCredentials(_ name: String, _ password: String) -> String {
    Data("\0\(name)\0\(password)".utf8).base64EncodedString()
}
