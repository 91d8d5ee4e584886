// swift-tools-version: 6.2
// For `swift test` alone; the plugin itself is built by the Makefile, as one self-contained library.
import PackageDescription

let prefix = Context.environment["PREFIX"] ?? "/usr/local"

let package = Package(
    name: "hello",
    dependencies: [.package(path: "\(prefix)/lib/pawl/swift/PluginKit")],
    targets: [
        // An executable target, because of its @main; nobody runs it.
        .executableTarget(
            name: "Hello", dependencies: [.product(name: "PluginKit", package: "PluginKit")], path: "Sources"),
        .testTarget(
            name: "HelloTests",
            dependencies: ["Hello", .product(name: "PluginKitTesting", package: "PluginKit")], path: "Tests"),
    ],
    swiftLanguageModes: [.v6]
)
