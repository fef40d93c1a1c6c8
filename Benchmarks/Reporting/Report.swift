import Foundation

/// What a run found, as text for people and as JSON for programs.
struct Report: Codable {
    /// The circumstances: one line each.
    let circumstances: [String]
    private(set) var series: [Series] = []

    init(circumstances: [String]) {
        self.circumstances = circumstances
    }

    mutating func add(_ sample: Sample, _ scenario: Scenario, _ system: SystemUnderTest) {
        if let index = series.firstIndex(where: { $0.scenario == scenario.name && $0.system == system.name }) {
            series[index].samples.append(sample)
        } else {
            series.append(
                Series(scenario: scenario.name, unit: scenario.unit.rawValue, system: system.name, samples: [sample]))
        }
    }

    func writeJSON(to path: String) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: URL(fileURLWithPath: path))
    }

    /// The table of one scenario; ratios compare samples of the same round only.
    func table(of scenario: Scenario) -> String {
        let rows = series.filter { $0.scenario == scenario.name }
        let yardstick = rows.first { $0.system == SystemUnderTest.yardstick }
        let isMemory = scenario.unit == .idleSession
        // By name of the system; empty where the base was not measured.
        let bases = Dictionary(
            uniqueKeysWithValues: series.filter { $0.scenario == scenario.base }.map { ($0.system, $0) })
        let cost = isMemory ? "bytes (PSS) per \(scenario.unit.rawValue)" : "CPU us per \(scenario.unit.rawValue)"
        var head = ["system", cost, "ratio to nginx", "memory MiB"]
        if let base = scenario.base, !bases.isEmpty { head.insert("ratio to \(base)", at: 3) }
        if !isMemory {
            head += ["\(scenario.unit.plural)/s", "p50 us", "p99 us", "CPU server", "waited", "load", "back-ends"]
        }
        let body = rows.map { row in
            var cells = [row.system, Self.cell(row.samples.map(\.cost)), Self.ratio(row, to: yardstick)]
            if !bases.isEmpty { cells.append(bases[row.system].map { Self.cell(row.ratios(to: $0)) } ?? "-") }
            cells.append(Self.middle(row.samples.map { Double($0.memory) / 1_048_576 }, digits: 1))
            if !isMemory {
                cells.append(Self.middle(row.samples.compactMap(\.rate), digits: 0))
                cells.append(Self.middle(row.samples.compactMap(\.p50), digits: 0))
                cells.append(Self.middle(row.samples.compactMap(\.p99), digits: 0))
                for share in [\Sample.serverShare, \.serverWait, \.loadShare, \.backEndShare] {
                    cells.append(Self.middle(row.samples.map { $0[keyPath: share] * 100 }, digits: 0) + " %")
                }
            }
            return cells
        }
        return "\(scenario.name): \(scenario.summary)\n" + Self.aligned([head] + body)
    }

    private static func ratio(_ row: Series, to yardstick: Series?) -> String {
        guard let yardstick, row.system != yardstick.system else { return row.system == yardstick?.system ? "1" : "-" }
        return cell(row.ratios(to: yardstick))
    }

    /// Median, and the range over the rounds.
    private static func cell(_ values: [Double]) -> String {
        guard let spread = Spread(values) else { return "-" }
        let digits = spread.median < 10 ? 2 : spread.median < 100 ? 1 : 0
        return "\(text(spread.median, digits)) (\(text(spread.minimum, digits))..\(text(spread.maximum, digits)))"
    }

    private static func middle(_ values: [Double], digits: Int) -> String {
        Spread(values).map { text($0.median, digits) } ?? "-"
    }

    private static func text(_ value: Double, _ digits: Int) -> String {
        value.formatted(
            .number.precision(.fractionLength(digits)).grouping(.never).locale(Locale(identifier: "en_US_POSIX")))
    }

    /// Columns of equal width; the first to the left, numbers to the right.
    private static func aligned(_ rows: [[String]]) -> String {
        let widths = (rows.first ?? []).indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).enumerated().map { column, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return column == 0 ? cell.0 + padding : padding + cell.0
            }
            return "  " + cells.joined(separator: "  ") + "\n"
        }.joined()
    }
}
