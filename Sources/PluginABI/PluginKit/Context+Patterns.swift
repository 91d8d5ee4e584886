/// The patterns of progress as calls: a stage, its total, one step per item, and a look for a cancellation before each. What
/// they do can be done by hand with ``Context/stage(_:file:line:)`` and its like; `docs/plugins.md` shows both.
extension Context {
    /// **Known total**: "Processing users (1,250 / 5,000)", 25 %.
    ///
    /// ```swift
    /// try await context.each(users, stage: "Processing users", unit: "users") { user in
    ///     try await update(user)
    /// }
    /// ```
    ///
    /// - Parameter failures: what becomes of an item whose work throws; by default the error ends the loop. A
    ///   `CancellationError` always does.
    public func each<Items: Collection>(
        _ items: Items, stage: String, unit: String? = nil, failures: ItemFailures = .end,
        file: StaticString = #fileID, line: UInt = #line, _ work: (Items.Element) async throws -> Void
    ) async throws {
        self.stage(stage, file: file, line: line)
        self.total(items.count, unit: unit, file: file, line: line)
        var tally = FailureTally(failures)
        for item in items {
            try self.checkCancellation()
            try await tally.work(in: self) { try await work(item) }
            self.advance(file: file, line: line)
        }
    }

    /// **Unknown total**: "Scanning (1,250 processed)", without a percentage that would be a lie.
    public func each<Items: AsyncSequence>(
        _ items: Items, stage: String, failures: ItemFailures = .end,
        file: StaticString = #fileID, line: UInt = #line, _ work: (Items.Element) async throws -> Void
    ) async throws {
        self.stage(stage, file: file, line: line)
        var tally = FailureTally(failures)
        for try await item in items {
            try self.checkCancellation()
            try await tally.work(in: self) { try await work(item) }
            self.advance(file: file, line: line)
        }
    }

    /// **Phases**: a stage with its own total, whose duration stands in the log.
    public func phase<Result>(
        _ name: String, total: Int? = nil, unit: String? = nil,
        file: StaticString = #fileID, line: UInt = #line, _ work: () async throws -> Result
    ) async throws -> Result {
        try self.checkCancellation()
        self.stage(name, file: file, line: line)
        if let total { self.total(total, unit: unit, file: file, line: line) }
        let clock = ContinuousClock()
        let start = clock.now
        let result = try await work()
        self.log.debug(
            "phase done", ["phase": name, "ms": (clock.now - start).wholeMilliseconds], file: file, line: line)
        return result
    }

    /// **Batches with checkpoints**: each batch is done wholly or not at all, and the next attempt goes on behind the last one.
    ///
    /// - Parameters:
    ///   - done: how many items earlier attempts have saved; they are not given out again, and count as done.
    ///   - size: at most this many items at once, at least 1.
    ///   - work: saves the batch and, in the same transaction, how many items are done with it.
    public func batches<Items: RandomAccessCollection>(
        of items: Items, from done: Int = 0, size: Int, stage: String, unit: String? = nil,
        file: StaticString = #fileID, line: UInt = #line,
        _ work: (_ batch: Items.SubSequence, _ doneWithIt: Int) async throws -> Void
    ) async throws {
        precondition(size > 0, "a batch has at least one item")
        self.stage(stage, file: file, line: line)
        self.total(items.count, unit: unit, file: file, line: line)
        var done = max(0, min(done, items.count))
        self.advance(done, file: file, line: line)
        while done < items.count {
            // Between two batches it is safe to stop.
            try self.checkCancellation()
            let start = items.index(items.startIndex, offsetBy: done)
            let count = min(size, items.count - done)
            try await work(items[start..<items.index(start, offsetBy: count)], done + count)
            done += count
            self.advance(count, file: file, line: line)
            self.count("batches", file: file, line: line)
        }
    }

    /// **Counters** of time: runs `work`, and adds what it took to the counter `KIND_ms` and 1 to `KIND_calls`, also where it
    /// throws.
    public func measure<Result>(
        _ kind: String, file: StaticString = #fileID, line: UInt = #line, _ work: () async throws -> Result
    ) async rethrows -> Result {
        let clock = ContinuousClock()
        let start = clock.now
        defer {
            self.count("\(kind)_ms", (clock.now - start).wholeMilliseconds, file: file, line: line)
            self.count("\(kind)_calls", file: file, line: line)
        }
        return try await work()
    }
}

/// What becomes of one item whose work throws.
public enum ItemFailures: Sendable, Equatable {
    /// The error ends the loop, and with it the attempt.
    case end
    /// It is counted under this name and written to the log as a warning, and the loop goes on, until there are more than
    /// `limit` of them: one bad item is no reason to stop, many are.
    case counted(as: String, atMost: Int = .max)
}

/// The failures of one loop.
private struct FailureTally {
    private let failures: ItemFailures
    private var count = 0

    init(_ failures: ItemFailures) {
        self.failures = failures
    }

    mutating func work(in context: Context, _ work: () async throws -> Void) async throws {
        guard case .counted(let kind, let limit) = self.failures else { return try await work() }
        do {
            try await work()
        } catch let error as CancellationError {
            throw error
        } catch {
            self.count += 1
            context.count(kind)
            let failure = Ending.failure(of: error)
            context.log.warning("item skipped: \(failure.message)", ["code": failure.code])
            guard self.count > limit else { return }
            throw JobFailure("too_many_\(kind)", "\(self.count) items failed, the last one: \(failure.message)")
        }
    }
}

extension Duration {
    var wholeMilliseconds: Int {
        Int(clamping: self.components.seconds * 1000 + self.components.attoseconds / 1_000_000_000_000_000)
    }
}
