import MailSessions
import Testing

@testable import MailGateway

/// `auth_pam`, beyond what every row is tested for.
@Suite struct PAMDirectivesTests {
    private func load(_ mail: String) throws -> Configuration {
        try ConfigurationFixture.load(
            "events { } mail { proxy_pass 192.0.2.1:143; \(mail) server { listen 143; } server { listen 110; } }")
    }

    #if PAM
        @Test func `a service is the same for all servers that name it, and has the directory seen from the file`()
            throws
        {
            let services = try load("auth_pam mail; auth_pam imap confdir=pam.d; auth_pam mail;").pamServices
            #expect(services == [PAMService("mail"), PAMService("imap", in: "/etc/gw/pam.d")])
        }

        @Test func `there may be 64 services, and no more`() throws {
            let full = (0..<PAMService.countMaximum).map { "auth_pam s\($0);" }.joined(separator: " ")
            #expect(try load(full).pamServices.count == PAMService.countMaximum)
            let text = "events { } mail { proxy_pass 192.0.2.1:143; \(full) auth_pam more; server { listen 143; } }"
            #expect(ConfigurationFixture.message(text)?.hasPrefix("65 PAM services are too many") == true)
        }

        @Test(arguments: ["", "a/b", "..", ".hidden", "a b", "ä", "a\nb"])
        func `a service is a file's name, and no path`(name: String) {
            let text = "events { } mail { proxy_pass 192.0.2.1:143; auth_pam \"\(name)\"; server { listen 143; } }"
            #expect(ConfigurationFixture.message(text)?.hasPrefix("invalid PAM service") == true)
        }

        @Test func `a name and a directory have at most 255 bytes`() throws {
            let text = String(repeating: "x", count: PAMService.textMaximum)
            #expect(try load("auth_pam \(text) confdir=/\(text.dropFirst());").pamServices.count == 1)
            for said in ["auth_pam \(text)x;", "auth_pam mail confdir=/\(text);", "auth_pam mail dir=/x;"] {
                #expect(throws: ConfigurationError.self) { try load(said) }
            }
        }

        @Test func `without proxy_pass it is refused`() {
            let text = "events { } mail { auth_pam mail; server { listen 143; } }"
            #expect(
                ConfigurationFixture.message(text)?.hasPrefix(
                    "no \"proxy_pass\" is defined for the \"auth_pam\" directive")
                    == true)
        }
    #else
        @Test func `a program without libpam refuses it and says so`() {
            let text = "events { } mail { proxy_pass 192.0.2.1:143; auth_pam mail; server { listen 143; } }"
            #expect(ConfigurationFixture.message(text)?.hasPrefix("\"auth_pam\" is not built in") == true)
        }
    #endif
}
