import Foundation
import Glibc
import Testing

/// Certificates are taken over when their files change, without a reload, and nobody notices but new clients.
@Suite("Renewal of certificates", .endToEnd, .beyondNginx) struct CertificateRenewalTests {
    private static let name = "gateway.example.test"
    private static let served = "all workers serve the new configuration"
    private static let kept = "going on with the old ones"

    @Test("renewed certificates are used without a reload, broken ones raise an alarm and change nothing", .beyondNginx)
    func renewal() throws {
        try Site.runSecurely(implicitly: true, workers: 2) { site, certificates in
            let signal = site.stage.directory.path("go-on")
            let held = try site.heldClient(until: signal)
            let name = "gateway.example.test"
            let renewed = try Certificates(on: site.stage, folder: "renewed")
            let issued = try renewed.issue("gateway", [name])
            let options = #"{"ca": "\#(renewed.authorityFile)", "name": "\#(name)", "say": ["n1 NOOP"]}"#
            #expect(try site.tlsClient(.imap, "implicit", options).error != nil)
            // The certificate without its key: half of a renewal.
            try certificates.write("gateway.pem", issued.certificate)
            try waitUntil("the alarm", within: .seconds(30)) {
                site.gateway.log.contains("[alert]") && site.gateway.log.contains("going on with the old ones")
            }
            try site.expectHealthyOverTLS(.imap)
            try certificates.write("gateway.key", issued.key)
            try waitUntil("both workers with the new certificate", within: .seconds(30)) {
                site.gateway.log.contains("all workers serve the new configuration")
            }
            for _ in 0..<4 { #expect(try site.tlsClient(.imap, "implicit", options).error == nil) }
            try site.stage.directory.write("go-on", "")
            #expect(try held.waitForExit(within: .seconds(10)) == .code(0))
            #expect(held.output.contains("held OK"), "\(held.output)")
        }
    }

    @Test("without a master, too")
    func renewalInOneProcess() throws {
        try Site.runSecurely(implicitly: true, main: ["master_process off;"]) { site, certificates in
            let signal = site.stage.directory.path("go-on")
            let held = try site.heldClient(until: signal)
            let renewed = try Certificates(on: site.stage, folder: "renewed")
            let issued = try renewed.issue("gateway", [Self.name])
            try certificates.write("gateway.pem", issued.certificate)
            try waitUntil("the alarm", within: .seconds(30)) {
                site.gateway.log.contains("[alert]") && site.gateway.log.contains(Self.kept)
            }
            try site.expectHealthyOverTLS(.imap)
            try certificates.write("gateway.key", issued.key)
            let options = #"{"ca": "\#(renewed.authorityFile)", "name": "\#(Self.name)", "say": ["n1 NOOP"]}"#
            try waitUntil("the new certificate", within: .seconds(30)) {
                try site.tlsClient(.imap, "implicit", options).error == nil
            }
            try site.stage.directory.write("go-on", "")
            #expect(try held.waitForExit(within: .seconds(10)) == .code(0))
            #expect(held.output.contains("held OK"), "\(held.output)")
        }
    }

    @Test("a folder is swapped as a symbolic link, as Kubernetes renews secrets; one that does not fit is kept out")
    func swappedFolders() throws {
        try Site.runSecurely(implicitly: true, workers: 2) { site, certificates in
            let other = try Certificates(on: site.stage, folder: "other")
            let folder = certificates.path("")
            func mount(_ version: Int, _ certificate: [UInt8], _ key: [UInt8]) throws {
                try site.stage.directory.makeFolder("tls/..\(version)")
                try certificates.write("..\(version)/gateway.pem", certificate)
                try certificates.write("..\(version)/gateway.key", key)
                try link(to: "..\(version)", at: folder + "..data")
            }
            func expect(toServe authority: Certificates, _ comment: Comment) throws {
                let options = #"{"ca": "\#(authority.authorityFile)", "name": "\#(Self.name)", "say": ["n1 NOOP"]}"#
                for _ in 0..<4 {
                    #expect(try site.tlsClient(.imap, "implicit", options).error == nil, comment)
                }
            }
            // From files to links that lead through a link.
            let first = other.authority.issue([Self.name])
            try mount(1, first.certificate, first.key)
            for file in ["gateway.pem", "gateway.key"] { try link(to: "..data/\(file)", at: folder + file) }
            try waitUntil("the links", within: .seconds(30)) { site.gateway.occurrences(of: Self.served) >= 1 }
            try waitUntil("what the links lead to", within: .seconds(30)) {
                let options = #"{"ca": "\#(other.authorityFile)", "name": "\#(Self.name)"}"#
                return try site.tlsClient(.imap, "implicit", options).error == nil
            }
            // A swap, after which nothing of the folder before is left.
            var served = site.gateway.occurrences(of: Self.served)
            let second = certificates.authority.issue([Self.name])
            try mount(2, second.certificate, second.key)
            try FileManager.default.removeItem(atPath: folder + "..1")
            try waitUntil("the swap", within: .seconds(30)) { site.gateway.occurrences(of: Self.served) > served }
            try expect(toServe: certificates, "after the swap")
            // A key that is another certificate's, then a certificate that is none.
            let third = other.authority.issue([Self.name])
            for (version, certificate) in [(3, third.certificate), (4, Array("no certificate".utf8))] {
                let alarms = site.gateway.occurrences(of: Self.kept)
                try mount(version, certificate, second.key)
                try waitUntil("the alarm", within: .seconds(30)) { site.gateway.occurrences(of: Self.kept) > alarms }
                try expect(toServe: certificates, "kept out")
            }
            served = site.gateway.occurrences(of: Self.served)
            try mount(5, third.certificate, third.key)
            try waitUntil("the last swap", within: .seconds(30)) { site.gateway.occurrences(of: Self.served) > served }
            try expect(toServe: other, "after the last swap")
        }
    }

    @Test("200 held sessions and 200 logins a second do not notice renewals, and new logins see the new certificates")
    func renewalUnderLoad() throws {
        try Stage.run { stage in
            let certificates = try Certificates(on: stage)
            try certificates.issue("gateway", [Self.name])
            let backEnd = try ScriptedBackEnd(on: stage, .imap, .ok)
            let auth = try AuthService(on: stage, servers: [.imap: backEnd.endpoint])
            var configuration = try GatewayConfiguration(on: stage, auth: auth.endpoint)
            configuration.workers = 2
            configuration.workerConnections = 4096
            configuration.mail += certificates.directives("gateway")
            configuration.servers.removeAll { $0.mail != .imap }
            configuration.servers[0].parameters = "ssl"
            let gateway = try GatewayUnderTest(on: stage, configuration)
            let endpoint = try gateway.endpoint(.imap)
            let load = try stage.start(
                "load",
                [
                    "/usr/bin/python3", Stage.script("tls_load.py"), endpoint.host, "\(endpoint.port)",
                    Mail.imap.loginLine, "200", "200", stage.directory.path("stop"),
                ])
            try waitUntil("the held sessions", within: .seconds(60)) { load.output.contains("holding") }
            for round in 1...3 {
                // The last of them is only half of a renewal, which must not be noticed either.
                if round == 3 {
                    try certificates.write("gateway.pem", certificates.authority.issue([Self.name]).certificate)
                    try waitUntil("the alarm", within: .seconds(30)) { gateway.log.contains(Self.kept) }
                } else {
                    try certificates.issue("gateway", [Self.name])
                    try waitUntil("renewal \(round)", within: .seconds(30)) {
                        gateway.occurrences(of: Self.served) >= round
                    }
                }
            }
            try stage.directory.write("stop", "")
            #expect(try load.waitForExit(within: .seconds(60)) == .code(0), "\(load.errors)")
            let line = try #require(load.output.split(separator: "\n").last)
            let report = try JSONDecoder().decode(LoadReport.self, from: Data(line.utf8))
            #expect(report.failures.isEmpty, "\(report)")
            #expect(report.held == 200 && report.logins >= 300, "\(report)")
            // The one of the beginning and both renewals.
            #expect(report.certificates.count == 3, "\(report.certificates)")
        }
    }

    /// Puts a symbolic link where one may be already, in one step.
    private func link(to target: String, at path: String) throws {
        let fresh = path + ".new"
        guard unsafe symlink(target, fresh) == 0, unsafe rename(fresh, path) == 0 else {
            throw SystemError("a link at \(path)")
        }
    }
}

/// What Clients/tls_load.py has seen.
private struct LoadReport: Decodable {
    let logins: Int
    let failures: [String]
    let held: Int
    let certificates: [String]
}
