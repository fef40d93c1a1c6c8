import Testing

@Suite(.endToEnd) struct HappyPathTests {
    @Test func rawLogins() throws {
        try Site.run { site in
            try site.expectHealthy(.imap)
            try site.expectHealthy(.pop3)
        }
    }
}
