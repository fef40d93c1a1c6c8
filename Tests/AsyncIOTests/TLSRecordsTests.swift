import COpenSSL
import TestSupport
import Testing

@testable import AsyncIO

/// Records of TLS 1.3 behind the handshake, without OpenSSL's object: what they carry, and what they refuse.
@Suite struct TLSRecordsTests {
    // MARK: The trace of RFC 8448 §3

    @Test("keys and records are those of RFC 8448")
    func trace() throws {
        let client = TLSTrafficKeys.of(Secret(TLSRecordsTests.clientSecret))
        let clientKey = client.key.prefix(16)
        #expect(clientKey == hex("17422dda596ed5d9acd890e3c63f5051"))
        let server = TLSTrafficKeys.of(Secret(TLSRecordsTests.serverSecret))
        let serverKey = server.key.prefix(16)
        #expect(serverKey == hex("9f02283b6c9c07efc26bb9f2ac92e356"))
        let records = TLSRecords(receiving: client, sending: server, isServer: true)
        #expect(try records.hear(TLSRecordsTests.clientRecord).text == (0..<50).map { UInt8($0) })
        #expect(try records.hear(TLSRecordsTests.clientFarewell).isEnd)
    }

    private static let clientSecret = hex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5")
    private static let serverSecret = hex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643")
    private static let clientRecord = hex(
        """
        1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f5a62
        92a2977014bd1e3deae63aeebb21694915e4
        """)
    private static let clientFarewell = hex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3")

    // MARK: What passes

    @Test(
        "everything arrives, however it is cut, and with each cipher", arguments: TLSSuite.allCases, [1, 6, 1000, .max])
    func everyCut(_ suite: TLSSuite, _ cut: Int) throws {
        let (near, far) = TLSRecords.pair(suite)
        var random = SeededRandom(seed: 1)
        for count in [0, 1, 2, 5, 16 << 10, (16 << 10) + 1, 100_000, 3] {
            let text = random.bytes(count)
            var wire = near.say(text)
            #expect(wire.count == count + 22 * ((count + (16 << 10) - 1) / (16 << 10)))
            var heard: [UInt8] = []
            while !wire.isEmpty {
                let part = Array(wire.prefix(cut))
                wire.removeFirst(part.count)
                heard += try far.hear(part).text
            }
            #expect(heard == text)
        }
        #expect(try far.hear(near.farewell()).isEnd)
        #expect(near.farewell().isEmpty)
    }

    @Test("connections that take turns do not get each other's keys")
    func turns() throws {
        let pairs = (0..<5).map { _ in TLSRecords.pair(.aes128GCM) }
        for turn in 0..<20 {
            let (near, far) = pairs[turn * 7 % 5]
            let text = Array("turn \(turn)".utf8)
            #expect(try far.hear(near.say(text)).text == text)
            #expect(try near.hear(far.say(text)).text == text)
        }
    }

    @Test("padding is taken off, up to the longest record")
    func padding() throws {
        let (near, peer) = TLSRecords.forged()
        #expect(try near.hear(peer.record(Array("padded".utf8) + [23, 0, 0, 0])).text == Array("padded".utf8))
        let longest = [1] + [UInt8](repeating: 0, count: (16 << 10) - 1) + [23]
        #expect(try near.hear(peer.record(longest)).text.count == 16 << 10)
        #expect(throws: TLSRecordError.refused(.recordOverflow)) { try near.hear(peer.record(longest + [0])) }
    }

    // MARK: New keys

    @Test("whoever asks for new keys often while we are silent gets one answer, in front of what we say next")
    func answers() throws {
        let (near, peer) = TLSRecords.forged()
        for _ in 1...3 {
            #expect(try near.hear(peer.record([24, 0, 0, 1, 1, 22])).text.isEmpty)
            peer.update()
        }
        #expect(try near.hear(peer.record([7, 23])).text == [7])
        // 5 bytes, and what each record has besides.
        #expect(near.say([1]).count == 5 + 22 + 1 + 22)
        #expect(near.say([1]).count == 1 + 22)
    }

    @Test("both sides go on with new keys, before one has protected too much (RFC 8446 §5.5)")
    func interval() throws {
        let count = TLSRecords.updateInterval - 1
        let (near, far) = TLSRecords.pair(.aes256GCM, count: count)
        for text in ["one", "two", "three"] {
            #expect(try far.hear(near.say(Array(text.utf8))).text == Array(text.utf8))
        }
        // The second was the first with the new ones.
        #expect(near.say([]).isEmpty && near.say([1]).count == 23)
    }

    @Test("a request in pieces is understood; nothing may stand between them or behind it in its record")
    func pieces() throws {
        var (near, peer) = TLSRecords.forged()
        for part: [UInt8] in [[24, 0], [0, 1], [0]] { #expect(try near.hear(peer.record(part + [22])).text.isEmpty) }
        peer.update()
        #expect(try near.hear(peer.record([9, 23])).text == [9])
        for (second, type) in [([9], 23), ([0, 0], 21), ([], 22)] as [([UInt8], UInt8)] {
            (near, peer) = TLSRecords.forged()
            _ = try near.hear(peer.record([24, 0, 22]))
            #expect(throws: TLSRecordError.refused(.unexpectedMessage)) { try near.hear(peer.record(second + [type])) }
        }
    }

    @Test(
        "a client passes over tickets, in whatever pieces they come, and takes new keys",
        arguments: [[], [1, 2, 3, 4, 5], [3004, 3007], [2000, 3005, 3014]])
    func tickets(_ cuts: [Int]) throws {
        let (near, peer) = TLSRecords.forged(isServer: false)
        let messages = [4, 0, 11, 184] + [UInt8](repeating: 24, count: 3000) + [4, 0, 0, 1, 0, 4, 0, 0, 2, 1, 1]
        for (start, end) in zip([0] + cuts, cuts + [messages.count]) {
            #expect(try near.hear(peer.record(messages[start..<end] + [22])).text.isEmpty)
        }
        #expect(try near.hear(peer.record([7, 23])).text == [7])
        #expect(try near.hear(peer.record([24, 0, 0, 1, 1, 22])).text.isEmpty)
        peer.update()
        #expect(try near.hear(peer.record([8, 23])).text == [8])
        #expect(throws: TLSRecordError.refused(.decodeError)) { try near.hear(peer.record([4, 0, 0, 0, 22])) }
    }

    // MARK: What is refused

    @Test(
        "what a client must not say",
        arguments: [
            ([], .badRecordMAC), ([0, 0, 0], .unexpectedMessage), ([1, 20], .unexpectedMessage),
            ([22], .unexpectedMessage), ([1, 0, 0, 0, 22], .unexpectedMessage),
            ([24, 0, 0, 1, 0, 24, 22], .unexpectedMessage), ([24, 0, 0, 2, 0, 22], .decodeError),
            ([24, 0, 0, 1, 2, 22], .illegalParameter), ([1, 21], .decodeError), ([1, 0, 0, 21], .decodeError),
            ([9, 24], .unexpectedMessage),
        ] as [([UInt8], TLSAlert)])
    func refusals(_ inner: [UInt8], _ alert: TLSAlert) throws {
        let (near, peer) = TLSRecords.forged()
        #expect(throws: TLSRecordError.refused(alert)) { try near.hear(peer.record(inner)) }
    }

    @Test("what is no record of a protected connection, at its first byte where that says so")
    func noRecords() throws {
        for (bytes, alert) in [
            ([21], .unexpectedMessage), ([22], .unexpectedMessage), (Array("GET".utf8), .unexpectedMessage),
            ([20, 3, 3, 0, 1, 1], .unexpectedMessage), ([23, 3, 3, 65, 1], .recordOverflow),
            ([23, 3, 3, 0, 0], .badRecordMAC), ([23, 3, 3, 0, 16] + [UInt8](repeating: 0, count: 16), .badRecordMAC),
        ] as [([UInt8], TLSAlert)] {
            #expect(throws: TLSRecordError.refused(alert)) { try TLSRecords.pair(.aes128GCM).near.hear(bytes) }
        }
    }

    @Test("alerts end the connection, but for the one that says that the end follows")
    func alerts() throws {
        let (near, peer) = TLSRecords.forged()
        #expect(try !near.hear(peer.record([1, 90, 21])).isEnd)
        #expect(throws: TLSRecordError.told(.internalError)) { try near.hear(peer.record([2, 80, 21])) }
        #expect(TLSFailure(.told(.internalError)).text == "SSL_read() failed (SSL alert number 80: internal error)")
    }

    @Test("what follows the peer's end of the stream is ignored")
    func behindTheEnd() throws {
        let (near, peer) = TLSRecords.forged()
        let heard = try near.hear(peer.record([5, 23]) + peer.record([1, 0, 21]) + peer.record([6, 23]) + [1, 2, 3])
        #expect(heard.isEnd && heard.text == [5])
    }

    @Test(
        "a record that carries nothing may come 32 times in a row",
        arguments: [[23], [24, 0, 0, 1, 0, 22]] as [[UInt8]])
    func nothing(_ inner: [UInt8]) throws {
        let (near, peer) = TLSRecords.forged()
        func say() throws {
            _ = try near.hear(peer.record(inner))
            if inner.count > 1 { peer.update() }
        }
        for _ in 1...32 { try say() }
        #expect(try near.hear(peer.record([1, 23])).text == [1])
        for _ in 1...32 { try say() }
        #expect(throws: TLSRecordError.refused(.unexpectedMessage)) { try say() }
    }

    @Test("no byte of a record can be changed, and none comes out of it")
    func tampering() throws {
        for index in 0..<(5 + 3 + 17) {
            let (near, far) = TLSRecords.pair(.chaCha20Poly1305)
            var wire = near.say([1, 2, 3])
            // The version is protected like everything else.
            wire[index] ^= 0x20
            let isLonger = index == 3 || index == 4
            if isLonger { wire += [UInt8](repeating: 0, count: 1 << 14) }
            var heard: [UInt8] = []
            #expect(throws: TLSRecordError.self) { heard = try far.hear(wire).text }
            #expect(heard.isEmpty)
        }
    }

    @Test("records cannot be repeated, left out or come back")
    func order() throws {
        for order in [[0, 0], [1], [0, 2]] {
            let (near, far) = TLSRecords.pair(.aes128GCM)
            let wire = (0..<3).map { near.say([UInt8($0)]) }
            for index in order.dropLast() { #expect(try far.hear(wire[index]).text == [UInt8(index)]) }
            #expect(throws: TLSRecordError.refused(.badRecordMAC)) { try far.hear(wire[order[order.count - 1]]) }
            #expect(throws: TLSRecordError.refused(.badRecordMAC)) { try near.hear(wire[0]) }
        }
    }
}
