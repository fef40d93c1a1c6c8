import AsyncIO

/// Everything a session needs to know of the `server {}` it came in on: one immutable value,
/// read from the configuration and shared by all sessions of that server.
package struct ServerSettings: Sendable {
    package var mailProtocol: MailProtocol
    /// `server_name`: greeting, HELO replies, salts, HELO to SMTP back-ends.
    package var name: String
    /// `timeout`: one budget from the greeting to the login, not an idle time (nginx-mail.md §3.6).
    package var timeout: Duration = .seconds(60)
    /// `max_errors`.
    package var maxErrors = 5
    /// `max_connections`: clients of this server at once in each worker; nil for no bound but worker_connections.
    package var maxConnections: Int?
    /// `imap_client_buffer`, `pop3_client_buffer`, `smtp_client_buffer`: the longest command, literals included, in bytes.
    package var clientBuffer = 4096
    /// `set_real_ip_from`: whose PROXY headers are believed.
    package var realIPFrom = AddressSet()
    /// `resolver`: who is asked for names and addresses; nil for nobody.
    package var resolver: ResolverSettings?
    /// `resolver_timeout`: for each question.
    package var resolverTimeout: Duration = .seconds(30)
    /// `allow` and `deny`.
    package var access = AccessRules()
    /// `limit_conn` and `limit_login`.
    package var limits = LimitSettings()
    /// What a bare LF from a client means before the login (nginx-mail.md §13 row 29).
    package var bareLineFeed: BareLineFeedPolicy
    /// `starttls`.
    package var startTLS = StartTLSPolicy.off
    /// Certificates, keys and rules; nil where neither `listen … ssl` nor `starttls` asks for them.
    package var tls: TLSContext?
    /// `server_name` as written: whom clients ask for by SNI, perhaps a wildcard.
    package var certificateName: String
    /// `auth_http_pass_client_cert`.
    package var passesClientCertificate = false
    /// `imap_capabilities` and its siblings, in the order written.
    package var capabilities: [String]
    /// `imap_auth` and its siblings.
    package var mechanisms: MechanismSet
    /// `smtp_greeting_delay`.
    package var greetingDelay: Duration = .zero
    /// Who decides about logins, in the order in which they are asked; at least one.
    package var authenticators: [AuthenticatorSettings]
    /// `auth_cache`; nil where nothing is remembered.
    package var cache: AuthCacheSettings?
    /// `proxy_pass`: the back-end when the authenticator names none; never `configured`.
    package var backEnd: BackEndChoice?
    /// The groups of `upstream {}`, in the order of their names.
    package var groups: [BackEndGroupSettings] = []
    package var proxy = ProxySettings()
    /// `ssl_client_identity`; nil for `off`.
    package var clientIdentity: ClientIdentity?
    /// `error_texts`.
    package var errorTexts = ErrorTexts.nginx
    /// Commands are noted one by one, for a log at level debug; credentials never are.
    package var tracesCommands = false

    package init(mailProtocol: MailProtocol, name: String, authenticators: [AuthenticatorSettings]) {
        self.mailProtocol = mailProtocol
        self.name = name
        certificateName = name
        self.authenticators = authenticators
        switch mailProtocol {
        case .imap: capabilities = ["IMAP4", "IMAP4rev1", "UIDPLUS"]
        case .pop3: capabilities = ["TOP", "USER", "UIDL"]
        case .smtp: capabilities = []
        }
        // Defaults of the directives (nginx-mail.md §2.4); bare LF is how SMTP smuggling begins.
        mechanisms = mailProtocol == .smtp ? [.plain, .login] : .plain
        bareLineFeed = mailProtocol == .smtp ? .refuse : .accept
    }
}

/// `starttls`: whether clients may, or must, turn to TLS before they log in.
package enum StartTLSPolicy: String, Sendable, Hashable, CaseIterable {
    case off, on
    /// Credentials are refused until TLS is there.
    case only
}

/// An authenticator that a server asks.
package enum AuthenticatorSettings: Sendable {
    /// `auth_http`: in the order in which they are asked, at least one.
    case http([AuthHTTPSettings])
    /// `auth_file`: the accounts, parsed.
    case accounts(AccountsFile)
    /// `auth_mysql`.
    case mysql(MySQLSettings)
    /// `auth_pam`.
    case pam(PAMSettings)
}

/// `auth_http` and what belongs to it.
package struct AuthHTTPSettings: Sendable, Hashable {
    /// Where the host was when the configuration was read, in the order to try; at least one.
    package var addresses: [SocketAddress]
    /// The host's name, to be looked up again; nil for an address in numbers and for unix sockets.
    package var hostName: String?
    /// Who is asked then; nil for the system's own resolver.
    package var resolver: ResolverSettings?
    /// `resolver_timeout`.
    package var resolverTimeout: Duration = .seconds(30)
    /// The host as written, without port; `localhost` for unix sockets.
    package var host: String
    /// Path and query, `/` by default.
    package var uri: String = "/"
    /// `auth_http_header`, in the order written.
    package var headers: [Header] = []
    /// `auth_http_timeout`: the whole exchange.
    package var timeout: Duration = .seconds(60)
    /// `auth_http_keepalive`: idle connections kept per worker.
    package var keepAlive = 32
    /// `https://`.
    package var isSecure = false
    /// Whom the service has to be; set where it is secure.
    package var tls: AuthHTTPTLS?

    package struct Header: Sendable, Hashable {
        package var name: String
        package var value: String
        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package init(address: SocketAddress, host: String) {
        addresses = [address]
        self.host = host
    }
}

/// How a service is known in TLS: `auth_http_ssl_…`.
package struct AuthHTTPTLS: Sendable, Hashable {
    package var context: TLSContext
    /// Whom its certificate must be for.
    package var name: String

    package init(context: TLSContext, name: String) {
        self.context = context
        self.name = name
    }
}

/// The directives of nginx-mail.md §2.6.
package struct ProxySettings: Sendable {
    /// `proxy_buffer`: also bounds a back-end's login reply, in bytes.
    package var buffer = 4096
    /// `proxy_timeout`: silence of both sides before the relay ends.
    package var timeout: Duration = .seconds(24 * 3600)
    package var passesErrorMessage = false
    package var smtpAuth = false
    package var xclient = XClientPolicy.on
    /// `proxy_pipelining`: logins are as short as back-ends announce that they may be.
    package var usesOffers = true
    package var proxyProtocol: ProxyProtocolVersion?
    package var tls = BackEndTLS()
    /// `proxy_master_user`: who logs in at back-ends in the users' names; nil where users do so themselves.
    package var master: MasterUser?
    /// `proxy_pass_token`: back-ends get the tokens of OAUTHBEARER and XOAUTH2.
    package var passesToken = false
    /// `proxy_connect_timeout`: for one back-end, TLS included.
    package var connectTimeout: Duration = .seconds(60)
    /// `proxy_bind`: the address of ours that back-ends see; nil for whichever fits.
    package var source: SocketAddress?
    package var next = NextBackEnd()

    package init() {}
}

/// `proxy_next_upstream`: whether another back-end is tried when one does not serve.
package struct NextBackEnd: Sendable, Hashable {
    package var isOn = true
    /// Back-ends tried at most; 0 for as many as there are.
    package var tries = 0
    /// No other one is tried after this time; zero for no bound but the login's.
    package var timeout: Duration = .zero

    package init() {}
}

/// `proxy_ssl`: how connections to back-ends are secured.
package enum BackEndSecurity: String, Sendable, Hashable, CaseIterable {
    case off
    /// TLS from the first byte, or the first behind a PROXY header.
    case on
    case startTLS = "starttls"
}

/// The directives `proxy_ssl` and `proxy_ssl_…`.
package struct BackEndTLS: Sendable {
    package var security = BackEndSecurity.off
    /// Whom we trust and who we are; nil where neither a directive nor an authenticator can ask for TLS, or the latter
    /// could and this system has no authorities to trust.
    package var context: LazyTLSContext?
    /// `proxy_ssl_name`: whom the certificate must be for; nil for the back-end's address.
    package var name: String?
    /// `proxy_ssl_server_name`: the name is sent, too (SNI).
    package var sendsName = false

    package init() {}
}

/// `xclient`: whether SMTP back-ends are told of the client.
package enum XClientPolicy: Sendable, Hashable {
    case off
    /// Whether or not the back-end offers it, as nginx does.
    case on
    /// Where its reply to EHLO offers it, and no other attributes than it offers.
    case automatic
}

/// `proxy_protocol off | on | v2` towards back-ends.
package enum ProxyProtocolVersion: Sendable, Hashable {
    case v1, v2
}
