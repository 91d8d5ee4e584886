// hello.swift - a plugin with one handler, as its author writes it.
import PluginKit

@main
struct HelloPlugin: Plugin {
    static let name = "hello-swift"
    static let version = "1.0.0"
    static var handlers: [any Handler] { Hello() }
}

/// Greets `times` times, one step at a time.
struct Hello: Handler {
    static let name = "hello.swift"
    static let summary = "Greets somebody as often as asked."
    static let argsSchema = Schema.derived.range("times", 1...1_000_000)

    struct Args: Codable {
        var name: String?
        var times: Int?
    }

    struct Result: Codable {
        var greetings: Int
    }

    func run(_ args: Args, _ context: Context) async throws -> Result {
        let name = args.name ?? "world"
        let times = args.times ?? 1
        context.stage("greeting")
        context.total(times, unit: "greetings")
        for number in stride(from: 1, through: times, by: 1) {
            try context.checkCancellation()
            context.log.info("hello \(name)", ["number": number])
            context.advance()
        }
        return Result(greetings: times)
    }
}
