import COpenSSL

/// Contexts by the server name that clients ask for (SNI, RFC 6066 §3): exact names, then wildcards.
package struct TLSServerNames: Sendable {
    private var exact: [String: TLSContext] = [:]
    /// By the part behind `*`, its dot included.
    private var wildcards: [String: TLSContext] = [:]

    package init() {}

    /// Names `context`; the first of equal names counts. `*.example.com` stands for one or more labels
    /// before `.example.com`, as in nginx.
    package mutating func add(_ name: String, _ context: TLSContext) {
        let name = name.lowercased()
        if name.hasPrefix("*.") {
            let rest = String(name.dropFirst())
            if wildcards[rest] == nil { wildcards[rest] = context }
        } else if exact[name] == nil {
            exact[name] = context
        }
    }

    /// The context for a name; nil where the default counts. The longest wildcard wins.
    package func context(for name: String) -> TLSContext? {
        let name = (name.hasSuffix(".") ? String(name.dropLast()) : name).lowercased()
        if let found = exact[name] { return found }
        guard !wildcards.isEmpty else { return nil }
        var rest = name[...]
        while let dot = rest.dropFirst().firstIndex(of: ".") {
            rest = rest[dot...]
            if let found = wildcards[String(rest)] { return found }
        }
        return nil
    }

    /// Gives a connection the context that its client asks for, before anything of the handshake is decided.
    static func choose(for ssl: OpaquePointer?) {
        guard let engine = unsafe TLSEngine.of(ssl), let names = engine.handshake?.names,
            let name = unsafe askedName(ssl), let chosen = names.context(for: name), chosen !== engine.context
        else { return }
        unsafe SSL_set_SSL_CTX(ssl, chosen.handle)
        // What SSL_set_SSL_CTX leaves as it was.
        unsafe SSL_set_verify(
            ssl, SSL_CTX_get_verify_mode(chosen.handle), SSL_CTX_get_verify_callback(chosen.handle))
        unsafe SSL_set_verify_depth(ssl, SSL_CTX_get_verify_depth(chosen.handle))
        unsafe SSL_clear_options(ssl, SSL_get_options(ssl) & ~SSL_CTX_get_options(chosen.handle))
        unsafe SSL_set_options(ssl, SSL_CTX_get_options(chosen.handle))
        engine.handshake?.first = engine.context
        engine.context = chosen
    }

    /// The first host name of the client's server_name extension.
    private static func askedName(_ ssl: OpaquePointer?) -> String? {
        var start: UnsafePointer<UInt8>?
        var length = 0
        guard unsafe SSL_client_hello_get0_ext(ssl, UInt32(TLSEXT_TYPE_server_name), &start, &length) == 1 else {
            return nil
        }
        // A list: its length, then entries of a type, a length and a name.
        let bytes = unsafe UnsafeBufferPointer(start: start, count: length)
        guard bytes.count > 5, unsafe bytes[2] == UInt8(TLSEXT_NAMETYPE_host_name) else { return nil }
        let count = unsafe Int(bytes[3]) << 8 | Int(bytes[4])
        guard bytes.count >= 5 + count, count > 0 else { return nil }
        return unsafe String(validating: bytes[5..<(5 + count)], as: UTF8.self)
    }
}
