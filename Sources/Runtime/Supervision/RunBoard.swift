internal import CLinux
internal import CWire
internal import Glibc
internal import UVLoop

/// The page that the host shares with a pooled child, so that both agree at any moment who has a run that was sent ahead of its
/// time: the child, which begins it, or the host again (pawl_wire.h).
@LoopActor
final class RunBoard {
    private let memory: UnsafeMutableRawPointer
    /// For the child; -1 once it has been sent.
    private(set) var descriptor: Int32
    private var last = 0

    private static let bytes = Int(PAWL_BOARD_BYTES)

    /// Nil where the machine has none to give: then nothing is sent ahead.
    init?() {
        var page: UnsafeMutableRawPointer?
        let fd = linux_board(Self.bytes, &page)
        guard fd >= 0, let page else { return nil }
        self.descriptor = fd
        self.memory = page
    }

    isolated deinit {
        self.closeDescriptor()
        linux_board_remove(self.memory, Self.bytes)
    }

    func closeDescriptor() {
        if self.descriptor >= 0 { close(self.descriptor) }
        self.descriptor = -1
    }

    /// A place for the next run, which the child may take from now on. There are far more of them than runs on their way.
    func offer() -> UInt32 {
        self.last = self.last % Int(PAWL_BOARD_PLACES - 1) + 1
        linux_board_set(self.memory, self.last, PAWL_PLACE_OFFERED)
        return UInt32(self.last)
    }

    /// True: the child has not begun the run of this place and will not. False: it has.
    func withdraw(_ place: UInt32) -> Bool {
        linux_board_change(self.memory, Int(place), PAWL_PLACE_OFFERED, PAWL_PLACE_WITHDRAWN)
    }
}
