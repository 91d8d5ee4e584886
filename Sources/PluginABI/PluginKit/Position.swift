import Synchronization

/// Where the handler was last heard of. A suspended task is on no thread, so a stack dump of a stuck attempt cannot show
/// it; the file and line of its last log, progress or stage call can.
enum Position {
    // Two stores, so a reader may see the file of one call with the line of the next: good enough for a diagnosis.
    /// The file's address, 0 before the first call.
    private static let file = Atomic<UInt>(0)
    private static let line = Atomic<UInt>(0)

    static func record(_ file: StaticString, _ line: UInt) {
        // #fileID is always a literal with a pointer; any other StaticString is not worth a diagnosis.
        guard file.hasPointerRepresentation else { return }
        self.file.store(UInt(bitPattern: file.utf8Start), ordering: .relaxed)
        self.line.store(line, ordering: .relaxed)
    }

    /// The last call's file (terminated, immortal) and line, or nil before the first.
    static var last: (file: UnsafePointer<UInt8>, line: UInt)? {
        guard let file = UnsafePointer<UInt8>(bitPattern: self.file.load(ordering: .relaxed)) else { return nil }
        return (file, self.line.load(ordering: .relaxed))
    }
}
