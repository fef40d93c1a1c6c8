import Foundation
import Glibc
import Testing

/// A Postfix of the test's own: smtpd with XCLIENT for us, delivering into the Maildirs that Dovecot serves.
///
/// Postfix's master insists on being root.
struct Postfix {
    let smtp: Endpoint
    let process: RunningProcess
    let log: String

    /// Whether it can run here.
    static var isPossible: Bool { geteuid() == 0 }

    init(on stage: Stage, accounts: [Account] = Account.all) throws {
        smtp = try stage.freeEndpoint()
        let directory = stage.directory
        log = directory.path("postfix.log")
        for account in accounts { try MailOwner.current.makeHome(of: account, in: directory) }
        try directory.makeFolder("postfix/conf")
        try directory.makeFolder("postfix/queue")
        let data = try directory.makeFolder("postfix/data")
        if let entry = unsafe getpwnam("postfix") { unsafe chown(data, entry.pointee.pw_uid, entry.pointee.pw_gid) }
        let boxes = accounts.map { "\($0.address) \($0.name)/Maildir/\n" }
        try directory.write("postfix/conf/boxes", boxes.joined())
        try directory.write("postfix/conf/main.cf", Postfix.main(stage))
        try directory.write("postfix/conf/master.cf", Postfix.master(smtp))
        let configuration = directory.path("postfix/conf")
        let check = try stage.run(["/usr/sbin/postfix", "-c", configuration, "check"])
        guard check.succeeded else { throw EndedEarly(name: "postfix check", output: "\(check)") }
        process = try stage.start("postfix", ["/usr/lib/postfix/sbin/master", "-d", "-c", configuration])
        try process.waitUntilListening(on: smtp)
    }

    private static func main(_ stage: Stage) -> String {
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
            inet_interfaces = \(stage.host)
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

            """
    }

    /// The services that one delivery needs; none in a chroot.
    private static func master(_ smtp: Endpoint) -> String {
        """
        \(smtp)    inet  n - n - - smtpd
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
