import AsyncIO

/// Finds out by what name a client is known, and believes it only if the name leads back to the
/// client (nginx-mail.md §7.3).
struct ClientNameLookup {
    /// Not known, and asking again would not help; also where nobody is asked.
    static let unavailable = "[UNAVAILABLE]"
    /// Not known for the moment.
    static let temporarilyUnavailable = "[TEMPUNAVAIL]"

    let resolver: Resolver
    /// For each of the two questions.
    let timeout: Duration
    let scope: CancellationScope

    /// The name of the client at `address`, or one of the two words that stand for none.
    ///
    /// Throws `cancelled` only; everything else is told to `report`.
    func name(of address: SocketAddress, report: (ClientNameFailure) -> Void) async throws(IOError) -> String {
        guard let question = DNSQuestion(nameOf: address) else { return ClientNameLookup.temporarilyUnavailable }
        let name: [UInt8]
        do throws(DNSFailure) {
            name = try await ask(question).names.first ?? []
        } catch {
            return try word(for: error) { report(.address($0)) }
        }
        // Whatever stands in the DNS must not become a header or an attribute of its own (security-checklist C2).
        guard let text = ClientNameLookup.hostName(name) else {
            report(.invalidName(name))
            return ClientNameLookup.temporarilyUnavailable
        }
        do throws(DNSFailure) {
            let isKnown = try await addresses(of: text, like: address).contains { $0.isSameHost(as: address) }
            return isKnown ? text : ClientNameLookup.unavailable
        } catch {
            return try word(for: error) { report(.hostName(text, $0)) }
        }
    }

    private func ask(_ question: DNSQuestion) async throws(DNSFailure) -> DNSAnswer {
        try await resolver.answer(to: question, deadline: scope.executor.now + timeout, scope: scope)
    }

    /// Those of the client's family: no other could be the client's.
    private func addresses(of name: String, like client: SocketAddress) async throws(DNSFailure) -> [SocketAddress] {
        let isIPv4 = client.asIPv6?.mappedIPv4 != nil
        guard isIPv4 ? resolver.settings.usesIPv4 : resolver.settings.usesIPv6 else { return [] }
        return try await ask(DNSQuestion(name, isIPv4 ? .ipv4 : .ipv6)).addresses
    }

    private func word(for failure: DNSFailure, report: (DNSFailure) -> Void) throws(IOError) -> String {
        guard failure != .cancelled else { throw .cancelled }
        report(failure)
        return failure == .notFound ? ClientNameLookup.unavailable : ClientNameLookup.temporarilyUnavailable
    }

    /// The name as text, if it is one of letters, digits, dots and hyphens.
    static func hostName(_ bytes: [UInt8]) -> String? {
        let isName = bytes.allSatisfy {
            $0.isLetter || $0.isDigit || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-")
        }
        return isName && !bytes.isEmpty ? String(decoding: bytes, as: UTF8.self) : nil
    }
}

/// Why a client has no name; the first two while its address is looked up, the third while its name is.
package enum ClientNameFailure: Sendable, Equatable {
    case address(DNSFailure)
    /// The address leads to something that is no host name.
    case invalidName([UInt8])
    case hostName(String, DNSFailure)
}
