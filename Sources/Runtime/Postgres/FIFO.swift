/// A queue on an array: appending and removing at the front are O(1) on average, and nothing removed stays in memory.
struct FIFO<Element> {
    private var slots: [Element?] = []
    private var head = 0

    init() {}

    var count: Int { slots.count - head }
    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : slots[head] }

    /// Counted from the front; the caller keeps within `count`.
    subscript(index: Int) -> Element {
        get { slots[head + index]! }
        _modify { yield &slots[head + index]! }
    }

    mutating func append(_ element: Element) { slots.append(element) }

    mutating func removeFirst() {
        precondition(!isEmpty, "nothing to remove")
        slots[head] = nil
        head += 1
        if head == slots.count {
            slots.removeAll(keepingCapacity: true)
            head = 0
        } else if head >= 64, head * 2 >= slots.count {
            slots.removeFirst(head)
            head = 0
        }
    }

    mutating func remove(at index: Int) { slots.remove(at: head + index) }

    func firstIndex(where matches: (Element) -> Bool) -> Int? {
        (0..<count).first { matches(self[$0]) }
    }

    /// Empties the queue and returns what was in it, in order.
    mutating func drain() -> [Element] {
        defer { self = FIFO() }
        return slots[head...].compactMap { $0 }
    }
}
