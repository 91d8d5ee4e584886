/// temporary
struct LaneBook {}
struct LogTallies {}
struct HeartbeatRecord {}
package struct ZoneDatabase {
    package static let systemDirectory = "/usr/share/zoneinfo"
    init(directory: String) {}
}
