import AsyncIO
import Foundation

extension MicroBenchmark {
    /// OpenSSL as the gateway drives it: no socket, bytes handed over in memory.
    static let tls = [
        MicroBenchmark(
            name: "tls-handshake", summary: "a full handshake, TLS 1.3 with ECDSA P-256, both ends", count: 200
        ) { count in
            let contexts = try Contexts.shared.get()
            for _ in 0..<count { _ = try Ends(contexts) }
        },
        MicroBenchmark(
            name: "tls-record", summary: "a record of 16 KiB encrypted and decrypted, both ends", count: 4000
        ) { count in
            let ends = try Ends(try Contexts.shared.get())
            let plain = [UInt8](repeating: UInt8(ascii: "r"), count: 16 << 10)
            var heard = ByteQueue()
            for _ in 0..<count {
                _ = unsafe ends.client.receive(ends.server.send(plain).span.bytes, into: &heard)
                guard heard.count == plain.count else { throw HarnessError("a record got lost") }
                heard.removeAll()
            }
        },
    ]

    private struct Contexts: Sendable {
        let server: TLSContext
        let client: TLSContext

        static let shared = Result { try Contexts() }

        init() throws {
            let directory = NSTemporaryDirectory() + "mailgateway-micro-\(getpid())"
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            // What cannot be removed is a certificate for two days in the temporary directory.
            defer { try? FileManager.default.removeItem(atPath: directory) }
            try TLSCertificate.write(to: directory)
            let texts = try ["crt", "key"].map { name in
                let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/tls.\(name)"))
                return TLSText(name: name, content: Secret(Array(bytes)))
            }
            var common = TLSCommonSettings(ciphers: "HIGH:!aNULL:!MD5")
            var client = TLSClientSettings(common)
            client.verifies = false
            client.reusesSessions = false
            common.identities = [TLSIdentity(certificate: texts[0], key: texts[1])]
            server = try TLSContext(server: TLSServerSettings(common), seed: TLSTicketSeed())
            self.client = try TLSContext(client: client)
        }
    }

    /// Both ends of a connection, after the handshake.
    private struct Ends {
        let server: TLSEngine
        let client: TLSEngine

        init(_ contexts: Contexts) throws {
            server = TLSEngine(server: contexts.server)
            client = TLSEngine(client: contexts.client, peer: "peer", name: "proxy.example", sendsName: false)
            var (up, down) = (client.start(), [UInt8]())
            var heard = ByteQueue()
            while !up.isEmpty || !down.isEmpty {
                down = unsafe server.receive(up.span.bytes, into: &heard)
                up = unsafe down.isEmpty ? [] : client.receive(down.span.bytes, into: &heard)
            }
            guard server.state == .open, client.state == .open else { throw HarnessError("no handshake") }
        }
    }
}
