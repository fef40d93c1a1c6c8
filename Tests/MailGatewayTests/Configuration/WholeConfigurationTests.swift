import AsyncIO
import MailSessions
import Testing

@testable import MailGateway

/// Configurations as administrators write them.
@Suite struct WholeConfigurationTests {
    /// After nginx's own example of a mail proxy, as Debian's packages carry it in comments, without TLS.
    private static let manual = """
        user  www-data;
        worker_processes  auto;
        pid /run/nginx.pid;
        error_log /var/log/nginx/error.log;
        include /etc/nginx/modules-enabled/*.conf;
        load_module /usr/lib/nginx/modules/ngx_mail_module.so;

        events {
            worker_connections  768;
            # multi_accept on;
            use epoll;
        }

        http {
            server { listen 80; location ~ \\.php$ { return 200 "a;b{c}"; } }
            map $http_upgrade $connection { default upgrade; '' close; }
        }

        mail {
            # See sample authentication script at:
            # http://wiki.nginx.org/ImapAuthenticateWithApachePhpScript

            server_name       mail.example.com;
            auth_http         localhost.example:9000/cgi-bin/nginxauth.cgi;
            auth_http_header  X-Auth-Key "secret_string";
            proxy_pass_error_message on;

            imap_capabilities IMAP4rev1 UIDPLUS IDLE LITERAL+ QUOTA;
            pop3_auth         plain apop cram-md5;
            pop3_capabilities LAST TOP USER PIPELINING UIDL;
            smtp_auth         login plain cram-md5;
            smtp_capabilities "SIZE 10485760" ENHANCEDSTATUSCODES 8BITMIME DSN;
            xclient           off;

            server {
                listen     25;
                protocol   smtp;
                timeout    5s;
                proxy      on;
                smtp_greeting_delay 1s;
            }
            server {
                listen    110;
                listen    [::]:110 ipv6only=on;
                protocol  pop3;
                proxy_pass_error_message off;
            }
            server {
                listen    143 backlog=1024 so_keepalive=30m::10;
                protocol  imap;
                proxy_timeout 1h;
                error_log /var/log/nginx/imap.log info;
            }
        }
        """

    private static let minimal = """
        events {}
        mail {
          server { listen 127.0.0.1:1143; protocol imap;
            auth_file "data:ann:{PLAIN}secret
        bob:{PLAIN}word"; proxy_pass 127.0.0.1:143; }
        }
        """

    private func load(_ text: String) throws -> Configuration {
        try Configuration.load(
            path: "/etc/gw/main.conf", source: MemorySource(["/etc/gw/main.conf": Array(text.utf8)]),
            resolver: HostResolver { _ in [.ipv4(.loopback, port: 0)] }, hostName: "Box")
    }

    @Test func `nginx's example`() throws {
        let configuration = try load(Self.manual)
        #expect(configuration.servers.map(\.settings.mailProtocol) == [.smtp, .pop3, .imap])
        #expect(configuration.servers.map(\.settings.proxy.passesErrorMessage) == [true, false, true])
        #expect(configuration.servers[0].settings.capabilities.first == "SIZE 10485760")
        #expect(configuration.servers[1].settings.mechanisms == [.plain, .apop, .cramMD5])
        #expect(configuration.servers[2].settings.name == "mail.example.com")
        #expect(configuration.servers.map(\.position) == [35, 42, 48].map { .file("/etc/gw/main.conf", line: $0) })
        #expect(
            configuration.notices.map { "\($0.level.rawValue): \($0)" } == [
                "notice: \"load_module\" has no effect: everything is part of the program in /etc/gw/main.conf:6",
                "notice: \"http\" block is skipped in /etc/gw/main.conf:14",
                "notice: \"proxy\" has no effect: a mail server is always a proxy, as in nginx in /etc/gw/main.conf:39",
            ])
    }

    @Test func `line ends with CR`() throws {
        let text = Self.manual.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n")
        #expect(try load(text).servers.map(\.position) == (try load(Self.manual)).servers.map(\.position))
    }

    @Test func `a small one with accounts`() throws {
        let server = try #require(try load(Self.minimal).servers.first)
        guard case .accounts(let accounts) = server.settings.authenticators.first else {
            Issue.record("the accounts decide")
            return
        }
        #expect(accounts.count == 2)
        #expect(server.settings.name == "box")
        #expect(server.settings.backEnd == .address(.ipv4(.loopback, port: 143)))
    }

    @Test func `directives without meaning are noticed once each`() throws {
        let configuration = try ConfigurationFixture.load(
            """
            thread_pool a threads=1; thread_pool b threads=2 max_queue=3; pcre_jit on; lock_file x; timer_resolution 1s;
            debug_points stop; load_module a; load_module b; ssl_engine e;
            worker_rlimit_core 1g; ssl_object_cache_inheritable off;
            events { multi_accept on; accept_mutex off; accept_mutex_delay 1s; debug_connection ::1; }
            stream { } http { }
            mail { proxy on; auth_http 192.0.2.1; server { listen 143; proxy on; } server { listen 110; proxy off; } }
            """)
        #expect(configuration.notices.count == 16)
        #expect(configuration.notices.allSatisfy { $0.level == .notice })
        #expect(Set(configuration.notices.map(\.text)).count == 16)
    }

    @Test func `what asks for nothing is accepted in silence`() throws {
        let configuration = try ConfigurationFixture.load(
            "daemon off; events { } mail { starttls off; ssl off; resolver off; ssl_session_cache none; ssl_verify_client off; }"
        )
        #expect(configuration.notices.isEmpty)
    }

    @Test func `ten thousand servers`() throws {
        let count = 10_000
        let servers = (0..<count).map { index in
            "server { listen 10.0.\(index / 250).\(index % 250):143; server_name s\(index); imap_capabilities A B C; "
                + "proxy_pass 192.0.2.1:143; timeout 30s; }\n"
        }
        let configuration = try ConfigurationFixture.load(
            "events { worker_connections 10001; } mail { auth_http 192.0.2.1;\n\(servers.joined())}")
        #expect(configuration.servers.count == count)
        #expect(configuration.servers[count - 1].settings.name == "s9999")
        #expect(configuration.servers[count - 1].position == .file("/etc/gw/main.conf", line: count + 1))
        #expect(configuration.sockets.count == count)
    }
}
