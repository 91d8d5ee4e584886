import Glibc
package import JobCore

extension WallTime {
    /// The machine's clock now. Here, since JobCore has no clock.
    package static var current: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(micros: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
