import Testing

/// One house rule, checked file by file.
struct Rule: Sendable, CustomTestStringConvertible {
    let name: String
    /// Which files it is about.
    let applies: @Sendable (SourceFile) -> Bool
    /// What breaks it in one file.
    let offences: @Sendable (SourceFile) -> [Offence]

    var testDescription: String { name }

    /// What breaks it in `file`, if it is about it.
    func check(_ file: SourceFile) -> [Offence] { applies(file) ? offences(file) : [] }
}

/// A place where a rule is broken.
struct Offence: Sendable, CustomStringConvertible {
    let path: String
    let line: Int
    let what: String
    var description: String { "\(path):\(line): \(what)" }
}

extension Rule {
    /// A rule that forbids words in code; comments may hold them.
    static func forbidding(
        _ name: String, words: [String], ignoringCase: Bool = false,
        in applies: @escaping @Sendable (SourceFile) -> Bool
    ) -> Rule {
        Rule(name: name, applies: applies) { file in
            file.code.enumerated().flatMap { index, line in
                words.filter { line.contains(word: $0, ignoringCase: ignoringCase) }
                    .map { Offence(path: file.path, line: index + 1, what: "\"\($0)\" does not belong here") }
            }
        }
    }

    /// A rule that allows no other imports than these.
    static func allowing(
        _ name: String, imports: Set<Substring>, in applies: @escaping @Sendable (SourceFile) -> Bool
    ) -> Rule {
        Rule(name: name, applies: applies) { file in
            file.imports.filter { !imports.contains($0.module) }
                .map { Offence(path: file.path, line: $0.line, what: "imports \($0.module)") }
        }
    }

    /// A rule that forbids some imports.
    static func forbidding(
        _ name: String, imports: Set<Substring>, in applies: @escaping @Sendable (SourceFile) -> Bool
    ) -> Rule {
        Rule(name: name, applies: applies) { file in
            file.imports.filter { imports.contains($0.module) }
                .map { Offence(path: file.path, line: $0.line, what: "imports \($0.module)") }
        }
    }
}

extension Substring {
    /// Whether `word` occurs where no letter, digit or underscore continues it.
    func contains(word: String, ignoringCase: Bool = false) -> Bool {
        let text = ignoringCase ? self.lowercased()[...] : self
        return text.ranges(of: word).contains { range in
            let before = range.lowerBound > text.startIndex ? text[text.index(before: range.lowerBound)] : " "
            let after = range.upperBound < text.endIndex ? text[range.upperBound] : " "
            return !(word.first?.isWordPart == true && before.isWordPart)
                && !(word.last?.isWordPart == true && after.isWordPart)
        }
    }
}

extension Character {
    fileprivate var isWordPart: Bool { isLetter || isNumber || self == "_" }
}
