import FoundationEssentials
import Glibc
import PluginKit

/// `bulk.operation`: the same for each file of a list, with a result for each, and a journal to go on from.
struct BulkOperation: Handler {
    static let name = "bulk.operation"
    static let summary =
        "Copies, moves, hashes or removes each file of a list, with a result for each; goes on where it was."

    struct Args: Codable {
        var operation: Operation
        var items: String
        var results: String
        var overwrite: Bool?
        var maxErrors: Int?

        enum CodingKeys: String, CodingKey {
            case operation, items, results, overwrite
            case maxErrors = "max_errors"
        }
    }

    struct Result: Codable {
        var items: Int
        var done: Int
        var failed: Int
        /// Items that an earlier attempt had done.
        var resumedAt: Int
        var results: String

        enum CodingKeys: String, CodingKey {
            case items, done, failed, results
            case resumedAt = "resumed_at"
        }
    }

    static let argsSchema = Schema.derived
        .describe("operation", "What is done to each file")
        .describe(
            "items", "JSON Lines file, an object in each line: source, and target to copy or move to; absolute paths"
        )
        .describe(
            "results", "JSON Lines file to write, a line for each item; while it is made there is RESULTS.journal"
        )
        .describe("overwrite", "Whether targets that exist are replaced")
        .describe("max_errors", "The run fails when more items than this have failed")
        .range("max_errors", 0...1_000_000_000)
        .defaultValue("overwrite", false)
        .defaultValue("max_errors", 100)

    /// So many items are at most lost from the journal when the machine ends, and are done again.
    private static let durableEvery = 64

    func run(_ args: Args, _ context: Context) async throws -> Result {
        do {
            return try await self.work(args, context)
        } catch let fault as FileFault {
            throw fault.failure
        }
    }

    private func work(_ args: Args, _ context: Context) async throws -> Result {
        guard args.items.hasPrefix("/") else { throw InvalidInput("/items", "must be an absolute path") }
        guard args.results.hasPrefix("/") else { throw InvalidInput("/results", "must be an absolute path") }
        let replaces = args.overwrite ?? false
        let total = try self.count(args.items, context)
        let size = Int(try Descriptor(args.items, O_RDONLY, verb: "read").status().st_size)
        var journal = try Journal(
            for: args.results,
            .init(operation: args.operation, items: args.items, itemBytes: size, overwrite: replaces))
        let resumedAt = journal.done
        if resumedAt > 0 { context.log.info("goes on", ["done": resumedAt, "failed": journal.failed]) }

        context.stage("\(args.operation.rawValue.capitalizedFirst) files")
        context.total(total, unit: "items")
        context.advance(resumedAt)
        var lines = try Lines(args.items)
        var number = 0
        while let line = try lines.next() {
            guard !line.allSatisfy(\.isWhitespace) else { continue }
            number += 1
            guard number > resumedAt else { continue }
            try context.checkCancellation()
            let isRepeated = resumedAt > 0 || context.attemptNumber > 1
            let result = self.one(
                number, line, args.operation, replaces: replaces,
                isRepeated: isRepeated && number <= resumedAt + Self.durableEvery, context.runID)
            try journal.add(result)
            context.advance()
            if result.status == "done" {
                context.count("done")
            } else {
                context.count("errors")
                if journal.failed <= 20 {
                    context.log.warning("item \(number) failed", ["item": number, "error": result.error ?? ""])
                }
            }
            if number % Self.durableEvery == 0 { try journal.makeDurable() }
            let limit = args.maxErrors ?? 100
            if journal.failed > limit {
                try journal.makeDurable()
                throw JobFailure(
                    "bulk_too_many_errors",
                    "\(journal.failed) items failed, more than \(limit); the last: \(result.error ?? "")",
                    retry: .never)
            }
        }
        try journal.makeDurable()
        try journal.finish(as: args.results)
        return Result(
            items: journal.done, done: journal.done - journal.failed, failed: journal.failed, resumedAt: resumedAt,
            results: args.results)
    }

    /// For the total.
    private func count(_ path: String, _ context: Context) throws -> Int {
        context.stage("Counting")
        var (lines, count) = (try Lines(path), 0)
        while let line = try lines.next() {
            if !line.allSatisfy(\.isWhitespace) { count += 1 }
            if count % 4096 == 0 { try context.checkCancellation() }
        }
        return count
    }

    private func one(
        _ number: Int, _ line: String, _ operation: Operation, replaces: Bool, isRepeated: Bool, _ run: String
    ) -> ItemResult {
        var result = ItemResult(item: number, status: "failed")
        do {
            let item = try JSONDecoder().decode(Item.self, from: Data(line.utf8))
            result.source = item.source
            result.target = item.target
            let paths = [item.source] + (operation.needsTarget ? [item.target ?? ""] : [])
            guard paths.allSatisfy({ $0.hasPrefix("/") && !$0.utf8.contains(0) }) else {
                result.error = "\(operation.needsTarget ? "source and target" : "source") must be absolute paths"
                return result
            }
            let outcome = try operation.apply(to: item, replaces: replaces, isRepeated: isRepeated, run: run)
            result.bytes = outcome.bytes
            result.sha256 = outcome.sha256
            result.status = "done"
        } catch let fault as FileFault {
            result.error = fault.words
        } catch let failure as JobFailure {
            result.error = failure.message
        } catch {
            result.error = "the line is no object with source (and target)"
        }
        return result
    }
}

extension String {
    fileprivate var capitalizedFirst: String { self.prefix(1).uppercased() + self.dropFirst() }
}
