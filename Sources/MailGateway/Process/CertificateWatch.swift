import AsyncIO
import Glibc

/// Notices that files of TLS have changed: certificates are renewed by programs that know nothing of us.
///
/// It asks for the files' status every few seconds, following symbolic links. That sees a file written
/// anew, one renamed into place, and a linked directory swapped as Kubernetes does; watches on
/// directories would have to follow every link by themselves.
struct CertificateWatch: Sendable {
    /// How often it looks.
    static let interval = Duration.seconds(5)

    /// What changes when a path leads to something else than before.
    private struct Status: Sendable, Hashable {
        let device: dev_t
        let file: ino_t
        let size: off_t
        let seconds: time_t
        let nanoseconds: Int
    }

    private let paths: [String]
    private var seen: [Status?]

    /// Watches the files that `configuration` was read from, beginning with how they are now.
    init(_ configuration: Configuration) {
        paths = configuration.origin.texts.filter { $0.kind == .tls }.map(\.path)
        seen = paths.map(CertificateWatch.status)
    }

    /// There is nothing to watch.
    var isIdle: Bool { paths.isEmpty }

    /// Whether anything has changed since the last question.
    mutating func hasChanged() -> Bool {
        let now = paths.map(CertificateWatch.status)
        defer { seen = now }
        return now != seen
    }

    private static func status(_ path: String) -> Status? {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        return Status(
            device: status.st_dev, file: status.st_ino, size: status.st_size, seconds: status.st_mtim.tv_sec,
            nanoseconds: status.st_mtim.tv_nsec)
    }
}

extension Setup {
    /// `withFreshCertificates`, of which the log is told; where the new files cannot be used, be they broken or half
    /// written, it only raises an alarm (security-checklist H2).
    func withFreshCertificatesOrReported() -> Setup? {
        do throws(StartFailure) {
            guard let renewed = try withFreshCertificates() else { return nil }
            log.write(.notice, "files of TLS have changed, using the new ones")
            return renewed
        } catch {
            log.write(.alert, "files of TLS have changed and cannot be used, going on with the old ones: \(error.text)")
            return nil
        }
    }

    /// This setup with the files of TLS as they are now; nil where they say the same as before.
    ///
    /// All other texts stay as they were read: taking certificates over is no reload.
    private func withFreshCertificates() throws(StartFailure) -> Setup? {
        var origin = configuration.origin
        do throws(SourceError) {
            origin.texts = try origin.texts.map { (text) throws(SourceError) in
                guard text.kind == .tls else { return text }
                return ConfigurationText(path: text.path, content: try DiskSource().read(text.path), kind: .tls)
            }
        } catch {
            throw StartFailure(error)
        }
        guard origin != configuration.origin else { return nil }
        let renewed: Configuration
        do throws(ConfigurationError) { renewed = try Configuration.load(from: origin) } catch {
            throw StartFailure(error)
        }
        return try Setup(source, renewed, log: log, credentials: credentials, replacing: self)
    }
}
