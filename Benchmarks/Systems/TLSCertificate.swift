import Foundation

/// The certificate that every system serves with: ECDSA P-256, signed by itself, made anew for each server.
enum TLSCertificate {
    /// Writes `tls.crt`, `tls.key` and `tls.pem`, which holds both, into `directory`, with the openssl program.
    static func write(to directory: String) throws(HarnessError) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
            "-subj", "/CN=proxy.example", "-keyout", directory + "/tls.key", "-out", directory + "/tls.crt",
        ]
        process.standardError = FileHandle.nullDevice
        do { try process.run() } catch { throw HarnessError("openssl: \(error)") }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw HarnessError("openssl could not make a certificate") }
        do {
            let parts = try ["crt", "key"].map { try String(contentsOfFile: "\(directory)/tls.\($0)", encoding: .utf8) }
            try parts.joined().write(toFile: directory + "/tls.pem", atomically: false, encoding: .utf8)
        } catch {
            throw HarnessError("tls.pem: \(error)")
        }
    }
}
