import PluginKit

@main
struct TextStatsPlugin: Plugin {
    static let name = "text-stats"
    static let version = "1.0.0"
    static let options: PluginOptions = [.reusable]
    static var handlers: [any Handler] { TextStats() }
}
