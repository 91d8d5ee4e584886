// dynamic.swift - a plugin that takes the toolchain's shared Swift runtime and not one of its own, and asks a server. For tests.
import Foundation
import FoundationNetworking
import PluginKit

@main
struct DynamicPlugin: Plugin {
    static let name = "dynamic"
    static let version = "1.0.0"
    static var handlers: [any Handler] {
        Tasks()
        Fetch()
    }
}

struct Tasks: Handler {
    static let name = "dynamic.tasks"
    func run(_ args: NoArgs, _ context: Context) async throws -> Int {
        await withTaskGroup(of: Int.self) { group in
            for n in 1...100 { group.addTask { n } }
            return await group.reduce(0, +)
        }
    }
}

/// URLSession has threads, a run loop and libcurl behind it.
struct Fetch: Handler {
    static let name = "dynamic.fetch"
    struct Args: Codable {
        var url: String
    }
    struct Answer: Codable {
        var status: Int
        var bytes: Int
    }
    func run(_ args: Args, _ context: Context) async throws -> Answer {
        guard let url = URL(string: args.url) else { throw JobFailure("bad_url", "that is no URL") }
        let (data, response) = try await URLSession.shared.data(from: url)
        return Answer(status: (response as? HTTPURLResponse)?.statusCode ?? 0, bytes: data.count)
    }
}
