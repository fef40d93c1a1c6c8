import Foundation

/// What the three parties of an exchange saw, in a form that can be compared.
struct ParitySight: Equatable {
    let client: String
    let questions: [String]
    let backEnds: [String]

    init(client: [UInt8], endedByGateway: Bool, isStuck: Bool, questions: [[UInt8]], backEnds: [[UInt8]]) {
        let end = isStuck ? " <stuck>" : endedByGateway ? " <end>" : ""
        self.client = ParitySight.normalised(ParityText.shown(client)) + end
        self.questions = questions.map { ParitySight.normalised(ParityText.shown($0)) }
        self.backEnds = backEnds.map { ParitySight.withoutCapabilities(ParitySight.normalised(ParityText.shown($0))) }
    }

    /// The one place where what may differ by nature is made equal: addresses of the test, ports, random salts,
    /// and the version of HTTP towards auth_http (`auth_http_keepalive` needs 1.1).
    private static func normalised(_ text: String) -> String {
        text.replacing(/\ HTTP\/1\.[01]\\r/, with: "\\r")
            .replacing(/127\.\d+\.\d+\.\d+/, with: "HOST")
            .replacing(/PROXY\ TCP4\ HOST\ HOST\ \d+\ \d+/, with: "PROXY TCP4 HOST HOST PORT PORT")
            .replacing(/<\d+\.\d+@/, with: "<SALT@")
            .replacing(/[A-Za-z0-9+\/]{24,}={0,2}/) { match in
                let decoded = Data(base64Encoded: String(match.output)).map { String(decoding: $0, as: UTF8.self) }
                return decoded?.wholeMatch(of: /<\d+\.\d+@.*>/) == nil ? String(match.output) : "SALT"
            }
    }

    /// POP3 back-ends are asked for their capabilities by the first session of an hour (`proxy_pipelining`), whichever
    /// exchange that is; nginx asks none.
    private static func withoutCapabilities(_ text: String) -> String {
        text.replacing(/^(PROXY\ [^\\]*\\r\\n)?CAPA\\r\\n/) { $0.output.1 ?? "" }
    }
}

extension ParitySight: CustomStringConvertible {
    var description: String {
        (["client: \(client)"] + questions.map { "auth: \($0)" } + backEnds.map { "back-end: \($0)" })
            .joined(separator: "\n    ")
    }
}
