// swift-tools-version: 6.2

import PackageDescription

/// Settings of every Swift target: the language as its best engineers write it (CONTRIBUTING.md).
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ExistentialAny"),
    .treatAllWarnings(as: .error),
    // Debug builds, and so the tests, check exclusive access at run time; release builds do without
    // (20 to 65 ns per operation) and may inline across modules (a dialogue reads its input byte by byte).
    .unsafeFlags(["-enforce-exclusivity=unchecked", "-cross-module-optimization"], .when(configuration: .release)),
]

let package = Package(
    name: "mailgateway",
    products: [
        .executable(name: "mailgateway", targets: ["MailGateway"])
    ],
    traits: [
        .trait(name: "MySQL", description: "auth_mysql, which needs libmariadb."),
        .trait(name: "PAM", description: "auth_pam, which needs libpam."),
        .default(enabledTraits: ["MySQL", "PAM"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CURing", pkgConfig: "liburing", providers: [.apt(["liburing-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        // With a C file, for ares.h must not be seen by Swift (its header says why).
        .target(name: "CAres", linkerSettings: [.linkedLibrary("cares")]),
        .systemLibrary(name: "CCrypt", providers: [.apt(["libcrypt-dev"])]),
        .systemLibrary(name: "CMariaDB", pkgConfig: "libmariadb", providers: [.apt(["libmariadb-dev"])]),
        .systemLibrary(name: "CPAM", providers: [.apt(["libpam0g-dev"])]),
        .systemLibrary(name: "CYardstick", path: "Benchmarks/CYardstick"),
        .target(name: "CAllocations", path: "Benchmarks/CAllocations"),
        .target(
            name: "AsyncIO",
            dependencies: [
                "CAres", "CLinux", "CURing", "COpenSSL", .product(name: "DequeModule", package: "swift-collections"),
            ],
            swiftSettings: strict),
        .target(
            name: "MailSessions",
            dependencies: [
                "AsyncIO", "COpenSSL", "CCrypt", .target(name: "CMariaDB", condition: .when(traits: ["MySQL"])),
                .target(name: "CPAM", condition: .when(traits: ["PAM"])),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "MailGateway",
            dependencies: [
                "AsyncIO", "CLinux", "MailSessions",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "Benchmarks",
            dependencies: [
                "AsyncIO", "CAllocations", "COpenSSL", "CYardstick", "MailSessions",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ],
            path: "Benchmarks",
            exclude: ["CAllocations", "CYardstick"],
            swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["AsyncIO", "COpenSSL", "MailSessions"], path: "Tests/TestSupport",
            swiftSettings: strict),
        .testTarget(
            name: "AsyncIOTests", dependencies: ["AsyncIO", "CLinux", "COpenSSL", "TestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "MailSessionsTests",
            dependencies: [
                "AsyncIO", "MailSessions", "TestSupport", .target(name: "CPAM", condition: .when(traits: ["PAM"])),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MailGatewayTests",
            dependencies: [
                "MailGateway", "TestSupport", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "EndToEndTests", dependencies: ["MailGateway", "TestSupport"], exclude: ["Clients"],
            swiftSettings: strict),
        .testTarget(
            name: "FuzzTests", dependencies: ["MailGateway", "MailSessions", "TestSupport"], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)
