import Foundation
import Glibc

/// Dovecot as a login proxy: one login process in its high-performance mode, everybody welcome.
///
/// Its authenticator is a process of its own that needs no service, so a login saves it that connection.
struct DovecotDialect: ServerDialect {
    let program = "dovecot"
    let package = "dovecot-imapd dovecot-pop3d"
    let versionArgument = "--version"

    func serves(_ scenario: Scenario) -> Bool {
        // With 30,000 sessions over several login processes it says to some that they are temporarily unavailable.
        if scenario.load.workers > 1, scenario.load.connections > 60_000 { return false }
        return scenario.load.mailProtocol != .smtp && !scenario.load.isLogged
    }

    func configuration(_ plan: ServerPlan) -> String {
        let isImplicit = plan.load.security.isImplicit
        let tls =
            plan.load.security == .none
            ? "ssl = no"
            : "ssl = yes\nssl_cert = <\(plan.directory)/tls.crt\nssl_key = <\(plan.directory)/tls.key"
        let logins = zip(["imap", "pop3"], plan.ports).map { name, port in
            """
            service \(name)-login {
              chroot =
              service_count = 0
              process_min_avail = \(plan.load.workers)
              process_limit = \(plan.load.workers)
              client_limit = \(plan.load.connections)
              inet_listener \(name) {
                port = \(isImplicit ? 0 : port)
              }
              inet_listener \(name)s {
                port = \(isImplicit ? port : 0)
              }
            }
            """
        }
        let ports = "%{if;%s;eq;imap;\(plan.backEnds[0]);\(plan.backEnds[1])}"
        return """
            base_dir = \(plan.directory)/run
            state_dir = \(plan.directory)/state
            log_path = \(plan.directory)/error.log
            protocols = imap pop3
            listen = 127.0.0.1
            \(tls)
            disable_plaintext_auth = no
            auth_mechanisms = plain login
            auth_failure_delay = 0
            mail_max_userip_connections = 0
            default_vsz_limit = 2G
            \(accounts)
            passdb {
              driver = static
              args = nopassword=y proxy=y host=127.0.0.1 port=\(ports)
            }
            service anvil {
              chroot =
              client_limit = \(plan.load.connections)
            }
            service auth {
              client_limit = \(plan.load.connections)
            }
            \(logins.joined(separator: "\n"))

            """
    }

    /// Without root, every process of Dovecot runs as the one account there is.
    private var accounts: String {
        guard geteuid() != 0, let entry = unsafe getpwuid(geteuid()), let group = unsafe getgrgid(getegid()) else {
            return ""
        }
        let name = unsafe String(cString: entry.pointee.pw_name)
        let groupName = unsafe String(cString: group.pointee.gr_name)
        return "default_internal_user = \(name)\ndefault_login_user = \(name)\ndefault_internal_group = \(groupName)"
    }

    func arguments(configuration: String, directory: String) -> [String] { ["-F", "-c", configuration] }
}
