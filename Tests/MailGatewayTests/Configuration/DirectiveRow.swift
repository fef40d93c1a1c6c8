@testable import MailGateway

/// What is known of one directive beside its row in the table: values that are accepted, and one that is not.
///
/// Where it may stand, how many arguments it takes and what repetition means are in the table itself, and
/// tested for every row in the same way.
struct DirectiveRow: Sendable {
    let name: String
    /// Arguments as written. Of those with an effect on servers the first two differ in it.
    let accepted: [String]
    /// Arguments that are refused, and nginx's text for it, without the position.
    let refused: (arguments: String, text: String)?

    /// - Parameter text: nil for what has a block in place of values.
    init(_ name: String, _ accepted: String..., refused: String? = nil, _ text: String? = nil) {
        self.name = name
        self.accepted = accepted
        self.refused = refused.flatMap { arguments in text.map { (arguments, $0) } }
    }

    /// A flag.
    static func flag(_ name: String) -> DirectiveRow {
        DirectiveRow(
            name, "on", "off", refused: "maybe",
            "invalid value \"maybe\" in \"\(name)\" directive, it must be \"on\" or \"off\"")
    }

    /// A time.
    static func time(_ name: String) -> DirectiveRow {
        DirectiveRow(name, "7s", "\"1h 2m\"", refused: "1x", "\"\(name)\" directive invalid value")
    }

    /// A size.
    static func size(_ name: String) -> DirectiveRow {
        DirectiveRow(name, "8k", "1m", refused: "1x", "\"\(name)\" directive invalid value")
    }

    /// A number.
    static func number(_ name: String) -> DirectiveRow {
        DirectiveRow(name, "7", "8", refused: "x", "\"\(name)\" directive invalid number")
    }

    /// Any text, of which only the empty one is refused.
    static func text(_ name: String, _ values: String = "some", _ other: String = "other") -> DirectiveRow {
        DirectiveRow(name, values, other, refused: "\"\"", "invalid value \"\"")
    }

    static let all: [DirectiveRow] =
        process + events + servers + limits + protocols + loginsAndBackEnds + groups + tls + blocks

    private static let process: [DirectiveRow] = [
        DirectiveRow(
            "include", "none*.conf", refused: "gone.conf",
            "open() \"/etc/gw/gone.conf\" failed (2: No such file or directory)"),
        DirectiveRow(
            "worker_processes", "2", "auto", refused: "x", "\"worker_processes\" directive invalid value"),
        DirectiveRow(
            "error_log", "stderr info", "e.log", refused: "stderr loud", "invalid log level \"loud\""),
        text("pid", "a.pid"), flag("daemon"), flag("master_process"), text("user", "www-data", "a b"),
        number("worker_rlimit_nofile"),
        DirectiveRow("worker_priority", "-5", "+5", refused: "x", "\"worker_priority\" directive invalid number"),
        DirectiveRow(
            "worker_cpu_affinity", "01 10", "auto", refused: "2",
            "invalid character \"2\" in \"worker_cpu_affinity\""),
        text("working_directory", "/tmp"), text("env", "PATH", "A=b"), time("worker_shutdown_timeout"),
        DirectiveRow("worker_rlimit_core", "1g", "1m", refused: "x", "\"worker_rlimit_core\" directive invalid value"),
        DirectiveRow(
            "thread_pool", "a threads=1", "b threads=2 max_queue=3", refused: "a threads=0",
            "invalid threads value \"threads=0\""),
        flag("pcre_jit"), text("lock_file"), time("timer_resolution"),
        DirectiveRow("debug_points", "stop", "ABORT", refused: "x", "invalid value \"x\""), text("load_module"),
        text("ssl_engine"), flag("ssl_object_cache_inheritable"),
    ]

    private static let events: [DirectiveRow] = [
        DirectiveRow("worker_connections", "7", "8", refused: "x", "invalid number \"x\""),
        DirectiveRow("use", "epoll", "io_uring", refused: "kqueue", "invalid event type \"kqueue\""),
        flag("multi_accept"), flag("accept_mutex"), time("accept_mutex_delay"), text("debug_connection"),
        text("worker_aio_requests"),
    ]

    private static let servers: [DirectiveRow] = [
        DirectiveRow("listen", "144", "[::1]:145", refused: "0", "invalid port in \"0\" of the \"listen\" directive"),
        DirectiveRow("protocol", "imap", "smtp", refused: "IMAP", "unknown protocol \"IMAP\""),
        text("server_name"), time("timeout"), number("max_errors"), number("max_connections"),
        DirectiveRow("bare_line_feed", "accept", "refuse", refused: "x", "invalid value \"x\""),
        DirectiveRow(
            "set_real_ip_from", "192.0.2.0/24", "unix:", refused: "nowhere",
            "host not found in set_real_ip_from \"nowhere\""),
        DirectiveRow("allow", "192.0.2.1", "all", refused: "x", "invalid parameter \"x\""),
        DirectiveRow("deny", "192.0.2.1", "unix:", refused: "x", "invalid parameter \"x\""),
        DirectiveRow(
            "resolver", "192.0.2.53", "two.example:5353 valid=5s", refused: "valid=5s", "no name servers defined"),
        time("resolver_timeout"),
    ]

    /// The zones used are declared in each configuration.
    private static let limits: [DirectiveRow] = [
        DirectiveRow(
            "limit_conn_zone", "$remote_addr zone=a:32k", "${remote_addr}$auth_user zone=b:1m",
            refused: "$remote_addr zone=a:32767", "zone \"a:32767\" is too small"),
        DirectiveRow(
            "limit_conn", "sessions 1", "sessions 65535", refused: "sessions 65536",
            "connection limit must be less 65536"),
        DirectiveRow("limit_conn_log_level", "info", "warn", refused: "crit", "invalid value \"crit\""),
        flag("limit_conn_dry_run"),
        DirectiveRow(
            "limit_login_zone", "$auth_user zone=c:32k", "$binary_remote_addr zone=d:1m",
            refused: "$remote_addr zone=c",
            "invalid zone size \"c\""),
        DirectiveRow(
            "limit_login", "zone=guesses", "zone=guesses burst=3 delay=500ms window=1h", refused: "burst=3",
            "\"limit_login\" must have \"zone\" parameter"),
    ]

    private static let protocols: [DirectiveRow] =
        ["imap", "pop3", "smtp"].flatMap { prefix in
            [
                text("\(prefix)_capabilities", "A \"B 1\"", "C"), size("\(prefix)_client_buffer"),
                DirectiveRow(
                    "\(prefix)_auth", "CRAM-MD5", "plain external OAuthBearer xoauth2", refused: "x",
                    "invalid value \"x\""),
            ]
        } + [time("smtp_greeting_delay")]

    private static let loginsAndBackEnds: [DirectiveRow] = [
        DirectiveRow(
            "auth_http", "192.0.2.1/a", "unix:/run/a:/b", refused: "unix:",
            "no path in the unix domain socket in auth_http \"unix:\""),
        DirectiveRow("auth_http_header", "X 1", "Y \"\"", refused: "X: 1", "invalid value \"X:\""),
        time("auth_http_timeout"), number("auth_http_keepalive"), flag("auth_http_pass_client_cert"),
        DirectiveRow(
            "auth_cache", "max=10 ttl=5m negative_ttl=0", "off", refused: "ttl=5m", "no max in auth_cache"),
        DirectiveRow(
            "auth_mysql", "192.0.2.1 user=a", "unix:/run/db user=b database=c", refused: "192.0.2.1",
            "no user in auth_mysql \"192.0.2.1\""),
        DirectiveRow(
            "auth_mysql_query", "\"SELECT password FROM a WHERE b = ?\"",
            "\"SELECT password FROM a WHERE b = :domain\"",
            refused: "\"SELECT password FROM a\"", "no placeholder in auth_mysql_query"),
        time("auth_mysql_timeout"), number("auth_mysql_connections"), number("auth_mysql_queue"),
        flag("auth_mysql_ssl"), flag("auth_mysql_ssl_verify"), text("auth_mysql_ssl_trusted_certificate"),
        DirectiveRow(
            "auth_file", "\"data:ann:{PLAIN}x\"", "\"data:\"", refused: "gone",
            "open() \"/etc/gw/gone\" failed (2: No such file or directory)"),
        DirectiveRow(
            "proxy_pass", "192.0.2.1:143", "unix:/run/b", refused: "name:0", "invalid port in proxy_pass \"name:0\""),
        DirectiveRow("error_texts", "rfc", "nginx", refused: "x", "invalid value \"x\""),
        DirectiveRow("ssl_client_identity", "cn", "email", refused: "x", "invalid value \"x\""),
        flag("proxy_pass_token"), text("proxy_master_user"),
        text("proxy_master_password_file", "master.password", "master.password"),
        time("proxy_connect_timeout"), flag("proxy_next_upstream"), number("proxy_next_upstream_tries"),
        time("proxy_next_upstream_timeout"),
        DirectiveRow(
            "proxy_bind", "192.0.2.1", "off", refused: "192.0.2.1 transparent", "invalid parameter \"transparent\""),
        DirectiveRow(
            "auth_pam", "mail", "imap confdir=pam.d", refused: "../mail", "invalid PAM service \"../mail\""),
        time("auth_pam_timeout"),
        size("proxy_buffer"), time("proxy_timeout"), flag("proxy_pass_error_message"), flag("proxy_smtp_auth"),
        flag("proxy_pipelining"),
        DirectiveRow("proxy_protocol", "on", "v2", refused: "v3", "invalid value \"v3\""),
        DirectiveRow(
            "xclient", "off", "auto", refused: "x",
            "invalid value \"x\" in \"xclient\" directive, it must be \"on\" or \"off\""),
        flag("proxy"),
    ]

    /// Those of `upstream {}`, whose names say so.
    private static let groups: [DirectiveRow] = [
        DirectiveRow(
            "upstream server", "192.0.2.1", "a.example:143 weight=2 max_conns=9 max_fails=0 fail_timeout=3s resolve",
            "unix:/run/b down slow_start=1m", refused: "192.0.2.1 weight=0",
            "invalid parameter \"weight=0\" in upstream server \"192.0.2.1\""),
        DirectiveRow("upstream least_conn", ""),
        DirectiveRow(
            "upstream hash", "$auth_user", "$auth_user consistent", refused: "$remote_addr",
            "invalid value \"$remote_addr\""),
        DirectiveRow("upstream random", "", "two least_conn", refused: "three", "invalid parameter \"three\""),
        DirectiveRow(
            "upstream health_check", "", "interval=10s timeout=1s fails=3 passes=2", refused: "interval=0",
            "invalid parameter \"interval=0\""),
        DirectiveRow("upstream zone", "backends 64k", "backends", refused: "\"\"", "invalid value \"\""),
    ]

    private static let tls: [DirectiveRow] = [
        DirectiveRow("starttls", "off", refused: "x", "invalid value \"x\""),
        text("ssl_certificate", "a.pem"), text("ssl_password_file"), text("ssl_dhparam"), text("ssl_ecdh_curve"),
        DirectiveRow(
            "ssl_certificate_key", "a.key", "b.key", refused: "engine:a:b",
            "cannot load certificate key \"engine:a:b\": \"engine:\" is not supported"),
        DirectiveRow("ssl_protocols", "TLSv1.2", "TLSv1.3", refused: "TLSv9", "invalid value \"TLSv9\""),
        text("ssl_ciphers"), flag("ssl_prefer_server_ciphers"),
        DirectiveRow(
            "ssl_session_cache", "off", "shared:a:1m", refused: "x", "invalid session cache \"x\""),
        flag("ssl_session_tickets"), text("ssl_session_ticket_key"),
        DirectiveRow(
            "ssl_session_timeout", "7s", "1M", refused: "1ms", "\"ssl_session_timeout\" directive invalid value"),
        DirectiveRow("ssl_verify_client", "on", "optional_no_ca", refused: "x", "invalid value \"x\""),
        number("ssl_verify_depth"), text("ssl_client_certificate"), text("ssl_trusted_certificate"), text("ssl_crl"),
        DirectiveRow(
            "ssl_conf_command", "Options PrioritizeChaCha", "Ciphersuites a", refused: "Options \"\"",
            "invalid value \"\""),
        flag("ssl_certificate_compression"), flag("ssl_handover"),
        flag("auth_http_ssl_verify"), text("auth_http_ssl_trusted_certificate"), text("auth_http_ssl_name"),
        DirectiveRow("proxy_ssl", "off", refused: "x", "invalid value \"x\""), flag("proxy_ssl_verify"),
        number("proxy_ssl_verify_depth"),
        // It is read where it stands, so that the service may ask for TLS (`Auth-SSL-Backend`).
        text("proxy_ssl_trusted_certificate", "authority.pem", "authority.pem"), text("proxy_ssl_crl"),
        text("proxy_ssl_name"),
        flag("proxy_ssl_server_name"), text("proxy_ssl_certificate"), text("proxy_ssl_certificate_key"),
        text("proxy_ssl_password_file"),
        DirectiveRow("proxy_ssl_protocols", "TLSv1.2", "TLSv1.3", refused: "TLSv9", "invalid value \"TLSv9\""),
        text("proxy_ssl_ciphers"), flag("proxy_ssl_session_reuse"), flag("proxy_ssl_handover"),
        DirectiveRow("proxy_ssl_conf_command", "Options a", "Options b", refused: "a \"\"", "invalid value \"\""),
        DirectiveRow("ssl", "off", refused: "on", "\"ssl\" is no directive any more"),
    ]

    private static let blocks =
        ["events", "mail", "server", "http", "stream"].map { DirectiveRow($0, "{ }") }
        + [DirectiveRow("upstream", "group { server 192.0.2.1; }")]
}
