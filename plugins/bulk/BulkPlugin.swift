import PluginKit

@main
struct BulkPlugin: Plugin {
    static let name = "bulk"
    static let version = "1.0.0"
    static var handlers: [any Handler] { BulkOperation() }
}
