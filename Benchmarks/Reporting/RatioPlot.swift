import Foundation

/// A picture of the ratios to nginx: one line per scenario, one dot per system, with the range over the rounds.
struct RatioPlot {
    private struct Mark {
        let system: String
        let spread: Spread
    }

    private struct Row {
        let scenario: Scenario
        let marks: [Mark]
    }

    private let rows: [Row]
    private let circumstances: String
    private let systems: [String]

    /// Left and right end of the scale, which is logarithmic: half as much is as far as twice as much.
    private static let range = 0.125...4.0
    private static let grid = [0.125, 0.25, 0.5, 1, 2, 4]
    private static let (labels, width, lineHeight, head) = (190.0, 900.0, 18.0, 64.0)
    private static let colors = [
        "mailgateway": "#0b6e4f", "nginx-64k": "#9ab87a", "haproxy": "#7aa6d6", "haproxy-64k": "#2f5d9b",
        "dovecot": "#c77d2e", "nginx-again": "#888888",
    ]

    /// - Parameter scenarios: in the order in which they are drawn.
    init(_ report: Report, scenarios: [Scenario]) {
        rows = scenarios.compactMap { scenario in
            let series = report.series.filter { $0.scenario == scenario.name }
            guard let yardstick = series.first(where: { $0.system == SystemUnderTest.yardstick }) else { return nil }
            let marks = series.filter { $0.system != SystemUnderTest.yardstick }.compactMap { row in
                Spread(row.ratios(to: yardstick)).map { Mark(system: row.system, spread: $0) }
            }
            return Row(scenario: scenario, marks: marks)
        }
        circumstances = report.circumstances.first ?? ""
        let present = Set(rows.flatMap { $0.marks.map(\.system) })
        systems = SystemUnderTest.names.filter { present.contains($0) }
    }

    /// The document.
    var svg: String {
        let height = Self.head + Double(rows.count) * Self.lineHeight + 30
        var lines = [
            """
            <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(height))" \
            font-family="sans-serif" font-size="11" fill="#222222">
            <title>CPU time or memory per unit of work, relative to nginx</title>
            <rect width="100%" height="100%" fill="#ffffff"/>
            <text x="8" y="18" font-size="13">CPU time per unit of work, or memory per idle session, relative to nginx \
            (left is better)</text>
            """
        ]
        var x = 8.0
        for system in systems {
            lines.append(dot(x + 4, 34, system) + text(x + 12, 38, system))
            x += 30 + Double(system.count) * 6.5
        }
        let bottom = Self.head + Double(rows.count) * Self.lineHeight
        for value in Self.grid {
            let x = position(value)
            let color = value == 1 ? "#222222" : "#dddddd"
            lines.append(
                "<line x1=\"\(number(x))\" y1=\"\(number(Self.head - 8))\" x2=\"\(number(x))\" y2=\"\(number(bottom))\" "
                    + "stroke=\"\(color)\"/>"
                    + text(x, Self.head - 12, value == 1 ? "nginx" : "\(value)", anchor: "middle"))
        }
        for (index, row) in rows.enumerated() {
            let y = Self.head + (Double(index) + 0.5) * Self.lineHeight
            lines.append(text(Self.labels - 10, y + 4, row.scenario.name, anchor: "end"))
            // Ours last, so that it lies on top.
            for mark in row.marks.sorted(by: { $1.system == "mailgateway" && $0.system != "mailgateway" }) {
                lines.append(draw(mark, y))
            }
        }
        lines.append(text(8, bottom + 20, "Median and range of the rounds of one run. " + circumstances))
        return (lines + ["</svg>", ""]).joined(separator: "\n")
    }

    private func draw(_ mark: Mark, _ y: Double) -> String {
        let (left, right) = (position(mark.spread.minimum), position(mark.spread.maximum))
        return "<line x1=\"\(number(left))\" y1=\"\(number(y))\" x2=\"\(number(right))\" y2=\"\(number(y))\" "
            + "stroke=\"\(color(mark.system))\" stroke-width=\"2\"/>"
            + dot(position(mark.spread.median), y, mark.system)
    }

    private func dot(_ x: Double, _ y: Double, _ system: String) -> String {
        "<circle cx=\"\(number(x))\" cy=\"\(number(y))\" r=\"4\" fill=\"\(color(system))\"/>"
    }

    private func text(_ x: Double, _ y: Double, _ text: String, anchor: String = "start") -> String {
        "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(text)</text>"
    }

    private func color(_ system: String) -> String { Self.colors[system] ?? "#888888" }

    /// What lies outside of the scale stands at its end.
    private func position(_ ratio: Double) -> Double {
        let held = min(max(ratio, Self.range.lowerBound), Self.range.upperBound)
        let share = log2(held / Self.range.lowerBound) / log2(Self.range.upperBound / Self.range.lowerBound)
        return Self.labels + share * (Self.width - Self.labels - 20)
    }

    private func number(_ value: Double) -> String { String(format: "%.1f", value) }
}
