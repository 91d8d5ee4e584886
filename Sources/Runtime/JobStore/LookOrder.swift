/// Of answers to the same question, several of which may be under way, the one that was asked for last counts.
struct LookOrder {
    private var begun: UInt64 = 0
    private var taken: UInt64 = 0

    /// Somebody has got an answer already.
    var hasTaken: Bool { taken > 0 }

    mutating func begin() -> UInt64 {
        begun += 1
        return begun
    }

    /// Whether this answer is newer than all before; then it is the newest.
    mutating func takes(_ look: UInt64) -> Bool {
        guard look > taken else { return false }
        taken = look
        return true
    }
}
