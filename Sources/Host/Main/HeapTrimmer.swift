import CLinux
import UVLoop

/// Gives memory back to the system that the allocator keeps after a busy time.
///
/// glibc returns the top of its heap by itself, but not what is free below something that lives on: after large results and
/// floods of output that was as much again as the host itself had. `malloc_trim` takes a few milliseconds for it, so it is called
/// when nothing runs, once after each time that something did, and in a host that is never idle every ten minutes.
@LoopActor
final class HeapTrimmer {
    private static let look = Duration.seconds(10)
    private static let looksAtMost = 60

    private let timer = LoopTimer()
    private let isBusy: @LoopActor () -> Bool
    private var wasBusy = false
    private var looks = 0

    /// isBusy: whether attempts run.
    init(isBusy: @escaping @LoopActor () -> Bool) { self.isBusy = isBusy }

    func start() {
        self.timer.start(after: Self.look, repeating: Self.look) { [weak self] in self?.tick() }
    }

    func stop() { self.timer.stop() }

    private func tick() {
        let busy = self.isBusy()
        self.looks += 1
        if (!busy && self.wasBusy) || (busy && self.looks >= Self.looksAtMost) {
            self.looks = 0
            linux_trim_heap()
        }
        self.wasBusy = busy
    }
}
