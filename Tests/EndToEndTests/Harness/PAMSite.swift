import Foundation
import Testing

/// A gateway that asks PAM, with real modules, service files in the test's own directory, and scripted back-ends.
struct PAMSite {
    let stage: Stage
    let gateway: GatewayUnderTest
    let backEnds: [Mail: ScriptedBackEnd]

    /// The lines of a service that knows ann and bob by a file of hashes (pam_pwdfile).
    static func passwords(_ stage: Stage) -> [String] {
        ["auth required pam_pwdfile.so pwdfile=\(stage.directory.path("passwd"))", "account required pam_permit.so"]
    }

    /// - Parameters:
    ///   - services: the service files, by name; the first server of each protocol asks `mail`.
    ///   - scripts: programs that services run (pam_exec), by name, in the test's directory.
    static func run(
        services: (Stage) -> [String: [String]] = { ["mail": passwords($0)] }, scripts: [String: String] = [:],
        adjust: (inout GatewayConfiguration, Stage) throws -> Void = { _, _ in }, _ body: (PAMSite) throws -> Void
    ) throws {
        try Stage.run { stage in
            try stage.directory.write("passwd", Account.all.map { "\($0.name):\(try hash($0.password))\n" }.joined())
            for (name, text) in scripts { try stage.directory.write(name, "#!/bin/sh\n\(text)\n", mode: 0o755) }
            try stage.directory.makeFolder("pam.d")
            for (name, lines) in services(stage) { try write(lines, as: name, on: stage) }
            var backEnds: [Mail: ScriptedBackEnd] = [:]
            for mail in Mail.allCases { backEnds[mail] = try ScriptedBackEnd(on: stage, mail, .ok) }
            var configuration = try GatewayConfiguration(on: stage, auth: stage.freeEndpoint())
            configuration.mail[0] = "auth_pam mail confdir=\(stage.directory.path("pam.d"));"
            for index in configuration.servers.indices {
                let mail = configuration.servers[index].mail
                configuration.servers[index].directives.append("proxy_pass \(try #require(backEnds[mail]).endpoint);")
            }
            configuration.mail.append("smtp_auth plain login cram-md5; imap_auth plain cram-md5; pop3_auth plain apop;")
            try adjust(&configuration, stage)
            let gateway = try GatewayUnderTest(on: stage, configuration)
            try body(PAMSite(stage: stage, gateway: gateway, backEnds: backEnds))
        }
    }

    /// Writes a service file.
    static func write(_ lines: [String], as name: String, on stage: Stage) throws {
        try stage.directory.write("pam.d/\(name)", lines.map { "\($0)\n" }.joined())
    }

    /// A crypt(3) hash, made by somebody else than the program under test.
    static func hash(_ password: String) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = ["passwd", "-6", password]
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    /// The helper's process number; waits until there is one, other than `former`.
    func helper(otherThan former: pid_t? = nil) throws -> pid_t {
        var found: pid_t?
        try waitUntil("a PAM helper") {
            found = childProcesses(of: gateway.process.pid).first {
                $0 != former && textOfFile("/proc/\($0)/cmdline").contains("pam-helper")
            }
            return found != nil
        }
        return try #require(found)
    }

    /// Logs in and returns the last line of the answer.
    func logIn(_ mail: Mail = .imap, as account: Account = .ann, password: String? = nil) throws -> String {
        try gateway.greetedClient(mail).logIn(mail, as: account, password: password)
    }
}
