// @SOURCE@ - the handler @HANDLER@.
import PluginKit

@main
struct @TYPE@Plugin: Plugin {
    static let name = "@PLUGIN@"
    static let version = "1.0.0"
    static var handlers: [any Handler] { Greet() }
}

/// Greets `times` times, one step at a time.
struct Greet: Handler {
    static let name = "@HANDLER@"
    static let summary = "Greets somebody as often as asked."
    static let argsSchema = Schema.derived.range("times", 1...1000)

    struct Args: Codable {
        var name: String?
        var times: Int?
    }

    struct Result: Codable {
        var greetings: Int
    }

    func run(_ args: Args, _ context: Context) async throws -> Result {
        let name = args.name ?? "world"  // What an absent member means.
        let times = args.times ?? 1
        guard (1...1000).contains(times) else { throw InvalidInput("/times", "must be 1 to 1000") }
        context.stage("Greeting")
        context.total(times, unit: "greetings")
        for number in 1...times {
            try context.checkCancellation()
            context.log.info("hello \(name)", ["number": number])
            context.advance()
        }
        return Result(greetings: times)
    }
}
