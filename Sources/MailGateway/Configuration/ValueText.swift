/// Decimal digits only, no sign, within bounds; nil for anything else.
func decimal(_ text: some StringProtocol, in range: ClosedRange<Int> = 0...Int.max) -> Int? {
    guard !text.isEmpty else { return nil }
    var value = 0
    for byte in text.utf8 {
        guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        let (product, overflowed) = value.multipliedReportingOverflow(by: 10)
        let (sum, carried) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
        guard !overflowed, !carried else { return nil }
        value = sum
    }
    return range.contains(value) ? value : nil
}

/// Bytes with an optional `k`, `K`, `m` or `M`, within bounds; nil for anything else.
func byteCount(_ text: String, in range: ClosedRange<Int>) -> Int? {
    let factor: Int
    switch text.utf8.last {
    case UInt8(ascii: "k"), UInt8(ascii: "K"): factor = 1 << 10
    case UInt8(ascii: "m"), UInt8(ascii: "M"): factor = 1 << 20
    default: factor = 1
    }
    guard let number = decimal(factor == 1 ? text[...] : text.dropLast()) else { return nil }
    let (value, overflowed) = number.multipliedReportingOverflow(by: factor)
    return !overflowed && range.contains(value) ? value : nil
}

/// The two kinds of time in nginx's language; a last number without a unit is seconds in both.
enum TimePrecision: Sendable {
    /// Units `w d h m s ms`.
    case milliseconds
    /// Units `y M w d h m s`: a month is 30 days, a year 365.
    case seconds

    /// Units from the longest to the shortest with their length in milliseconds.
    fileprivate var units: [(name: String, length: Int)] {
        let second = 1000
        let day = 86_400 * second
        let common = [
            ("w", 7 * day), ("d", day), ("h", 3600 * second), ("m", 60 * second), ("s", second),
        ]
        switch self {
        case .milliseconds: return common + [("ms", 1)]
        case .seconds: return [("y", 365 * day), ("M", 30 * day)] + common
        }
    }
}

/// The longest time, 100 years: it still fits a deadline in nanoseconds.
let timeMaximum = Duration.seconds(100 * 365 * 86_400)

/// Digits with units in descending order, spaces between the parts; nil for anything else.
func duration(_ text: some StringProtocol, precision: TimePrecision) -> Duration? {
    let units = precision.units
    var rest = Substring(text)
    var nextUnit = 0
    var total = Duration.zero
    guard !rest.isEmpty, rest.first != " " else { return nil }
    while !rest.isEmpty {
        let digits = rest.prefix { $0.isASCII && $0.isNumber }
        guard let number = decimal(digits) else { return nil }
        rest = rest.dropFirst(digits.count)
        let unitText = rest.prefix { $0 != " " && !($0.isASCII && $0.isNumber) }
        rest = rest.dropFirst(unitText.count)
        let spaces = rest.prefix { $0 == " " }
        rest = rest.dropFirst(spaces.count)
        let length: Int
        if unitText.isEmpty {
            guard rest.isEmpty else { return nil }
            length = 1000
        } else {
            guard let unit = units.indices[nextUnit...].first(where: { units[$0].name == unitText }) else { return nil }
            nextUnit = unit + 1
            length = units[unit].length
        }
        // Checked before the product is made: it would overflow otherwise.
        guard number <= Int(timeMaximum.components.seconds) * 1000 / length else { return nil }
        total += .milliseconds(length * number)
        guard total <= timeMaximum else { return nil }
    }
    return total
}
