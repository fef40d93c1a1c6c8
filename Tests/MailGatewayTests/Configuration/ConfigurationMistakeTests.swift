import Testing

@testable import MailGateway

/// Every refusal in nginx's words with its position (nginx-mail.md §1.2, §1.5, §2); those that nginx has
/// itself were compared with nginx 1.22.
@Suite struct ConfigurationMistakeTests {
    private static let at = "in \(ConfigurationFixture.path)"

    @Test(arguments: [
        Mistake("evnts { }", "unknown directive \"evnts\" \(at):1"),
        Mistake("PID x;", "unknown directive \"PID\" \(at):1"),
        Mistake("\u{FEFF}events { }", "unknown directive \"\u{FEFF}events\" \(at):1"),
        Mistake("\"a\u{1}b\";", "unknown directive \"a\\x01b\" \(at):1"),
        Mistake("events { }\nserver { }", "\"server\" directive is not allowed here \(at):2"),
        Mistake("timeout 1s;", "\"timeout\" directive is not allowed here \(at):1"),
        Mistake("mail { worker_connections 1; }", "\"worker_connections\" directive is not allowed here \(at):1"),
        Mistake("mail { listen 143; }", "\"listen\" directive is not allowed here \(at):1"),
        Mistake("events;", "directive \"events\" has no opening \"{\" \(at):1"),
        Mistake("mail x;", "directive \"mail\" has no opening \"{\" \(at):1"),
        Mistake("pid {", "directive \"pid\" is not terminated by \";\" \(at):1"),
        Mistake("include {", "directive \"include\" is not terminated by \";\" \(at):1"),
        Mistake("events x { }", "invalid number of arguments in \"events\" directive \(at):1"),
        Mistake("user a b c;", "invalid number of arguments in \"user\" directive \(at):1"),
        Mistake("pid;", "invalid number of arguments in \"pid\" directive \(at):1"),
        Mistake("pid a b c d e f g h;", "invalid number of arguments in \"pid\" directive \(at):1"),
        Mistake("mail { imap_auth; }", "invalid number of arguments in \"imap_auth\" directive \(at):1"),
        Mistake(
            "mail { auth_http_header a; }", "invalid number of arguments in \"auth_http_header\" directive \(at):1"),
        Mistake("pid a; pid b;", "\"pid\" directive is duplicate \(at):1"),
        Mistake("worker_processes 1;\nworker_processes x;", "\"worker_processes\" directive is duplicate \(at):2"),
        Mistake("events { } events { }", "\"events\" directive is duplicate \(at):1"),
        Mistake("mail { } mail { }", "\"mail\" directive is duplicate \(at):1"),
        Mistake("}", "unexpected \"}\" \(at):1"),
        Mistake("events { } }", "unexpected \"}\" \(at):1"),
        Mistake("mail {\nserver {\n", "unexpected end of file, expecting \"}\" \(at):3"),
        Mistake("http { a { }", "unexpected end of file, expecting \"}\" \(at):1"),
        Mistake("http { a { ; } }", "unexpected \";\" \(at):1"),
        Mistake("", "no \"events\" section in configuration"),
        Mistake("events { worker_connections x; }", "invalid number \"x\" \(at):1"),
        Mistake("events { use kqueue; }", "invalid event type \"kqueue\" \(at):1"),
        Mistake("worker_processes x;", "\"worker_processes\" directive invalid value \(at):1"),
        Mistake("worker_rlimit_nofile x;", "\"worker_rlimit_nofile\" directive invalid number \(at):1"),
        Mistake("worker_shutdown_timeout 1M;", "\"worker_shutdown_timeout\" directive invalid value \(at):1"),
        Mistake("worker_priority 20;", "\"worker_priority\" directive invalid number \(at):1"),
        Mistake("worker_priority -21;", "\"worker_priority\" directive invalid number \(at):1"),
        Mistake("worker_priority +-1;", "\"worker_priority\" directive invalid number \(at):1"),
        Mistake("worker_cpu_affinity 012;", "invalid character \"2\" in \"worker_cpu_affinity\" \(at):1"),
        Mistake(
            "worker_cpu_affinity \(String(repeating: "1", count: 1025));",
            "\"worker_cpu_affinity\" supports up to 1024 CPUs only \(at):1"),
        Mistake(
            "worker_cpu_affinity auto 1 1;", "invalid number of arguments in \"worker_cpu_affinity\" directive \(at):1"),
        Mistake("worker_rlimit_core 1t;", "\"worker_rlimit_core\" directive invalid value \(at):1"),
        Mistake(
            "events { worker_connections 2; } mail { auth_http 192.0.2.1; server { listen 143; listen [::1]:143; } }",
            "2 worker_connections are not enough for 2 listening sockets"),
        Mistake(
            "daemon maybe;", "invalid value \"maybe\" in \"daemon\" directive, it must be \"on\" or \"off\" \(at):1"),
        Mistake("error_log stderr foo;", "invalid log level \"foo\" \(at):1"),
        Mistake("error_log stderr warn warn;", "duplicate log level \"warn\" \(at):1"),
        Mistake("error_log stderr debug_mail warn;", "duplicate log level \"warn\" \(at):1"),
        Mistake("error_log stderr warn debug_mail;", "duplicate log level \"debug_mail\" \(at):1"),
        Mistake("error_log memory:1m;", "\"error_log memory:\" is only in nginx's debugging build \(at):1"),
        Mistake("error_log syslog:;", "unknown syslog parameter \"\" \(at):1"),
        Mistake("error_log syslog:tag=a;", "no syslog server specified \(at):1"),
        Mistake("error_log syslog:server=x;", "host not found in syslog server \"x\" \(at):1"),
        Mistake("error_log syslog:server=;", "no host in syslog server \"\" \(at):1"),
        Mistake("error_log syslog:server=::1;", "invalid port in syslog server \"::1\" \(at):1"),
        Mistake("error_log syslog:server=192.0.2.1:0;", "invalid port in syslog server \"192.0.2.1:0\" \(at):1"),
        Mistake("error_log syslog:server=192.0.2.1/x;", "invalid host in syslog server \"192.0.2.1/x\" \(at):1"),
        Mistake(
            "error_log syslog:server=unix:;", "no path in the unix domain socket in syslog server \"unix:\" \(at):1"),
        Mistake(
            "error_log syslog:server=192.0.2.1,server=192.0.2.2;", "duplicate syslog \"server\" \(at):1"),
        Mistake(
            "error_log syslog:server=192.0.2.1,facility=mail,facility=mail;",
            "duplicate syslog \"facility\" \(at):1"),
        Mistake(
            "error_log syslog:server=192.0.2.1,severity=info,severity=info;",
            "duplicate syslog \"severity\" \(at):1"),
        Mistake("error_log syslog:server=192.0.2.1,tag=a,tag=b;", "duplicate syslog \"tag\" \(at):1"),
        Mistake("error_log syslog:facility=x;", "unknown syslog facility \"x\" \(at):1"),
        Mistake("error_log syslog:severity=x;", "unknown syslog severity \"x\" \(at):1"),
        Mistake(
            "error_log syslog:tag=\(String(repeating: "a", count: 33));", "syslog tag length exceeds 32 \(at):1"),
        Mistake(
            "error_log syslog:tag=a-b;",
            "syslog \"tag\" only allows alphanumeric characters and underscore \(at):1"),
        Mistake("error_log syslog:nohostname=1;", "unknown syslog parameter \"nohostname=1\" \(at):1"),
        Mistake("error_log syslog:x;", "unknown syslog parameter \"x\" \(at):1"),
        Mistake("error_log syslog:server=192.0.2.1 loud;", "invalid log level \"loud\" \(at):1"),
        Mistake("mail { timeout 1x; }", "\"timeout\" directive invalid value \(at):1"),
        Mistake("mail { max_errors x; }", "\"max_errors\" directive invalid number \(at):1"),
        Mistake("mail { imap_client_buffer 1g; }", "\"imap_client_buffer\" directive invalid value \(at):1"),
        Mistake("mail { imap_auth apop; }", "invalid value \"apop\" \(at):1"),
        Mistake("mail { proxy_protocol v3; }", "invalid value \"v3\" \(at):1"),
        Mistake(
            "mail { xclient 1; }", "invalid value \"1\" in \"xclient\" directive, it must be \"on\" or \"off\" \(at):1"),
        Mistake("mail { server_name \"a\nb\"; }", "invalid value \"a\\x0Ab\" \(at):2"),
        Mistake("mail { auth_http_header \"X Y\" z; }", "invalid value \"X Y\" \(at):1"),
        Mistake("mail { auth_http_header X \"a\nb\"; }", "invalid value \"a\\x0Ab\" \(at):2"),
        Mistake("mail { proxy_pass 192.0.2.300; }", "invalid host in proxy_pass \"192.0.2.300\" \(at):1"),
        Mistake("mail { proxy_pass imap_example/x; }", "invalid host in proxy_pass \"imap_example/x\" \(at):1"),
        Mistake("mail { proxy_pass 192.0.2.1:0; }", "invalid port in proxy_pass \"192.0.2.1:0\" \(at):1"),
        Mistake("mail { auth_http 127.0.0.1:x/x; }", "invalid port in auth_http \"127.0.0.1:x/x\" \(at):1"),
        Mistake("mail { auth_http http://:80; }", "no host in auth_http \":80\" \(at):1"),
        Mistake("mail { auth_http unix:; }", "no path in the unix domain socket in auth_http \"unix:\" \(at):1"),
        Mistake("mail { auth_http nosuch.example/x; }", "host not found in auth_http \"nosuch.example/x\" \(at):1"),
        Mistake("mail { auth_http https://a/; }", "host not found in auth_http \"a/\" \(at):1"),
        Mistake("mail { auth_http \"192.0.2.1/a b\"; }", "invalid character in auth_http \"192.0.2.1/a b\" \(at):1"),
        Mistake("mail { auth_file none; }", "open() \"/etc/gw/none\" failed (2: No such file or directory) \(at):1"),
        Mistake("mail { auth_file \"data:a\nann\"; }", "invalid accounts at \"data::1\" \(at):2"),
        Mistake("include none;", "open() \"/etc/gw/none\" failed (2: No such file or directory) \(at):1"),
        Mistake("mail { server { protocol foo; } }", "unknown protocol \"foo\" \(at):1"),
        Mistake("mail { server { protocol IMAP; } }", "unknown protocol \"IMAP\" \(at):1"),
        Mistake("mail {\n server {\n }\n}", "no \"listen\" is defined for server \(at):2"),
        Mistake("mail {\n server {\n listen 1;\n }\n}", "unknown mail protocol for server \(at):2"),
        Mistake(
            "mail {\n server {\n listen 143;\n }\n}",
            "no \"auth_http\", \"auth_file\", \"auth_mysql\" or \"auth_pam\" is defined for server \(at):2"),
        Mistake(
            "mail { server { listen 143; } server {\n listen 1; } }", "unknown mail protocol for server \(at):1"),
        Mistake(
            "mail { auth_file data:; server {\nlisten 143; } }",
            "no \"proxy_pass\" is defined for the \"auth_file\" directive \(at):1"),
        Mistake("mail { starttls maybe; }", "invalid value \"maybe\" \(at):1"),
        Mistake("mail { ssl on; }", "\"ssl\" is no directive any more \(at):1"),
        Mistake("mail { ssl_protocols TLSv1.2 foo; }", "invalid value \"foo\" \(at):1"),
    ])
    func refused(_ row: Mistake) {
        #expect(ConfigurationFixture.message(row.text) == row.message)
    }

    @Test(arguments: [
        Mistake("foo;", "unknown directive \"foo\" in command line"),
        Mistake("pid", "unexpected end of parameter, expecting \";\" in command line"),
        Mistake("events { }", "block directives are not supported in -g option in command line"),
        Mistake("http { }", "block directives are not supported in -g option in command line"),
        Mistake("pid x;", "\"pid\" directive is duplicate \(at):1"),
    ])
    func `refused in the text of -g`(_ row: Mistake) {
        #expect(ConfigurationFixture.message("pid a; events { }", globalDirectives: row.text) == row.message)
    }

    @Test func `the main file must be there`() {
        let error = #expect(throws: ConfigurationError.self) {
            try Configuration.load(
                path: "none.conf", prefix: "/var/gw", source: MemorySource([String: [UInt8]]()),
                resolver: .recorded([:]),
                hostName: "h")
        }
        #expect(error?.message == "open() \"/var/gw/none.conf\" failed (2: No such file or directory)")
    }

    @Test(arguments: [
        Mistake("mail { imap_captabilities X; }", "Did you mean \"imap_capabilities\"?"),
        Mistake("timeout 1s;", "It may stand in: mail, server."),
        Mistake("user;", "Its form is: user user [group];"),
        Mistake("events { use select; }", "It must be one of: io_uring, epoll."),
        Mistake(
            "mail { smtp_auth plain foo; }",
            "Each must be one of: plain, login, cram-md5, external, none, xoauth2, oauthbearer."),
        Mistake("mail { max_errors -1; }", "It must be a number from 0 to 1000000."),
        Mistake(
            "mail { imap_client_buffer 1; }", "It must be a size such as 4096, 4k or 1m, from 128 to 16777216 bytes."),
        Mistake("mail { timeout never; }", "It must be a time such as 500ms, 30s, 5m or \"1h 30m\"."),
        Mistake("error_log stderr loud;", "It must be one of: debug, info, notice, warn, error, crit, alert, emerg."),
        Mistake(
            "mail { auth_file data:ann; }",
            "Line 1: expected \"name:{PLAIN}password\", \"name:{CRYPT}hash\", \"name:$hash\", a comment (#) or an empty line."
        ),
    ])
    func `a second line says what would be accepted`(_ row: Mistake) {
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFixture.load(row.text) }
        #expect(error?.accepted == row.message)
        #expect(error.map { "\($0)" } == error.map { "\($0.message)\n\(row.message)" })
    }

    @Test func `a name unlike any other has no suggestion`() {
        let error = #expect(throws: ConfigurationError.self) { try ConfigurationFixture.load("zzzzzzzzzzzz;") }
        #expect(error?.accepted == nil)
        #expect(DirectiveTable.names(like: String(repeating: "x", count: 4096)).isEmpty)
    }
}
