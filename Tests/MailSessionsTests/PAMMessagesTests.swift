import AsyncIO
import Testing

@testable import MailSessions

/// What workers and the PAM helper say to each other; neither believes the other's bytes.
@Suite struct PAMMessagesTests {
    private static let service = PAMService("mail", in: "/etc/gw/pam.d")

    private func question(
        _ user: String, _ password: String = "secret", from address: String = "192.0.2.1",
        service: PAMService = service
    ) -> PAMQuestion? {
        PAMQuestion(
            service, user: Array(user.utf8), address: Array(address.utf8), password: Secret(Array(password.utf8)))
    }

    @Test(arguments: [service, PAMService("imap")], ["192.0.2.1", "2001:db8::1", ""])
    func `a question arrives as it was asked`(service: PAMService, address: String) throws {
        let asked = try #require(question("ann+x@example.test", "p ä\u{1}", from: address, service: service))
        let arrived = try #require(PAMQuestion(decoding: asked.encoded))
        #expect(arrived.service == service)
        #expect(arrived.user == asked.user)
        #expect(arrived.address == Array(address.utf8))
        #expect(arrived.password.equals(asked.password.bytes))
    }

    @Test(arguments: [
        ("", "empty"), ("ann\0", "what is behind a NUL would not be looked at"), ("ann\nbob", "two lines"),
        ("ann\r", "a control character"), ("ann\u{7F}", "another"),
        ("../ann", "a path: faillock and others keep files"),
        ("/etc/shadow", "a path"), ("ann/x", "a path"), (".", "a directory"), ("-n", "an option of a helper program"),
    ])
    func `names that a module could take for something else reach none (injection)`(name: String, reason: String) {
        #expect(question(name) == nil, "\(reason)")
    }

    @Test(arguments: ["a", "ann", "..", "ann.b", "ünï", "ann@example.test", "a b", "$(id)", "';--", "%n"])
    func `other names are modules' business`(name: String) {
        #expect(question(name) != nil)
    }

    @Test func `a user has at most 320 bytes, a password 511 and neither NUL nor nothing`() {
        func text(_ count: Int) -> String { String(repeating: "x", count: count) }
        #expect(question(text(PAMQuestion.userMaximum)) != nil)
        #expect(question(text(PAMQuestion.userMaximum + 1)) == nil)
        #expect(question("ann", text(PAMQuestion.passwordMaximum)) != nil)
        #expect(question("ann", text(PAMQuestion.passwordMaximum + 1)) == nil)
        #expect(question("ann", "") == nil)
        #expect(question("ann", "a\0b") == nil)
        #expect(question("ann", from: text(64)) != nil)
        #expect(question("ann", from: text(65)) == nil)
        #expect(question("ann", from: "192.0.2.1 x") == nil)
    }

    @Test func `the largest question has exactly the room said, and one byte more is none`() throws {
        func text(_ count: Int) -> String { String(repeating: "x", count: count) }
        let largest = try #require(
            question(text(320), text(511), from: text(64), service: PAMService(text(255), in: text(255))))
        #expect(largest.encoded.count == PAMQuestion.bytesMaximum)
        #expect(PAMQuestion(decoding: largest.encoded) != nil)
        #expect(PAMQuestion(decoding: largest.encoded + [0]) == nil)
    }

    @Test func `a question that is cut, or altered, is none or another; it never traps`() throws {
        let whole = try #require(question("ann")).encoded
        for length in 0..<whole.count { #expect(PAMQuestion(decoding: Array(whole.prefix(length))) == nil) }
        for index in whole.indices {
            for byte in [0, 1, 0x7F, 0xFF] as [UInt8] {
                var altered = whole
                altered[index] = byte
                guard let read = PAMQuestion(decoding: altered) else { continue }
                #expect(!read.user.contains(0) && !read.password.isEmpty)
            }
        }
    }

    @Test(arguments: [
        PAMAnswer.accepted, .refused, .unknown, .overloaded, .rejected, .failed(code: 0), .failed(code: 9),
        .failed(code: 255),
    ])
    func `an answer arrives as it was given`(answer: PAMAnswer) {
        #expect(PAMAnswer(decoding: answer.encoded) == answer)
    }

    @Test(arguments: [[], [1], [1, 0, 0], [6, 0], [255, 0], [1, 1]] as [[UInt8]])
    func `anything else is no answer, least of all a yes`(bytes: [UInt8]) {
        #expect(PAMAnswer(decoding: bytes) == nil)
    }

    @Test func `the list of services, empty and full`() {
        let text = String(repeating: "x", count: PAMService.textMaximum - 2)
        let full = (0..<PAMService.countMaximum).map { PAMService("\(10 + $0)\(text)", in: "/\(text)x") }
        for services in [[], [Self.service, PAMService("imap")], full] {
            #expect(PAMServiceList.decode(PAMServiceList.encoded(services)) == Set(services))
            #expect(!PAMServiceList.encoded(services).isEmpty)
        }
        #expect(PAMServiceList.encoded(full).count == PAMServiceList.bytesMaximum)
        let list = PAMServiceList.encoded([Self.service])
        for length in [0, 1, 3, 4, list.count - 1] { #expect(PAMServiceList.decode(Array(list.prefix(length))) == nil) }
    }
}
