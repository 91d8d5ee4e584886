import Glibc
import JobCore

enum WallClock {
    /// The host's own clock, as NTP keeps it. Times of runs come from the database's.
    static var now: WallTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallTime(micros: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}

/// The value of a `Date` header, made anew once a second.
struct HTTPDate {
    private var seconds: Int64 = .min
    private var text = ""

    /// `Sat, 21 Nov 2026 08:00:00 GMT` (RFC 9110, IMF-fixdate).
    mutating func text(at now: WallTime) -> String {
        guard now.seconds != seconds else { return text }
        seconds = now.seconds
        let time = CivilTime(secondsSinceEpoch: seconds)
        let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        text =
            "\(days[time.weekday]), \(two(time.day)) \(months[time.month - 1]) \(time.year) "
            + "\(two(time.hour)):\(two(time.minute)):\(two(time.second)) GMT"
        return text
    }
}
