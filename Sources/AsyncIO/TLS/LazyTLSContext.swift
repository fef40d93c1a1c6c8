/// A client's context that is made when it is first wanted: for TLS that only an answer of a service asks for.
///
/// The system's authorities take a megabyte once they are parsed, which most processes never need.
// Safety: read and changed on the thread that reads the configuration, then on the one executor's thread that serves
// by it.
@safe
package final class LazyTLSContext: @unchecked Sendable {
    private enum State {
        case settings(TLSClientSettings)
        case made(TLSContext)
    }

    private var state: State

    /// One that is there already.
    package init(_ context: TLSContext) { state = .made(context) }

    /// One to be made of `settings`, which nobody has tried yet.
    package init(_ settings: TLSClientSettings) { state = .settings(settings) }

    /// The context; its settings are let go of once it is made. Fails where OpenSSL cannot make it.
    package func context() throws(IOError) -> TLSContext {
        switch state {
        case .made(let context): return context
        case .settings(let settings):
            do throws(TLSSettingsError) {
                let made = try TLSContext(client: settings)
                state = .made(made)
                return made
            } catch {
                throw .tls(TLSFailure(.ours, error.text))
            }
        }
    }
}
