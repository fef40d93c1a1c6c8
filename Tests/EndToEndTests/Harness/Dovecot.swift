import Foundation
import Glibc

/// A Dovecot of the test's own: IMAP and POP3, accounts from a file, one Maildir each.
struct Dovecot {
    let imap: Endpoint
    let pop3: Endpoint
    /// With TLS from the first byte; nobody listens there unless the server has a certificate.
    let imaps: Endpoint
    let pop3s: Endpoint
    /// What it has logged.
    let log: String
    let process: RunningProcess

    /// Starts it with `accounts`; their mail lies below `mail/` of the stage's directory.
    /// - Parameters:
    ///   - identity: files of a certificate and its key.
    ///   - options: who else may log in, and how.
    init(
        on stage: Stage, accounts: [Account] = Account.all, identity: [String]? = nil,
        options: LoginOptions = LoginOptions()
    ) throws {
        imaps = try stage.freeEndpoint()
        pop3s = try stage.freeEndpoint()
        imap = try stage.freeEndpoint()
        pop3 = try stage.freeEndpoint()
        let directory = stage.directory
        let owner = MailOwner.current
        try directory.makeFolder("dovecot")
        for account in accounts { try owner.makeHome(of: account, in: directory) }
        let users = accounts.map {
            "\($0.name):{PLAIN}\($0.password):\(owner.user):\(owner.group)::\(directory.path("mail/\($0.name)"))::\n"
        }
        try directory.write("dovecot/users", users.joined())
        let file = try directory.write(
            "dovecot/dovecot.conf",
            Dovecot.configuration(stage, imap: imap, pop3: pop3, imaps: imaps, pop3s: pop3s, identity)
                + options.configuration(in: stage.directory))
        log = stage.directory.path("dovecot/dovecot.log")
        process = try stage.start("dovecot", ["/usr/sbin/dovecot", "-F", "-c", file])
        try process.waitUntilListening(on: imap)
        try process.waitUntilListening(on: pop3)
    }

    private static func configuration(
        _ stage: Stage, imap: Endpoint, pop3: Endpoint, imaps: Endpoint, pop3s: Endpoint, _ identity: [String]?
    ) -> String {
        let tls = identity.map { "ssl = yes\nssl_cert = <\($0[0])\nssl_key = <\($0[1])" } ?? "ssl = no"
        let (imapsPort, pop3sPort) = identity == nil ? (0, 0) : (imaps.port, pop3s.port)
        let folder = stage.directory.path("dovecot")
        return """
            base_dir = \(folder)/run
            state_dir = \(folder)/state
            log_path = \(folder)/dovecot.log
            protocols = imap pop3
            listen = \(stage.host)
            \(tls)
            disable_plaintext_auth = no
            auth_mechanisms = plain login
            auth_failure_delay = 0
            mail_location = maildir:~/Maildir
            maildir_copy_with_hardlinks = no
            mail_max_userip_connections = 0
            first_valid_uid = 1
            first_valid_gid = 1
            \(MailOwner.current.dovecotAccounts)
            passdb {
              driver = passwd-file
              args = username_format=%u \(folder)/users
            }
            userdb {
              driver = passwd-file
              args = username_format=%u \(folder)/users
            }
            namespace inbox {
              inbox = yes
            }
            service imap-login {
              chroot =
              inet_listener imap {
                port = \(imap.port)
              }
              inet_listener imaps {
                port = \(imapsPort)
              }
            }
            service pop3-login {
              chroot =
              inet_listener pop3 {
                port = \(pop3.port)
              }
              inet_listener pop3s {
                port = \(pop3sPort)
              }
            }
            service anvil {
              chroot =
            }

            """
    }
}

/// The system account that owns the mail: `nobody` when the tests run as root, else whoever runs them.
struct MailOwner {
    let user: uid_t
    let group: gid_t

    static var current: MailOwner {
        geteuid() == 0 ? MailOwner(user: 65534, group: 65534) : MailOwner(user: geteuid(), group: getegid())
    }

    /// Without root, every process of Dovecot runs as the one account there is.
    var dovecotAccounts: String {
        guard geteuid() != 0, let entry = unsafe getpwuid(geteuid()), let group = unsafe getgrgid(getegid()) else {
            return ""
        }
        let name = unsafe String(cString: entry.pointee.pw_name)
        let groupName = unsafe String(cString: group.pointee.gr_name)
        return "default_internal_user = \(name)\ndefault_login_user = \(name)\ndefault_internal_group = \(groupName)"
    }

    /// Makes the home of `account`, and its Maildir with no message in it.
    func makeHome(of account: Account, in directory: TestDirectory) throws {
        for folder in ["mail", "mail/\(account.name)", "mail/\(account.name)/Maildir"] {
            try directory.makeFolder(folder)
            unsafe chown(directory.path(folder), user, group)
        }
        for folder in ["cur", "new", "tmp"] {
            let path = try directory.makeFolder("mail/\(account.name)/Maildir/\(folder)")
            unsafe chown(path, user, group)
        }
    }
}

extension Dovecot {
    /// Puts a message into an account's INBOX, as a delivery would.
    static func deliver(_ message: String, named name: String, to account: Account, on stage: Stage) throws {
        let path = try stage.directory.write("mail/\(account.name)/Maildir/new/\(name)", message)
        unsafe chown(path, MailOwner.current.user, MailOwner.current.group)
    }
}
