import ArgumentParser

/// The mail protocol a load speaks.
enum LoadProtocol: String, CaseIterable, ExpressibleByArgument {
    case imap, pop3, smtp
}

/// What a load does over and over; each has one unit to which the costs are put down.
enum LoadWork: String, ExpressibleByArgument {
    /// A whole session: connect, greeting, login, the back-end's OK, farewell, close.
    case session
    /// Connect, read the greeting, close.
    case greeting
    /// In a logged-in session: a 64-byte line there and back.
    case echo
    /// In a logged-in session: bytes from the back-end to the client.
    case download
    /// In a logged-in session: bytes from the client to the back-end, and its acknowledgement.
    case upload
    /// A logged-in session that stays silent after one echo.
    case idle
    /// Not logged in yet: silent behind the greeting, or in front of a TLS handshake.
    case greeted
    /// Not logged in yet: a byte now and then (`SlowClients`).
    case trickle

    /// Whether a unit opens and closes its own connection.
    var isWholeSession: Bool { self == .session || self == .greeting }

    /// Whether nothing happens in a session once it is set up.
    var isSilence: Bool { self == .idle || self == .greeted }
}

/// How a load's connections are protected.
enum LoadSecurity: String, CaseIterable, ExpressibleByArgument {
    case none
    /// From the first byte, each connection with a full handshake.
    case tls
    /// From the first byte; all but the first resume the session before.
    case resumed
    /// After STARTTLS, which POP3 calls STLS.
    case startTLS = "starttls"

    /// TLS comes before the greeting.
    var isImplicit: Bool { self == .tls || self == .resumed }
}

/// Who is connected beside those that are measured.
struct Company {
    /// Logged in and silent.
    var silent = 0
    /// Sending one byte now and then, at first of their login.
    var slow = 0

    static let none = Company()
}

/// One load: what, by how many at once, for how long.
struct LoadPlan {
    var mailProtocol = LoadProtocol.imap
    var security = LoadSecurity.none
    var work: LoadWork
    /// Sessions at once.
    var sessions: Int
    /// Payload bytes of one download or upload.
    var transferBytes = 0
    /// Further sessions that are there all the time and are not measured.
    var company = Company.none
    /// The server writes lines about each session, and not only about errors.
    var isLogged = false
    /// Processes or threads of the server.
    var workers = 1

    /// The most sessions of one generator, so that an ordinary limit of open files will do.
    private static let sessionsPerProcess = 15_000

    /// What the server needs of connections: two per session, and those that log in at the moment.
    var connections: Int { (sessions + company.silent + company.slow) * 2 + 500 }

    /// The open files that a process needs: a worker of the server, which may have more than its share, or a generator.
    var descriptors: Int {
        let ofServer = workers == 1 ? connections : connections * 5 / 4 / workers
        return max(ofServer, min(sessions, Self.sessionsPerProcess) + 100)
    }

    /// What one generator each does: those who are only there, and at last those that are measured.
    var parts: [LoadPlan] {
        var own = self
        own.company = .none
        own.sessions = min(sessions, Self.sessionsPerProcess)
        var parts: [LoadPlan] = []
        for (work, count) in [(LoadWork.idle, company.silent + sessions - own.sessions), (.trickle, company.slow)] {
            for begin in stride(from: 0, to: count, by: Self.sessionsPerProcess) {
                var part = own
                part.work = work
                part.sessions = min(count - begin, Self.sessionsPerProcess)
                parts.append(part)
            }
        }
        return parts + [own]
    }

    /// The arguments of the hidden `load` command.
    func arguments(port: UInt16, milliseconds: Int) -> [String] {
        [
            "load", "--protocol", mailProtocol.rawValue, "--security", security.rawValue, "--work", work.rawValue,
            "--sessions", String(sessions),
            "--transfer-bytes", String(transferBytes), "--port", String(port), "--milliseconds", String(milliseconds),
        ]
    }
}

/// The client's side of a protocol: what it waits for and what it then says.
///
/// `replies[0]` is the greeting; after `replies[i]` comes `lines[i]`. A reply is complete when its last line
/// begins as given, which passes over untagged lines and continued SMTP replies.
struct LoadScript {
    let replies: [[UInt8]]
    let lines: [[UInt8]]

    /// The reply after which the handshake of STARTTLS comes.
    let replyBeforeTLS: Int?

    /// The script up to the login, or up to the farewell when the work is whole sessions.
    init(_ mailProtocol: LoadProtocol, _ security: LoadSecurity, for work: LoadWork) {
        typealias Exchange = (line: String, reply: String)
        let greeting: String
        let startTLS: [Exchange]
        let login: [Exchange]
        let farewell: Exchange
        switch mailProtocol {
        case .imap:
            greeting = "* OK"
            startTLS = [("s STARTTLS", "s OK")]
            login = [("a LOGIN bench@example.com secret", "a OK")]
            farewell = ("b LOGOUT", "b OK")
        case .pop3:
            greeting = "+OK"
            startTLS = [("STLS", "+OK")]
            login = [("USER bench@example.com", "+OK"), ("PASS secret", "+OK")]
            farewell = ("QUIT", "+OK")
        case .smtp:
            greeting = "220 "
            let hello = (line: "EHLO client.example", reply: "250 ")
            startTLS = [hello, ("STARTTLS", "220 ")]
            login = [hello, ("AUTH PLAIN AGJlbmNoQGV4YW1wbGUuY29tAHNlY3JldA==", "235 ")]
            farewell = ("QUIT", "221 ")
        }
        let preface = security == .startTLS ? startTLS : []
        let exchanges =
            switch work {
            case .greeting, .greeted: [Exchange]()
            case .session: preface + login + [farewell]
            case .echo, .download, .upload, .idle, .trickle: preface + login
            }
        replies = ([greeting] + exchanges.map(\.reply)).map { Array($0.utf8) }
        lines = exchanges.map { Array(($0.line + "\r\n").utf8) }
        replyBeforeTLS = security == .startTLS ? preface.count : nil
    }
}
