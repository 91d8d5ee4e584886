// swift-tools-version: 6.2
// PluginKit as a package, for `swift build` and `swift test` of handlers. It lies under Pawl's prefix with its sources, and
// needs no network:
//
//     .package(path: "/usr/local/lib/pawl/swift/PluginKit")
//
// With the trait SwiftLog it also has PluginKitLogging, and then needs swift-log.
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

let package = Package(
    name: "PluginKit",
    products: [
        .library(name: "PluginKit", targets: ["PluginKit"]),
        .library(name: "PluginKitTesting", targets: ["PluginKitTesting"]),
        .library(name: "PluginKitLogging", targets: ["PluginKitLogging"]),
    ],
    traits: [
        .trait(name: "SwiftLog", description: "PluginKitLogging: a logger of swift-log that writes to the run's log")
    ],
    dependencies: [.package(url: "https://github.com/apple/swift-log", from: "1.16.0")],
    targets: [
        .systemLibrary(name: "PluginABI"),
        .target(name: "PluginKit", dependencies: ["PluginABI"], swiftSettings: settings),
        .target(name: "PluginKitTesting", dependencies: ["PluginABI", "PluginKit"], swiftSettings: settings),
        .target(
            name: "PluginKitLogging",
            dependencies: [
                "PluginKit", .product(name: "Logging", package: "swift-log", condition: .when(traits: ["SwiftLog"])),
            ],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
