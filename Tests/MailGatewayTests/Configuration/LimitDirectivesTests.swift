import MailSessions
import Testing

@testable import MailGateway

/// `limit_conn`, `limit_login` and their zones, and what does not go together.
@Suite("Limits in configurations") struct LimitDirectivesTests {
    private static let zones = """
        limit_conn_zone $remote_addr zone=a:1m; limit_conn_zone "$remote_addr$auth_user" zone=b:1m;
        limit_login_zone $auth_user zone=c:1m;
        """

    @Test("a limit has its zone's key, wherever that is declared")
    func keys() throws {
        let server = try ConfigurationFixture.server(
            "limit_conn a 10; limit_conn b 2; limit_login zone=c burst=3 delay=2s window=1h;", mail: Self.zones)
        var expected = LimitSettings()
        expected.connections = [
            ConnectionLimit(zone: "a", key: .address, maximum: 10),
            ConnectionLimit(zone: "b", key: .addressAndUser, maximum: 2),
        ]
        var login = LoginLimit(zone: "c", key: .user)
        (login.burst, login.delay, login.window) = (3, .seconds(2), .seconds(3600))
        expected.logins = [login]
        #expect(server.settings.limits == expected)
        let later = try ConfigurationFixture.load(
            "events { } mail { server { listen 143; auth_http 192.0.2.9; limit_conn a 1; } \(Self.zones) }")
        #expect(later.servers[0].settings.limits.connections == [ConnectionLimit(zone: "a", key: .address, maximum: 1)])
        #expect(later.zones.map(\.name) == ["a", "b", "c"])
    }

    @Test("a server's limits replace mail's, those of each kind for themselves")
    func inheritance() throws {
        let mail = Self.zones + "limit_conn a 10; limit_login zone=c; limit_conn_dry_run on; limit_conn_log_level info;"
        let inherited = try ConfigurationFixture.server("", mail: mail)
        #expect(inherited.settings.limits.connections.map(\.maximum) == [10] && inherited.settings.limits.isDryRun)
        #expect(inherited.settings.limits.logins == [LoginLimit(zone: "c", key: .user)])
        #expect(inherited.limitLevel == .info)
        let replaced = try ConfigurationFixture.server("limit_conn b 3; limit_conn_dry_run off;", mail: mail)
        #expect(replaced.settings.limits.connections.map(\.zone) == ["b"] && !replaced.settings.limits.isDryRun)
        #expect(replaced.settings.limits.logins.count == 1)
    }

    @Test("by default there are none, and refusals are errors")
    func defaults() throws {
        let server = try ConfigurationFixture.server("")
        #expect(server.settings.limits == LimitSettings() && server.limitLevel == .error)
        #expect(LoginLimit(zone: "", key: .user).burst == 5)
    }

    private static let at = "in \(ConfigurationFixture.path)"

    @Test(arguments: [
        Mistake("limit_conn a 1;", "zero size shared memory zone \"a\" \(at):2"),
        Mistake("limit_login zone=a;", "zero size shared memory zone \"a\" \(at):2"),
        Mistake(
            "limit_conn_zone $remote_addr zone=a:1m; limit_login zone=a;",
            "the shared memory zone \"a\" is already declared for a different use \(at):2"),
        Mistake(
            "limit_login_zone $remote_addr zone=a:1m; limit_conn a 1;",
            "the shared memory zone \"a\" is already declared for a different use \(at):2"),
        Mistake(
            "limit_conn_zone $remote_addr zone=a:1m; limit_login_zone $remote_addr zone=a:1m;",
            "the shared memory zone \"a\" is already declared for a different use \(at):2"),
        Mistake(
            "limit_conn_zone $remote_addr zone=a:1m; ssl_session_cache shared:a:1m;",
            "the shared memory zone \"a\" is already declared for a different use \(at):2"),
        Mistake(
            "limit_conn_zone $remote_addr zone=a:1m; limit_conn_zone $auth_user zone=a:1m;",
            "limit_conn_zone \"a\" is already bound to key \"$auth_user\" \(at):2"),
        Mistake("limit_conn_zone remote_addr zone=a:1m;", "invalid key \"remote_addr\" \(at):2"),
        Mistake("limit_conn_zone $remote_addr,$auth_user zone=a:1m;", "unknown \"remote_addr,\" variable \(at):2"),
        Mistake("limit_conn_zone $host zone=a:1m;", "unknown \"host\" variable \(at):2"),
        Mistake("limit_conn_zone $remote_addr a:1m;", "invalid parameter \"a:1m\" \(at):2"),
        Mistake("limit_conn_zone $remote_addr zone=:1m;", "invalid zone size \":1m\" \(at):2"),
        Mistake("limit_conn_zone $remote_addr zone=a:1x;", "invalid zone size \"a:1x\" \(at):2"),
        Mistake("limit_conn a 0;", "invalid number of connections \"0\" \(at):2"),
        Mistake("limit_conn a x;", "invalid number of connections \"x\" \(at):2"),
        Mistake("limit_conn a 1; limit_conn a 2;", "\"limit_conn\" directive is duplicate \(at):2"),
        Mistake("limit_login zone=a; limit_login zone=a;", "\"limit_login\" directive is duplicate \(at):2"),
        Mistake("limit_login zone=a burst=0;", "invalid parameter \"burst=0\" \(at):2"),
        Mistake("limit_login zone=a delay=x;", "invalid parameter \"delay=x\" \(at):2"),
        Mistake("limit_login zone=a window=0;", "invalid parameter \"window=0\" \(at):2"),
        Mistake("limit_login zone=;", "invalid parameter \"zone=\" \(at):2"),
    ])
    func refused(_ row: Mistake) {
        let message = ConfigurationFixture.message(
            "events { } mail {\n\(row.text)\nserver { listen 143; auth_http 192.0.2.9; } }")
        #expect(message == row.message)
    }
}
