import TestSupport

/// The certificates of one stage: an authority, and files of it.
struct Certificates {
    let stage: Stage
    let authority = TestAuthority()
    private let folder: String

    /// Writes the authority's own certificate.
    init(on stage: Stage, folder: String = "tls") throws {
        self.stage = stage
        self.folder = folder
        try stage.directory.makeFolder(folder)
        try write("ca.pem", authority.certificate)
    }

    /// The file of the authority's certificate.
    var authorityFile: String { path("ca.pem") }

    /// Issues a certificate for `names` and writes `<file>.pem` and `<file>.key`.
    @discardableResult
    func issue(
        _ file: String, _ names: [String], kind: TestAuthority.KeyKind = .ecdsa, days: Range<Int> = -1..<90,
        commonName: String? = nil, userID: String? = nil, passphrase: String? = nil
    ) throws -> TestAuthority.Issued {
        let issued = authority.issue(
            names, commonName: commonName, userID: userID, kind: kind, days: days, passphrase: passphrase)
        try write("\(file).pem", issued.certificate)
        try write("\(file).key", issued.key)
        return issued
    }

    /// The directives that give a server the certificate `file`.
    func directives(_ file: String) -> [String] {
        ["ssl_certificate \(path("\(file).pem"));", "ssl_certificate_key \(path("\(file).key"));"]
    }

    func path(_ file: String) -> String { stage.directory.path("\(folder)/\(file)") }

    func write(_ file: String, _ content: [UInt8]) throws {
        try stage.directory.write("\(folder)/\(file)", String(decoding: content, as: UTF8.self), mode: 0o644)
    }
}

/// What Clients/tls_client.py heard.
struct TLSReport: Decodable {
    let clear: [String]
    let secure: [String]
    let version: String?
    let cipher: String?
    let alpn: String?
    let resumed: Bool?
    let lifetime: Int?
    let error: String?
}
