import AsyncIO
import Glibc

/// Notices that files which a configuration was read from have changed, where that needs no reload: certificates are
/// renewed by programs that know nothing of us, and passwords are set by `mailgateway passwd`.
///
/// It asks for the files' status every few seconds, following symbolic links. That sees a file written
/// anew, one renamed into place, and a linked directory swapped as Kubernetes does; watches on
/// directories would have to follow every link by themselves.
struct FileWatch: Sendable {
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

    /// A file that is watched.
    private struct Watched: Sendable {
        let path: String
        let kind: ConfigurationText.Kind
        var seen: Status?
    }

    private var files: [Watched]

    /// Watches the files that `configuration` was read from, beginning with how they are now.
    init(_ configuration: Configuration) {
        files = configuration.origin.texts.filter { $0.kind != .directives }
            .map { Watched(path: $0.path, kind: $0.kind, seen: FileWatch.status($0.path)) }
    }

    /// The setup with the files that have changed since the last question; nil where none has, or none can be used.
    ///
    /// Files of TLS are taken over together, for a certificate and its key change together; any other file by
    /// itself. Those that are broken, or half written, only raise an alarm in the setup's log.
    mutating func renewal(of setup: Setup) -> Setup? {
        var changed: [Watched] = []
        for index in files.indices {
            let now = FileWatch.status(files[index].path)
            guard now != files[index].seen else { continue }
            files[index].seen = now
            changed.append(files[index])
        }
        var newest = setup
        if changed.contains(where: { $0.kind == .tls }) {
            newest = newest.renewed("files of TLS have changed", "ones") { $0.kind == .tls }
        }
        for file in changed where file.kind != .tls {
            newest = newest.renewed("\(quoted(file.path)) has changed", "one") { $0.path == file.path }
        }
        return newest.configuration.origin == setup.configuration.origin ? nil : newest
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
    /// This setup with some of its texts as they are now on the disk; itself, and an alarm, where that cannot be.
    ///
    /// All other texts stay as they were read: it is no reload.
    fileprivate func renewed(
        _ subject: String, _ object: String, where isMeant: (ConfigurationText) -> Bool
    ) -> Setup {
        do throws(StartFailure) {
            var origin = configuration.origin
            do throws(SourceError) {
                origin.texts = try origin.texts.map { (text) throws(SourceError) in
                    guard isMeant(text) else { return text }
                    return ConfigurationText(
                        path: text.path, content: try DiskSource().read(text.path), kind: text.kind)
                }
            } catch {
                throw StartFailure(error)
            }
            guard origin != configuration.origin else { return self }
            let renewed: Configuration
            do throws(ConfigurationError) { renewed = try Configuration.load(from: origin) } catch {
                throw StartFailure(error)
            }
            let setup = try Setup(source, renewed, log: log, credentials: credentials, replacing: self)
            log.write(.notice, "\(subject), using the new \(object)")
            return setup
        } catch {
            let hint = error.hint.map { ". \($0)" } ?? ""
            log.write(.alert, "\(subject) and cannot be used, going on with the old \(object): \(error.text)\(hint)")
            return self
        }
    }
}
