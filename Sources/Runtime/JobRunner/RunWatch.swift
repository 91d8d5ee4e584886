package import JobCore
package import UVLoop

/// Tells whoever follows a run that something about it may have changed: a line was written, progress came, its state moved.
///
/// A poke carries nothing: the follower reads what it wants to know. Pokes coalesce, so a slow follower costs nothing.
@LoopActor
package final class RunWatch {
    private var followers: [RunID: [Int: AsyncStream<Void>.Continuation]] = [:]
    private var nextKey = 0

    package init() {}

    /// Pokes until the stream is dropped. Other hosts' runs do not poke here: poll as well, slowly.
    package func changes(of run: RunID) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let key = self.nextKey
        self.nextKey += 1
        self.followers[run, default: [:]][key] = continuation
        continuation.onTermination = { [weak self] _ in
            _ = loopTask { self?.drop(run, key) }
        }
        return stream
    }

    package func poke(_ run: RunID) {
        guard let followers = self.followers[run] else { return }
        for follower in followers.values { follower.yield() }
    }

    /// Ends every stream: the host is going.
    package func close() {
        for followers in self.followers.values { for follower in followers.values { follower.finish() } }
        self.followers = [:]
    }

    package var count: Int { self.followers.values.reduce(0) { $0 + $1.count } }

    private func drop(_ run: RunID, _ key: Int) {
        self.followers[run]?[key] = nil
        if self.followers[run]?.isEmpty == true { self.followers[run] = nil }
    }
}
