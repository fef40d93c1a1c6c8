import DequeModule

/// Answers of the DNS, kept as long as they say, and the oldest let go when there are too many.
struct DNSCache {
    /// Answers kept at most; some hundred bytes each.
    static let maximum = 4096

    private struct Entry {
        var answer: DNSAnswer
        var expires: Instant
        /// Which of the insertions of its question this is.
        var number: UInt64
    }

    private var entries: [DNSQuestion: Entry] = [:]
    /// In the order of insertion; a question that was put in again stands here twice, its first time
    /// without meaning.
    private var order: Deque<(question: DNSQuestion, number: UInt64)> = []
    private var insertions: UInt64 = 0

    /// How many answers are kept.
    var count: Int { entries.count }

    /// The answer to `question`, unless its time is over.
    mutating func answer(to question: DNSQuestion, at now: Instant) -> DNSAnswer? {
        guard let entry = entries[question] else { return nil }
        guard now < entry.expires else {
            entries[question] = nil
            return nil
        }
        return entry.answer
    }

    /// Keeps `answer` for `lifetime`; for none, that is not at all.
    mutating func keep(_ answer: DNSAnswer, to question: DNSQuestion, for lifetime: Duration, at now: Instant) {
        guard lifetime > .zero else { return }
        insertions += 1
        entries[question] = Entry(answer: answer, expires: now + lifetime, number: insertions)
        order.append((question, insertions))
        while entries.count > DNSCache.maximum || order.count > 2 * DNSCache.maximum {
            guard let oldest = order.popFirst() else { return }
            if entries[oldest.question]?.number == oldest.number { entries[oldest.question] = nil }
        }
    }
}
