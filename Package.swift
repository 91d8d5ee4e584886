// swift-tools-version: 6.2
import PackageDescription

// The tree is the dependency graph (docs/ARCHITECTURE.md): a target imports only targets below it,
// and CI builds with --explicit-target-dependency-import-check error.
let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let package = Package(
    name: "pawl",
    products: [
        .executable(name: "pawl", targets: ["pawl"]),
        .library(name: "PluginKit", targets: ["PluginKit"]),
        .library(name: "PluginKitTesting", targets: ["PluginKitTesting"]),
        .library(name: "PluginKitLogging", targets: ["PluginKitLogging"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
    ],
    targets: [
        // MARK: The ABI
        .target(
            name: "PluginABI", path: ".", sources: ["Sources/PluginABI/layout.c"], publicHeadersPath: "include"),
        .target(
            name: "PluginKit", dependencies: ["PluginABI"], path: "Sources/PluginABI/PluginKit", swiftSettings: settings
        ),
        .target(
            name: "PluginKitTesting", dependencies: ["PluginABI", "PluginKit"],
            path: "Sources/PluginABI/PluginKitTesting", swiftSettings: settings),
        .target(
            name: "PluginKitLogging", dependencies: ["PluginKit", .product(name: "Logging", package: "swift-log")],
            path: "Sources/PluginABI/PluginKitLogging", swiftSettings: settings),
        .target(name: "CWire", path: "Sources/PluginABI/Wire"),

        // MARK: Runtime
        .systemLibrary(
            name: "CLibuv", path: "Sources/Runtime/CLibuv", pkgConfig: "libuv", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(
            name: "CLibpq", path: "Sources/Runtime/CLibpq", pkgConfig: "libpq", providers: [.apt(["libpq-dev"])]),
        .target(name: "CLinux", path: "Sources/Runtime/CLinux"),
        .target(name: "JobCore", path: "Sources/Runtime/JobCore", swiftSettings: settings),
        .target(
            name: "UVLoop", dependencies: ["CLibuv", "CLinux"], path: "Sources/Runtime/UVLoop", swiftSettings: settings),
        .target(
            name: "Postgres",
            dependencies: ["CLibpq", "UVLoop", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Runtime/Postgres", swiftSettings: settings),
        .target(
            name: "NIOLibuv",
            dependencies: [
                "CLibuv", "CLinux", "UVLoop", .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Sources/Runtime/NIOLibuv", swiftSettings: settings),
        .systemLibrary(name: "CDemangle", path: "Sources/Runtime/CDemangle"),
        .target(
            name: "Inspection",
            dependencies: [
                "CDemangle", "JobCore", "UVLoop", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Runtime/Inspection", swiftSettings: settings),
        .target(
            name: "Supervision",
            dependencies: [
                "CLinux", "CWire", "Inspection", "JobCore", "UVLoop", .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Runtime/Supervision", swiftSettings: settings),
        .target(
            name: "Plugins",
            dependencies: [
                "CLinux", "JobCore", "Supervision", "UVLoop",
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Runtime/Plugins", swiftSettings: settings),
        .target(
            name: "JobStore",
            dependencies: ["JobCore", "Postgres", "UVLoop", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Runtime/JobStore",
            resources: [.embedInCode("SQL")], swiftSettings: settings),
        .target(
            name: "JobRunner",
            dependencies: [
                "Inspection", "JobCore", "JobStore", "Plugins", "Supervision", "UVLoop",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Runtime/JobRunner", swiftSettings: settings),

        // MARK: Host
        .systemLibrary(
            name: "CCurl", path: "Sources/Host/CCurl", pkgConfig: "libcurl",
            providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(
            name: "CYaml", path: "Sources/Host/CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(
            name: "EmbeddedPostgres",
            dependencies: ["CLinux", "UVLoop", .product(name: "Logging", package: "swift-log")],
            path: "Sources/Host/EmbeddedPostgres", swiftSettings: settings),
        .target(name: "Dashboard", path: "Sources/Host/Dashboard", exclude: ["assets"]),
        .target(
            name: "ControlPlane",
            dependencies: [
                "Dashboard", "JobCore", "JobStore", "NIOLibuv", "UVLoop",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Host/ControlPlane",
            resources: [.embedInCode("openapi.json")], swiftSettings: settings),
        // Attempts per second without a database; for `make bench`.
        .executableTarget(
            name: "bench-attempts",
            dependencies: ["JobCore", "Supervision", "UVLoop", .product(name: "Logging", package: "swift-log")],
            path: "bench/attempts", swiftSettings: settings),
        .executableTarget(
            name: "pawl",
            dependencies: [
                "CCurl", "CLinux", "CYaml", "ControlPlane", "EmbeddedPostgres", "JobCore", "JobRunner", "JobStore",
                "NIOLibuv",
                "Plugins", "Postgres", "Supervision", "UVLoop",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Host/Main", swiftSettings: settings),

        // MARK: Tests
        .testTarget(name: "JobCoreTests", dependencies: ["JobCore"], swiftSettings: settings),
        .testTarget(name: "UVLoopTests", dependencies: ["CLinux", "UVLoop"], swiftSettings: settings),
        .target(
            name: "PostgresTestSupport",
            dependencies: ["EmbeddedPostgres", "Postgres", "UVLoop", .product(name: "Logging", package: "swift-log")],
            path: "Tests/PostgresTestSupport", swiftSettings: settings),
        .testTarget(
            name: "PostgresTests",
            dependencies: [
                "EmbeddedPostgres", "Postgres", "PostgresTestSupport", "UVLoop",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "JobStoreTests",
            dependencies: [
                "JobCore", "JobStore", "Postgres", "PostgresTestSupport", "UVLoop",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "InspectionTests",
            dependencies: [
                "Inspection", "JobCore", "Supervision", "UVLoop", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "JobRunnerTests",
            dependencies: [
                "Inspection", "JobCore", "JobRunner", "JobStore", "Plugins", "Postgres", "PostgresTestSupport",
                "Supervision", "UVLoop",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "NIOLibuvTests",
            dependencies: ["NIOLibuv", "UVLoop", .product(name: "NIOCore", package: "swift-nio")],
            swiftSettings: settings),
        .testTarget(
            name: "SupervisionTests",
            dependencies: [
                "CLinux", "CWire", "JobCore", "Plugins", "Supervision", "UVLoop",
                .product(name: "Crypto", package: "swift-crypto"), .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ControlPlaneTests",
            dependencies: [
                "ControlPlane", "JobCore", "JobStore", "NIOLibuv", "Postgres", "PostgresTestSupport", "UVLoop",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "PluginKitTests",
            dependencies: [
                "PluginABI", "PluginKit", "PluginKitLogging", "PluginKitTesting",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
