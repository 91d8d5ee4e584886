import PluginKit

@main
struct HelloPlugin: Plugin {
    static let name = "hello-tested"
    static let version = "1.0.0"
    static var handlers: [any Handler] { Hello() }
}
