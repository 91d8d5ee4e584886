import PluginKit

@main
struct TrainPlugin: Plugin {
    static let name = "train"
    static let version = "1.0.0"
    static var handlers: [any Handler] { TrainClassifier() }
}
