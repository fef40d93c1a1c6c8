import AsyncIO
import Testing

@testable import MailSessions

/// Placeholders of `auth_mysql_query` are found where SQL takes a value, and nowhere else (checklist C4).
@Suite struct MySQLQueryTests {
    @Test(arguments: [
        ("a = ?", "a = ?", "login"), ("a = :login", "a = ?", "login"),
        ("a=:local_part AND b=:domain", "a=? AND b=?", "local_part domain"),
        (":protocol:client_ip", "??", "protocol client_ip"),
        ("a = ':login' AND b = ?", "a = ':login' AND b = ?", "login"),
        ("a = 'it''s :x' AND b = ?", "a = 'it''s :x' AND b = ?", "login"),
        ("a = 'it\\'s :x' AND b = ?", "a = 'it\\'s :x' AND b = ?", "login"),
        ("a = \":x ?\" AND `b:x\\` = ?", "a = \":x ?\" AND `b:x\\` = ?", "login"),
        ("? -- :x ?\n AND b = :domain", "? -- :x ?\n AND b = ?", "login domain"),
        ("a --:login", "a --?", "login"), ("? # :x", "? # :x", "login"),
        ("? /* :x '* */ ?", "? /* :x '* */ ?", "login login"),
        ("@a := ? + 4 / 2", "@a := ? + 4 / 2", "login"), ("a::b ?", "a::b ?", "login"), ("? :1", "? :1", "login"),
    ])
    func placeholders(query: String, text: String, parameters: String) throws {
        let query = try MySQLQuery(query)
        #expect(query.text == text)
        #expect(query.parameters.map(\.rawValue).joined(separator: " ") == parameters)
    }

    @Test(arguments: [
        ("a = :user", MySQLQuery.Failure.unknownPlaceholder("user")), ("a = 1", .noPlaceholder), ("", .noPlaceholder),
        ("a = '?", .unterminated), ("a = '?\\'", .unterminated), ("? /* ", .unterminated), ("? `a", .unterminated),
        (String(repeating: "?", count: 33), .tooManyPlaceholders),
    ])
    func refused(query: String, failure: MySQLQuery.Failure) {
        #expect(throws: failure) { try MySQLQuery(query) }
    }

    @Test func `as many placeholders as may be`() throws {
        #expect(try MySQLQuery(String(repeating: "?", count: 32)).parameters.count == 32)
    }

    @Test(arguments: [
        ("ann@example.org", "ann@example.org|ann|example.org"), ("ann", "ann|ann|"), ("a@b@c", "a@b@c|a@b|c"),
        ("@", "@||"), ("", "||"), ("' OR 1=1 -- @x", "' OR 1=1 -- @x|' OR 1=1 -- |x"),
    ])
    func `values are what the client sent, untouched`(login: String, values: String) throws {
        let query = try MySQLQuery("? :local_part :domain :protocol :client_ip")
        let client = ClientFacts(
            address: .ipv6(.loopback, port: 9), localAddress: .ipv6(.loopback, port: 143))
        let bound = query.values(for: Array(login.utf8), of: client, .pop3)
        #expect(bound.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "|") == values + "|pop3|::1")
    }
}
