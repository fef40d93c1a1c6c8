import AsyncIO
import Testing

@Suite struct SecretTests {
    @Test func aSecretHasNoText() {
        let secret = Secret(Array("hunter2".utf8))
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), String(describing: [secret]), dumped] {
            #expect(!text.contains("hunter2") && !text.contains("104"), "\(text)")
        }
    }

    @Test func aSecretKeepsItsBytes() {
        let secret = Secret([1, 2, 3])
        #expect(secret.bytes == [1, 2, 3] && secret.count == 3 && !secret.isEmpty)
        #expect(secret.contains { $0 == 3 } && !secret.contains { $0 == 4 })
        #expect(Secret([]).isEmpty && Secret([]).bytes.isEmpty)
    }

    @Test(arguments: [
        ([1, 2, 3], true), ([1, 2], false), ([1, 2, 3, 4], false), ([3, 2, 1], false), ([1, 2, 131], false),
        ([], false),
    ])
    func comparison(_ other: [UInt8], isEqual: Bool) {
        #expect(Secret([1, 2, 3]).equals(other) == isEqual)
    }

    @Test func wipingEmptiesAnArray() {
        var bytes: [UInt8] = [1, 2, 3]
        wipe(&bytes)
        #expect(bytes.isEmpty)
        wipe(&bytes)
        #expect(bytes.isEmpty)
    }
}
