import MailSessions
import Testing

@testable import MailGateway

/// `error_texts`, `ssl_client_identity`, `proxy_pass_token` and the master user.
@Suite struct LoginDirectivesTests {
    private static let accounts = "auth_file \"data:ann:{PLAIN}x\"; proxy_pass 192.0.2.1:1;"

    @Test(arguments: [
        ("auth_http 192.0.2.9;", "", ErrorTexts.nginx), ("auth_http 192.0.2.9; auth_http 192.0.2.8;", "", .nginx),
        (accounts, "", .rfc), ("auth_http 192.0.2.9; \(accounts)", "", .rfc), (accounts, "error_texts nginx;", .nginx),
        ("auth_http 192.0.2.9;", "error_texts rfc;", .rfc),
    ])
    func `the words are nginx's where its own authenticator alone decides`(
        _ authenticators: String, _ directive: String, _ texts: ErrorTexts
    ) throws {
        #expect(try ConfigurationFixture.server(directive, auth: authenticators).settings.errorTexts == texts)
    }

    private func master(_ content: String) throws -> MasterUser? {
        let text = """
            events { } mail { proxy_master_user root; proxy_master_password_file x;
            server { listen 143; auth_http 192.0.2.9; } }
            """
        let configuration = try ConfigurationFixture.load(text, files: ["x": content])
        #expect(configuration.origin.texts.filter { $0.kind == .accounts }.map(\.path) == ["/etc/gw/x"])
        return configuration.servers.first?.settings.proxy.master
    }

    @Test(arguments: ["key", "key\n", "key\r\n"])
    func `the password is the file's only line`(_ content: String) throws {
        let master = try #require(try master(content))
        #expect(master.name == Array("root".utf8) && master.password.equals(Array("key".utf8)))
        #expect(!"\(master)".contains("key"))
    }

    @Test(arguments: ["", "\n", "one\ntwo\n", "a\0b", String(repeating: "x", count: 4096)])
    func `a file without a password is refused, with its line`(_ content: String) {
        let text =
            "events { } mail {\nproxy_master_user root;\nproxy_master_password_file x;\nserver { listen 143; auth_http 192.0.2.9; } }"
        #expect(
            ConfigurationFixture.message(text, files: ["x": content])
                == "no password in \"/etc/gw/x\" in \(ConfigurationFixture.path):3")
    }

    @Test func `the longest password`() throws {
        #expect(try master(String(repeating: "x", count: 4095))?.password.count == 4095)
    }

    @Test func `a master user needs a password, which is read where it stands`() throws {
        #expect(
            ConfigurationFixture.message(
                "events { } mail {\nproxy_master_user root;\nserver { listen 143; auth_http 192.0.2.9; } }")
                == "no \"proxy_master_password_file\" is defined for the \"proxy_master_user\" directive in "
                + "\(ConfigurationFixture.path):2")
        #expect(try ConfigurationFixture.server("").settings.proxy.master == nil)
        let server = try ConfigurationFixture.server(
            "proxy_master_user root;", mail: "proxy_master_password_file master.password;")
        #expect(server.settings.proxy.master?.password.equals(Array("all powerful".utf8)) == true)
    }
}
