/// Statements of the configuration that nginx and we read alike: accepted by both, or refused in the same words
/// at the same line.
enum ParityMistakes {
    /// Where a statement stands.
    enum Place: String, Sendable, CaseIterable {
        case main, events, mail, server
    }

    /// One statement or several, and the difference from nginx that it shows, if any.
    struct Row: Sendable {
        let place: Place
        let said: String
        let difference: String?
    }

    /// The table: a place, a colon, the statements; behind `{` the mark of a difference.
    static let all: [Row] = table.split(separator: "\n").map { line in
        let parts = line.split(separator: ": ", maxSplits: 1)
        guard parts.count == 2, let place = Place(rawValue: String(parts[0])) else {
            preconditionFailure("a line of the table of mistakes: \(line)")
        }
        let marked = parts[1].split(separator: " {{", maxSplits: 1)
        return Row(
            place: place, said: String(marked[0]),
            difference: marked.count == 2 ? String(marked[1].dropLast(2)) : nil)
    }

    /// A whole configuration with the statement from line 4 on.
    static func configuration(_ row: Row, preamble: String, pid: String, endpoint: Endpoint) -> String {
        func said(_ place: Place) -> String { place == row.place ? "\n\(row.said)\n" : "" }
        return "\(preamble.replacing("\n", with: " ")) error_log stderr; pid \(pid);\n\n\(said(.main)) "
            + "events {\(said(.events))} mail { auth_http 127.0.0.1:9; \(said(.mail)) "
            + "server { listen \(endpoint); protocol imap; \(said(.server)) } }\n"
    }

    private static let table = #"""
        main: unknown_thing x;
        main: timeout 1s;
        main: worker_processes 2;
        main: worker_processes x;
        main: worker_processes 1; worker_processes 2;
        main: worker_processes;
        main: worker_processes 1 2;
        main: worker_rlimit_nofile x;
        main: worker_rlimit_nofile -1;
        main: worker_rlimit_core 1g;
        main: worker_rlimit_core x;
        main: worker_priority x;
        main: worker_cpu_affinity 2;
        main: worker_shutdown_timeout 1M;
        main: worker_shutdown_timeout 1s 2s;
        main: worker_shutdown_timeout 1h30m;
        main: worker_shutdown_timeout 30m1h;
        main: daemon maybe;
        main: daemon ON;
        main: master_process 1;
        main: env A=b; env PATH;
        main: timer_resolution 1x;
        main: debug_points x;
        main: thread_pool a threads=1;
        main: thread_pool a threads=x;
        main: thread_pool a threads=0;
        main: thread_pool a max_queue=2;
        main: thread_pool a threads=1 max_queue=x;
        main: thread_pool a threads=1 what=2;
        main: thread_pool a threads=1; thread_pool a threads=2; {{thread-pool}}
        main: pcre_jit x;
        main: include gone.conf;
        main: include gone*.conf;
        main: error_log stderr loud;
        main: error_log stderr warn warn;
        main: error_log stderr debug_mail warn;
        main: error_log syslog:server=127.0.0.1,nohostname info;
        main: error_log syslog:;
        main: error_log syslog:tag=a;
        main: error_log syslog:server=;
        main: error_log syslog:server=::1;
        main: error_log syslog:server=127.0.0.1:0;
        main: error_log syslog:server=127.0.0.1/x;
        main: error_log syslog:server=unix:;
        main: error_log syslog:server=127.0.0.1,server=127.0.0.2;
        main: error_log syslog:server=127.0.0.1,facility=mail,facility=mail;
        main: error_log syslog:server=127.0.0.1,severity=info,severity=info;
        main: error_log syslog:server=127.0.0.1,tag=a,tag=b;
        main: error_log syslog:facility=x;
        main: error_log syslog:severity=x;
        main: error_log syslog:tag=a-b;
        main: error_log syslog:tag=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;
        main: error_log syslog:nohostname=1;
        main: error_log syslog:x;
        main: events { } events { }
        main: mail;
        main: mail x { }
        main: }
        main: ;
        main: "a
        main: pid "a"b;
        main: user a b c;
        events: worker_connections x;
        events: worker_connections 1; worker_connections 2;
        events: worker_connections;
        events: use kqueue;
        events: use epoll;
        events: multi_accept x;
        events: accept_mutex_delay 1x;
        events: accept_mutex_delay 5;
        events: listen 143;
        mail: server { }
        mail: server { listen 127.0.0.1:1; }
        mail: server { listen 127.0.0.1:1; protocol x; }
        mail: listen 143;
        mail: protocol imap;
        mail: server_name a; server_name b;
        mail: server_name a b;
        mail: timeout 1x;
        mail: timeout 1h 30m;
        mail: timeout "1h 30m";
        mail: timeout 1M;
        mail: timeout -1;
        mail: timeout 1ms;
        mail: max_errors x;
        mail: max_errors 0;
        mail: max_errors -1;
        mail: resolver 127.0.0.1 ipv6=off;
        mail: resolver off;
        mail: resolver 127.0.0.1 x=1;
        mail: resolver valid=5s;
        mail: resolver 127.0.0.1 valid=x;
        mail: resolver 127.0.0.1 ipv6=maybe;
        mail: resolver_timeout 1x;
        mail: imap_client_buffer 8k;
        mail: imap_client_buffer 8g;
        mail: imap_client_buffer k;
        mail: imap_client_buffer 8k; imap_client_buffer 8k;
        mail: imap_capabilities;
        mail: imap_auth plain PLAIN;
        mail: imap_auth apop;
        mail: imap_auth;
        mail: pop3_auth apop cram-md5;
        mail: pop3_auth login;
        mail: pop3_auth none;
        mail: smtp_auth none;
        mail: smtp_auth apop;
        mail: smtp_greeting_delay 1x;
        mail: smtp_client_buffer x;
        mail: auth_http_timeout 1x;
        mail: auth_http_timeout 1; auth_http_timeout 1;
        mail: auth_http_header a;
        mail: auth_http_header a b c;
        mail: auth_http 127.0.0.1:x;
        mail: auth_http 127.0.0.1:0;
        mail: auth_http 127.0.0.1:65536/a;
        mail: auth_http http://127.0.0.1/a;
        mail: auth_http unix:;
        mail: auth_http unix:/run/a:/b;
        mail: auth_http :80;
        mail: auth_http_pass_client_cert x;
        mail: proxy_buffer x;
        mail: proxy_timeout 1y;
        mail: proxy_timeout 1w;
        mail: proxy_pass_error_message x;
        mail: proxy_smtp_auth 1;
        mail: proxy on;
        mail: proxy x;
        mail: xclient x;
        mail: set_real_ip_from 127.0.0.0/8;
        mail: set_real_ip_from x.invalid;
        mail: set_real_ip_from 127.0.0.1/33;
        mail: set_real_ip_from unix:;
        mail: starttls x;
        mail: starttls on;
        mail: ssl_session_cache x;
        mail: ssl_session_cache shared:a;
        mail: ssl_session_cache shared:a:1;
        mail: ssl_session_cache builtin:x;
        mail: ssl_session_cache off;
        mail: ssl_session_timeout 1ms;
        mail: ssl_protocols TLSv9;
        mail: ssl_protocols TLSv1.2 tlsv1.2;
        mail: ssl_verify_client x;
        mail: ssl_verify_depth x;
        mail: ssl_prefer_server_ciphers x;
        server: listen;
        server: listen 127.0.0.1:0;
        server: listen 127.0.0.1:65536;
        server: listen 127.0.0.1:20-10;
        server: listen 127.0.0.1:x;
        server: listen [::1;
        server: listen [zz]:1;
        server: listen unix:;
        server: listen 127.0.0.1/x;
        server: listen x.invalid:1;
        server: listen 127.0.0.1:1 what; {{listen-parameter}}
        server: listen 127.0.0.1:1 backlog=0;
        server: listen 127.0.0.1:1 backlog=x;
        server: listen 127.0.0.1:1 rcvbuf=x;
        server: listen 127.0.0.1:1 sndbuf=x;
        server: listen 127.0.0.1:1 ipv6only=on;
        server: listen [::1]:1 ipv6only=of;
        server: listen 127.0.0.1:1 so_keepalive=x;
        server: listen 127.0.0.1:1 so_keepalive=::;
        server: listen 127.0.0.1:1 default_server; {{listen-parameter}}
        server: listen 127.0.0.1:1; listen 127.0.0.1:1;
        server: listen 127.0.0.1:1 ssl;
        server: protocol x;
        server: protocol pop3; protocol imap;
        server: starttls on;
        server: starttls only; starttls only;
        server: auth_http_header "X: 1" 2; {{header-name}}
        server: imap_capabilities "A B" C;
        server: server { }
        server: include x;
        server: timeout 5 {
        """#
}
