package import UVLoop

/// Lets the loop do something else now and then during work that would hold it.
package struct LoopSlice: Sendable {
    /// Work goes on for this long at a time. A batch of several such jobs still stays below a millisecond or two.
    private static let length: Duration = .microseconds(500)
    /// Since when it has gone on.
    package private(set) var began: LoopInstant = .now

    package init() {}

    /// Call it between pieces of work.
    @LoopActor
    package mutating func breathe() async {
        guard LoopInstant.now - began > Self.length else { return }
        // Not `Task.yield`: queued jobs run before descriptors are looked at, and we would be queued at once.
        do { try await LoopClock.sleep(for: .microseconds(1)) } catch {
            // Whoever waited has given up; the work is finished all the same, by its own bounds.
        }
        began = .now
    }
}
