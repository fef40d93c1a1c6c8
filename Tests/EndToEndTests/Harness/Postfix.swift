import Foundation
import Glibc
import Testing

/// A Postfix of the test's own: smtpd with XCLIENT for us, delivering into the Maildirs that Dovecot serves.
///
/// Postfix's master insists on being root. It keeps to 127.0.0.1 as "its" interface, since it looks for
/// other loopback addresses among the host's and finds none; the smtpd binds the stage's address all the same.
struct Postfix {
    let smtp: Endpoint
    /// With TLS from the first byte, if it has a certificate.
    let smtps: Endpoint
    let process: RunningProcess
    let log: String

    /// Whether it can run here.
    static var isPossible: Bool { geteuid() == 0 }

    /// - Parameters:
    ///   - identity: files of a certificate and its key.
    ///   - sasl: the socket of a Dovecot that decides about logins; without it nobody logs in.
    init(on stage: Stage, accounts: [Account] = Account.all, identity: [String]? = nil, sasl: String? = nil) throws {
        smtp = try stage.freeEndpoint()
        smtps = try stage.freeEndpoint()
        let directory = stage.directory
        log = directory.path("postfix.log")
        for account in accounts { try MailOwner.current.makeHome(of: account, in: directory) }
        try directory.makeFolder("postfix/conf")
        try Postfix.makeFolders(in: directory)
        let boxes = accounts.map { "\($0.address) \($0.name)/Maildir/\n" }
        try directory.write("postfix/conf/boxes", boxes.joined())
        try directory.write("postfix/conf/main.cf", Postfix.main(stage, identity, sasl: sasl))
        try directory.write("postfix/conf/master.cf", Postfix.master(smtp, smtps: identity == nil ? nil : smtps))
        let configuration = directory.path("postfix/conf")
        process = try stage.start("postfix", ["/usr/lib/postfix/sbin/master", "-d", "-c", configuration])
        try process.waitUntilListening(on: smtp)
    }

    /// The folders as `postfix check` would make them, which takes seconds.
    private static func makeFolders(in directory: TestDirectory) throws {
        guard let account = unsafe getpwnam("postfix"), let group = unsafe getgrnam("postdrop") else {
            throw SystemError("no account of Postfix")
        }
        let (owner, ownGroup) = unsafe (account.pointee.pw_uid, account.pointee.pw_gid)
        let dropGroup = unsafe group.pointee.gr_gid
        try directory.makeFolder("postfix/queue/pid")
        let queues = [
            "active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved",
            "trace",
        ]
        let folders =
            [
                ("data", mode_t(0o700), ownGroup), ("queue/public", 0o710, dropGroup),
                ("queue/maildrop", 0o730, dropGroup),
            ]
            + queues.map { ("queue/\($0)", 0o700, 0) }
        for (name, mode, group) in folders {
            let path = try directory.makeFolder("postfix/\(name)")
            unsafe chown(path, owner, group)
            unsafe chmod(path, mode)
        }
    }

    private static func main(_ stage: Stage, _ identity: [String]?, sasl: String?) -> String {
        let logins =
            sasl.map { "smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = \($0)" } ?? ""
        let tls = identity.map { "smtpd_tls_security_level = may\nsmtpd_tls_chain_files = \($0[1]) \($0[0])" } ?? ""
        let folder = stage.directory.path("postfix")
        let owner = MailOwner.current
        return """
            compatibility_level = 3.6
            queue_directory = \(folder)/queue
            data_directory = \(folder)/data
            maillog_file = \(stage.directory.path("postfix.log"))
            maillog_file_prefixes = /tmp
            myhostname = back.\(Account.domain)
            mydestination =
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            mynetworks = 192.0.2.1/32
            smtpd_authorized_xclient_hosts = 127.0.0.0/8
            smtpd_relay_restrictions = reject_unauth_destination
            smtpd_peername_lookup = no
            smtp_host_lookup = native
            alias_maps =
            alias_database =
            local_recipient_maps =
            message_size_limit = 52428800
            virtual_mailbox_limit = 0
            virtual_mailbox_domains = \(Account.domain)
            virtual_mailbox_base = \(stage.directory.path("mail"))
            virtual_mailbox_maps = texthash:\(folder)/conf/boxes
            virtual_uid_maps = static:\(owner.user)
            virtual_gid_maps = static:\(owner.group)
            virtual_minimum_uid = 1
            virtual_transport = virtual
            smtpd_tls_received_header = yes
            \(tls)
            \(logins)

            """
    }

    /// The services that one delivery needs; none in a chroot.
    private static func master(_ smtp: Endpoint, smtps: Endpoint?) -> String {
        """
        \(smtp)    inet  n - n - - smtpd
        \(smtps.map { "\($0) inet n - n - - smtpd -o smtpd_tls_wrappermode=yes" } ?? "")
        cleanup    unix  n - n - 0 cleanup
        qmgr       unix  n - n 300 1 qmgr
        rewrite    unix  - - n - - trivial-rewrite
        bounce     unix  - - n - 0 bounce
        defer      unix  - - n - 0 bounce
        trace      unix  - - n - 0 bounce
        verify     unix  - - n - 1 verify
        error      unix  - - n - - error
        retry      unix  - - n - - error
        anvil      unix  - - n - 1 anvil
        scache     unix  - - n - 1 scache
        proxymap   unix  - - n - - proxymap
        virtual    unix  - n n - - virtual
        tlsmgr     unix  - - n 1000? 1 tlsmgr
        postlog    unix-dgram n - n - 1 postlogd

        """
    }
}

extension Trait where Self == ConditionTrait {
    /// The test needs a Postfix of its own.
    static var needsPostfix: ConditionTrait {
        .enabled("Postfix's master runs as root only, and these tests do not") { Postfix.isPossible }
    }
}
