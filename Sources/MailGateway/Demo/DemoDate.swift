/// A moment as mail writes it, always in UTC.
struct DemoDate {
    private let weekday: Int
    private let year: Int
    private let month: Int
    private let day: Int
    private let time: String

    /// - Parameter seconds: since 1970.
    init(_ seconds: Int64) {
        let days = Int((Double(seconds) / 86_400).rounded(.down))
        let second = Int(seconds) - days * 86_400
        // The calendar repeats every 400 years; years are counted from March, so that the leap day is a year's last.
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        weekday = ((days + 4) % 7 + 7) % 7
        time = [second / 3600, second / 60 % 60, second % 60].map(DemoDate.padded).joined(separator: ":")
    }

    /// RFC 5322 §3.3: `Mon, 23 Nov 2026 06:16:15 +0000`.
    var headerText: String {
        let names = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        return "\(names[weekday]), \(day) \(monthName) \(year) \(time) +0000"
    }

    /// RFC 3501 §9, date-time: `23-Nov-2026 06:16:15 +0000`, the day padded.
    var internalText: String { "\(DemoDate.padded(day))-\(monthName)-\(year) \(time) +0000" }

    private var monthName: String {
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month - 1]
    }

    private static func padded(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
