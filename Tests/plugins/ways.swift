// ways.swift - a plugin that does what Swift plugins do, in all the ways that a fork could break. For tests.
import Dispatch
import Foundation
import PluginKit

@main
struct WaysPlugin: Plugin {
    static let name = "ways"
    static let version = "1.0.0"
    static let options: PluginOptions = [.needsMainQueue, .reusable]
    static var handlers: [any Handler] {
        Async()
        MainQueue()
        Contended()
        Spin()
        Sleep()
        Trap()
        DeepRecursion()
        Late()
        Later()
        Fails()
        Picture()
        Libraries()
    }
}

actor Sum {
    var value = 0
    func add(_ n: Int) { self.value += n }
}

/// Task group, actor, sleep, async let.
struct Async: Handler {
    static let name = "ways.async"
    func run(_ args: NoArgs, _ context: Context) async throws -> Int {
        let sum = Sum()
        await withTaskGroup(of: Void.self) { group in
            for n in 1...100 { group.addTask { await sum.add(n) } }
        }
        try await Task.sleep(for: .milliseconds(1))
        async let detached = Task.detached { 50 }.value
        return await sum.value + detached
    }
}

@MainActor private var onMain = 0
@MainActor private func bump() -> Int {
    onMain += 1
    return onMain
}

/// `@MainActor` and the main queue, while the handler awaits them.
struct MainQueue: Handler {
    static let name = "ways.main_queue"
    func run(_ args: NoArgs, _ context: Context) async throws -> Int {
        for _ in 0..<9 { _ = await bump() }
        return await withCheckedContinuation { continuation in
            DispatchQueue.main.async { continuation.resume(returning: MainActor.assumeIsolated { bump() }) }
        }
    }
}

/// Locks of libdispatch under contention, on the worker thread too.
struct Contended: Handler {
    static let name = "ways.contended"
    func run(_ args: NoArgs, _ context: Context) async throws -> Int {
        let queue = DispatchQueue(label: "serial")
        let total = Total()
        DispatchQueue.concurrentPerform(iterations: 200) { n in queue.sync { total.value += n } }
        return queue.sync { total.value }
    }
    /// Behind the queue.
    private final class Total: @unchecked Sendable {
        var value = 0
    }
}

/// Knows nothing but `Task.isCancelled`.
struct Spin: Handler {
    static let name = "ways.spin"
    func run(_ args: NoArgs, _ context: Context) async throws -> NoResult {
        context.stage("spinning")
        while true { try Task.checkCancellation() }
    }
}

struct Sleep: Handler {
    static let name = "ways.sleep"
    func run(_ args: NoArgs, _ context: Context) async throws -> NoResult {
        context.stage("sleeping")
        try await Task.sleep(for: .seconds(3600))
        return NoResult()
    }
}

struct Trap: Handler {
    static let name = "ways.trap"
    func run(_ args: NoArgs, _ context: Context) async throws -> Int { fatalError("the sky fell") }
}

struct DeepRecursion: Handler {
    static let name = "ways.deep_recursion"
    func run(_ args: NoArgs, _ context: Context) async throws -> Int { self.dig(context.attemptNumber) }
    @inline(never) private func dig(_ n: Int) -> Int { n < 0 ? 0 : self.dig(n + 1) + n }
}

/// A task outlives the handler and goes on talking.
struct Late: Handler {
    static let name = "ways.late"
    func run(_ args: NoArgs, _ context: Context) async throws -> NoResult {
        Task.detached { while true { context.log.info("still here") } }
        return NoResult()
    }
}

struct Later: Handler {
    static let name = "ways.snooze"
    func run(_ args: NoArgs, _ context: Context) async throws -> NoResult { throw Snooze(for: .seconds(60)) }
}

struct Fails: Handler {
    static let name = "ways.fail"
    struct Args: Codable {
        var code: String
    }
    func run(_ args: Args, _ context: Context) async throws -> NoResult {
        throw JobFailure(args.code, "it failed", retry: .after(.seconds(30)), details: ["tries": context.attemptNumber])
    }
}

struct Picture: Handler {
    static let name = "ways.blob"
    func run(_ args: NoArgs, _ context: Context) async throws -> Blob { Blob([1, 0, 255], mediaType: "image/png") }
}

/// What Foundation does behind its doors.
struct Libraries: Handler {
    static let name = "ways.libraries"
    func run(_ args: NoArgs, _ context: Context) async throws -> [String] {
        let formatter = DateFormatter()
        formatter.dateFormat = "yyyy-MM-dd"
        formatter.timeZone = TimeZone(identifier: "UTC")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/echo")
        process.arguments = ["hello"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let said = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return [formatter.string(from: Date(timeIntervalSince1970: 0)), said]
    }
}
