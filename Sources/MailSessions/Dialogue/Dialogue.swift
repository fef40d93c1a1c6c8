import AsyncIO

/// What a dialogue wants done next.
package enum Step<Question: Sendable, Note: Sendable, Outcome: Sendable>: Sendable {
    /// Deliver these bytes to the peer, then call `next()` again.
    case send([UInt8])
    /// Nothing more can be decided: append at least one received byte to `input`, then call `next()`.
    case receive
    /// Something worth a log line or a counter happened; call `next()` again.
    case note(Note)
    /// Do the TLS handshake, then call `next()`; the dialogue has forgotten its input (RFC 3207 §4.2).
    case startTLS
    /// Answer the question with `resume(_:)`, then call `next()`. Nothing is read from the peer meanwhile.
    case ask(Question)
    /// Say and read nothing for this long, then call `next()`.
    case pause(Duration)
    /// Say nothing for this long, then call `next()`; if bytes arrive meanwhile, append them to
    /// `input` and call `next()` at once. Only where silence is demanded of the peer, such as before
    /// a delayed SMTP greeting; the dialogue tells the two endings apart by its input.
    case pauseUnlessInput(Duration)
    /// The dialogue is over; what is left in `input` belongs to whoever comes next.
    case finish(Outcome)
}

/// A conversation with one peer as a value: bytes in, steps out; no socket, no clock, no `await`.
///
/// The law of every dialogue, tested by cutting each transcript at every byte: *the steps do not
/// depend on how the input was cut*. End of stream is not the dialogue's business: whoever carries
/// the bytes ends the conversation when `receive` meets it, after all complete input was answered.
package protocol Dialogue {
    /// What it cannot know by itself, such as whether a password is right.
    associatedtype Question: Sendable
    /// The answer to a question.
    associatedtype Answer: Sendable
    /// What it reports on the way.
    associatedtype Note: Sendable
    /// How it ends.
    associatedtype Outcome: Sendable

    /// Received and not yet consumed. The carrier appends; only the dialogue consumes.
    var input: ByteQueue { get set }

    /// Decides the next step from the state and `input`.
    mutating func next() -> Step<Question, Note, Outcome>

    /// Answers the pending `ask`; called exactly once for each.
    mutating func resume(_ answer: Answer)
}
