/// What the loop runs between two polls.
enum LoopItem {
    /// A Swift job; run exactly once, which frees it.
    case job(UnownedJob)
    case work(@Sendable () -> Void)
}

/// A first-in-first-out ring that grows by doubling. Popping moves the item out, so a closure's captures die when it
/// has run and not when the ring wraps. One thread at a time.
struct JobQueue: ~Copyable {  // A copy would run jobs twice.
    private var slots: UnsafeMutablePointer<LoopItem>
    private var mask: Int  // Capacity minus one; the capacity is a power of two.
    private var head = 0
    private(set) var count = 0

    init(capacity: Int = 256) {
        precondition(capacity > 0 && capacity & (capacity - 1) == 0, "a power of two")
        slots = .allocate(capacity: capacity)
        mask = capacity - 1
    }

    deinit {
        for offset in 0..<count { (slots + ((head + offset) & mask)).deinitialize(count: 1) }
        slots.deallocate()
    }

    mutating func push(_ item: consuming LoopItem) {
        if count > mask { grow() }
        (slots + ((head + count) & mask)).initialize(to: item)
        count += 1
    }

    mutating func pop() -> LoopItem? {
        guard count > 0 else { return nil }
        let item = (slots + head).move()
        head = (head + 1) & mask
        count -= 1
        return item
    }

    /// Moves everything behind what is already here; `other` keeps its memory.
    mutating func append(from other: inout JobQueue) {
        while let item = other.pop() { push(item) }
    }

    private mutating func grow() {
        let capacity = (mask + 1) * 2
        let larger = UnsafeMutablePointer<LoopItem>.allocate(capacity: capacity)
        let upper = mask + 1 - head  // The ring is full: [head, end), then [0, head).
        larger.moveInitialize(from: slots + head, count: upper)
        (larger + upper).moveInitialize(from: slots, count: head)
        slots.deallocate()
        slots = larger
        mask = capacity - 1
        head = 0
    }
}
