import PluginKit

/// Greets everybody once, one step at a time.
struct Hello: Handler {
    static let name = "hello.everybody"
    static let summary = "Greets everybody in a list."

    struct Args: Codable, HasDefaults, Annotated {
        var names: [String] = ["world"]
        var greeting = "hello"
        static let notes: [String: Note] = [
            "names": Note("Who is greeted").count(1...1000),
            "greeting": Note("How").length(1...80),
        ]
    }

    struct Result: Codable, Equatable {
        var greetings: Int
    }

    func run(_ args: Args, _ context: Context) async throws -> Result {
        try await context.each(args.names, stage: "Greeting", unit: "people", failures: .counted(as: "errors")) {
            name in
            guard !name.isEmpty else { throw JobFailure("no_name", "nobody has an empty name") }
            context.log.info("\(args.greeting) \(name)")
            context.count("greeted")
        }
        return Result(greetings: args.names.count)
    }
}
