import AsyncIO

/// Reads the header by which a load balancer says who its client is: the PROXY protocol, version 1
/// (a line) or 2 (binary), whichever comes, in however many pieces.
///
/// ```
///   first byte ─┬─ 0D ──▶ signature ──▶ 4 bytes ──▶ addresses and fields ──▶ over
///               └─ else ─▶ a line of at most 107 bytes ────────────────────▶ over
/// ```
/// A header is demanded, never guessed: who sends none is refused (security-checklist D1). What follows
/// the header stays in `input`; it belongs to the TLS handshake or the protocol.
package struct ProxyProtocolReader: Dialogue {
    package var input = ByteQueue()

    /// The longest header of version 1, CRLF included (§2.1 of the specification).
    package static let textMaximum = 107
    /// The longest header of version 2 in bytes, fields included; nginx's bound, too.
    package static let binaryMaximum = 4096
    /// Signature, version and command, family, length.
    private static let binaryMinimum = 16

    package init() {}

    package mutating func resume(_ answer: Never) {}

    package mutating func next() -> Step<Never, Never, ProxyProtocolOutcome> {
        guard !input.isEmpty else { return .receive }
        do throws(ProxyProtocolFault) {
            let signature = ProxyProtocolHeader.signature
            let outcome = input[0] == signature[0] ? try readBinary() : try readText()
            return outcome.map { .finish($0) } ?? .receive
        } catch {
            return .finish(.refused(error))
        }
    }

    /// What is wrong with a header that the peer stopped in the middle of.
    package var faultAtEnd: ProxyProtocolFault { broken }

    /// The first line of what came, as far as a log may show it.
    private var broken: ProxyProtocolFault {
        // No more than is there in any case when a line is refused for its length: what came with it depends on chance.
        let count = min(input.count, ProxyProtocolReader.textMaximum)
        let end = (0..<count).first { input[$0] == ASCII.cr || input[$0] == ASCII.lf } ?? count
        return .broken(excerpt: FrontEndNote.excerpt(of: input, length: end))
    }

    // MARK: Version 1

    /// `PROXY TCP4 192.0.2.7 198.51.100.1 40000 143`; nil until it is complete.
    private mutating func readText() throws(ProxyProtocolFault) -> ProxyProtocolOutcome? {
        guard let end = input.firstIndex(of: ASCII.lf) else {
            guard input.count < ProxyProtocolReader.textMaximum else { throw broken }
            return nil
        }
        guard end < ProxyProtocolReader.textMaximum, end > 0, input[end - 1] == ASCII.cr else { throw broken }
        let words = input[0..<end - 1].split(separator: ASCII.space, omittingEmptySubsequences: false)
        guard words.count > 1, words[0].elementsEqual("PROXY".utf8) else { throw broken }
        var outcome = ProxyProtocolOutcome.unknown
        if !words[1].elementsEqual("UNKNOWN".utf8) {
            // Which of the two families is said is not compared with the addresses, as in nginx.
            guard words[1].elementsEqual("TCP4".utf8) || words[1].elementsEqual("TCP6".utf8), words.count == 6,
                let source = address(words[2], port: words[4]), let destination = address(words[3], port: words[5])
            else { throw broken }
            outcome = .addresses(.init(source: source, destination: destination))
        }
        input.consume(end + 1)
        return outcome
    }

    private func address(_ host: ArraySlice<UInt8>, port: ArraySlice<UInt8>) -> SocketAddress? {
        let isHost = host.allSatisfy { $0.isHexDigit || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: ":") }
        guard isHost, (1...5).contains(port.count), port.allSatisfy(\.isDigit),
            let number = UInt16(String(decoding: port, as: UTF8.self))
        else { return nil }
        return SocketAddress(literal: String(decoding: host, as: UTF8.self), port: number)
    }

    // MARK: Version 2

    private mutating func readBinary() throws(ProxyProtocolFault) -> ProxyProtocolOutcome? {
        let signature = ProxyProtocolHeader.signature
        for index in 0..<min(signature.count, input.count) where input[index] != signature[index] { throw broken }
        guard input.count >= ProxyProtocolReader.binaryMinimum else { return nil }
        let version = input[12] >> 4
        guard version == 2 else { throw .version(version) }
        let length = ProxyProtocolReader.binaryMinimum + (Int(input[14]) << 8 | Int(input[15]))
        guard length <= ProxyProtocolReader.binaryMaximum else { throw .tooLarge }
        guard input.count >= length else { return nil }
        let outcome = try binaryOutcome(length: length)
        input.consume(length)
        return outcome
    }

    private func binaryOutcome(length: Int) throws(ProxyProtocolFault) -> ProxyProtocolOutcome {
        switch input[12] & 0x0F {
        // LOCAL: the load balancer's own connection, such as a health check.
        case 0: return .unknown
        case 1: break
        case let command: throw .command(command)
        }
        let body = input[ProxyProtocolReader.binaryMinimum..<length]
        switch input[13] {
        case 0x11:
            guard body.count >= 12 else { throw broken }
            return .addresses(
                .init(
                    source: .ipv4(ipv4(body[0..<4]), port: port(body[8..<10])),
                    destination: .ipv4(ipv4(body[4..<8]), port: port(body[10..<12]))))
        case 0x21:
            guard body.count >= 36 else { throw broken }
            return .addresses(
                .init(
                    source: .ipv6(ipv6(body[0..<16]), port: port(body[32..<34])),
                    destination: .ipv6(ipv6(body[16..<32]), port: port(body[34..<36]))))
        // Unix sockets, datagrams, and what is still to be invented: nothing that names a client of ours.
        default: return .unknown
        }
    }

    private func ipv4(_ bytes: ArraySlice<UInt8>) -> IPv4Address {
        let first = bytes.startIndex
        return IPv4Address(bytes[first], bytes[first + 1], bytes[first + 2], bytes[first + 3])
    }

    private func ipv6(_ bytes: ArraySlice<UInt8>) -> IPv6Address {
        var value = SIMD16<UInt8>(repeating: 0)
        for (index, byte) in bytes.enumerated() { value[index] = byte }
        return IPv6Address(value)
    }

    private func port(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        bytes.reduce(0) { $0 << 8 | UInt16($1) }
    }
}

/// What a PROXY header says.
package enum ProxyProtocolOutcome: Sendable, Equatable {
    case addresses(ClientFacts.ProxyAddresses)
    /// A good header without addresses: LOCAL, UNKNOWN, another family.
    case unknown
    /// No header, or one that is not understood: the connection is to be closed.
    case refused(ProxyProtocolFault)
}

/// Why a PROXY header is refused; MailGateway puts it into words.
package enum ProxyProtocolFault: Error, Sendable, Equatable {
    /// The first line of what came instead, bounded.
    case broken(excerpt: [UInt8])
    /// More than `ProxyProtocolReader.binaryMaximum`.
    case tooLarge
    case version(UInt8)
    /// Neither LOCAL nor PROXY (nginx-mail.md §13 row 40).
    case command(UInt8)
}
