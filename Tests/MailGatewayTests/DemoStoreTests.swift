import AsyncIO
import Testing

@testable import MailGateway

@Suite struct DemoStoreTests {
    private func deliver(_ count: Int, to store: inout DemoStore) -> Bool {
        let delivery = DemoDelivery(helo: [], login: nil, text: [UInt8](repeating: 65, count: count))
        if case .accepted = store.answer(.deliver(delivery), at: DemoFixture.now) { return true }
        return false
    }

    private func mailbox(of store: DemoStore) -> DemoMailbox? {
        var store = store
        guard case .mailbox(let mailbox) = store.answer(.mailbox, at: DemoFixture.now) else { return nil }
        return mailbox
    }

    @Test(arguments: [
        ("demo", "secret", true), ("demo", "Secret", false), ("Demo", "secret", false), ("demo", "", false),
    ])
    func `only the demo account logs in`(login: String, password: String, isRight: Bool) {
        var store = DemoFixture.store
        let answer = store.answer(
            .logIn(login: Array(login.utf8), password: Secret(Array(password.utf8))), at: DemoFixture.now)
        let isAccepted = if case .accepted = answer { true } else { false }
        #expect(isAccepted == isRight)
    }

    @Test func `begins with a welcome`() throws {
        let message = try #require(mailbox(of: DemoFixture.store)?.messages.first)
        #expect(message.uid == 1)
        #expect(DemoHeaderField.fields(of: message).contains { $0.name == "SUBJECT" })
        #expect(message.headerCount < message.text.count)
    }

    @Test func `holds a thousand messages, and no more`() throws {
        var store = DemoFixture.store
        for _ in 1..<DemoStore.messagesMaximum { #expect(deliver(1, to: &store)) }
        #expect(!deliver(1, to: &store))
        _ = store.answer(.remove(uids: [1]), at: DemoFixture.now)
        #expect(deliver(1, to: &store))
        #expect(mailbox(of: store)?.messages.last?.uid == 1001)
    }

    @Test func `holds 16 MiB, and no more`() throws {
        var store = DemoFixture.store
        for _ in 0..<15 { #expect(deliver(DemoStore.messageBytesMaximum, to: &store)) }
        let free = DemoStore.storeBytesMaximum - (mailbox(of: store)?.messages.reduce(0) { $0 + $1.text.count } ?? 0)
        let header = DemoDelivery(helo: [], login: nil, text: []).received(by: DemoFixture.now).count
        #expect(!deliver(free - header + 1, to: &store))
        #expect(deliver(free - header, to: &store))
        #expect(!deliver(0, to: &store))
    }

    @Test(
        arguments: [
            (0, "Thu, 1 Jan 1970 00:00:00 +0000", "01-Jan-1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000", "29-Feb-2000 00:00:00 +0000"),
            (1_795_414_575, "Mon, 23 Nov 2026 06:16:15 +0000", "23-Nov-2026 06:16:15 +0000"),
            (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 +0000", "28-Feb-2100 23:59:59 +0000"),
            (4_107_542_400, "Mon, 1 Mar 2100 00:00:00 +0000", "01-Mar-2100 00:00:00 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000", "31-Dec-1969 23:59:59 +0000"),
        ] as [(Int64, String, String)])
    func `dates`(seconds: Int64, header: String, internalDate: String) {
        #expect(DemoDate(seconds).headerText == header)
        #expect(DemoDate(seconds).internalText == internalDate)
    }
}
