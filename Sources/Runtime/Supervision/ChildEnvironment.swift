internal import Glibc
internal import JobCore
internal import UVLoop

/// What zygotes and children see as their environment: built, never inherited from the host.
@LoopActor
struct ChildEnvironment {
    private let instance: String
    private let base: [String: String]
    /// `base` as bytes: NAME=VALUE entries, each ended by a zero byte.
    private let baseBytes: [UInt8]
    /// No name of `base` is one that every attempt has: then nothing has to be looked up for each.
    private let isApart: Bool
    private static let ownNames = ["PAWL_RUN_ID", "PAWL_ATTEMPT", "PAWL_JOB", "PGAPPNAME", "TRACEPARENT"]

    init(_ configuration: SupervisorConfiguration) {
        self.instance = configuration.instance
        let defaults = [
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8",
            // Our own crash record is enough, and the runtime's backtracer costs 6 to 12 ms per crash.
            "SWIFT_BACKTRACE": "enable=no",
        ]
        var base = defaults.merging(configuration.environment) { $1 }
        base["PAWL_INSTANCE"] = configuration.instance
        self.base = base
        self.baseBytes = Self.bytes(base)
        self.isApart = Self.ownNames.allSatisfy { base[$0] == nil }
    }

    var ofZygote: [String: String] { self.base }

    /// Found again in /proc/*/environ, should nothing else tell whose process it is.
    func marker(_ serial: UInt64) -> String { "PAWL_CHILD=\(self.instance).\(getpid()).\(serial)" }

    /// What any process of any host of this instance carries.
    var instanceMarker: String { "PAWL_INSTANCE=\(self.instance)" }

    /// Of a child that has its attempt from the beginning.
    func of(_ attempt: Attempt, _ child: RunChild) -> [UInt8] {
        let spec = attempt.spec
        let own = self.own(spec).merging(self.places(child)) { $1 }
        var bytes: [UInt8]
        if spec.environment.isEmpty && Set(own.keys).isDisjoint(with: self.base.keys) {
            bytes = self.baseBytes
            Self.append(own, to: &bytes)
        } else {
            bytes = Self.bytes(own.merging(self.base) { $1 }.merging(spec.environment) { $1 })
        }
        Self.append(self.marker(child.serial), to: &bytes)
        return bytes
    }

    /// Of a child that gets its attempt later.
    func ofWaiting(_ child: RunChild) -> [UInt8] {
        var bytes = Self.bytes(self.places(child).merging(self.base) { $1 })
        Self.append(self.marker(child.serial), to: &bytes)
        return bytes
    }

    /// What goes over `ofWaiting` when the attempt is there.
    func over(_ spec: AttemptSpec) -> [UInt8] {
        var bytes: [UInt8] = []
        if self.isApart, spec.environment.isEmpty {
            bytes.reserveCapacity(192)
            for (name, value) in self.ownEntries(spec) { Self.append(name, value, to: &bytes) }
            return bytes
        }
        Self.append(self.own(spec).filter { self.base[$0.key] == nil }.merging(spec.environment) { $1 }, to: &bytes)
        return bytes
    }

    private func ownEntries(_ spec: AttemptSpec) -> [(name: String, value: String)] {
        // libpq's PGAPPNAME, so that the run's database sessions can be found and ended with it.
        var own = [
            (name: "PAWL_RUN_ID", value: spec.runName), (name: "PAWL_ATTEMPT", value: "\(spec.attempt)"),
            (name: "PAWL_JOB", value: spec.jobName), (name: "PGAPPNAME", value: "pawl:\(spec.runName)"),
        ]
        if let traceparent = spec.traceparent { own.append((name: "TRACEPARENT", value: traceparent)) }
        return own
    }

    private func own(_ spec: AttemptSpec) -> [String: String] {
        Dictionary(uniqueKeysWithValues: self.ownEntries(spec).map { ($0.name, $0.value) })
    }

    private func places(_ child: RunChild) -> [String: String] {
        child.scratch.map { ["TMPDIR": $0.path, "HOME": $0.path] } ?? [:]
    }

    private static func bytes(_ entries: [String: String]) -> [UInt8] {
        var bytes: [UInt8] = []
        self.append(entries, to: &bytes)
        return bytes
    }

    private static func append(_ entries: [String: String], to bytes: inout [UInt8]) {
        for (name, value) in entries { self.append(name, value, to: &bytes) }
    }

    private static func append(_ name: String, _ value: String, to bytes: inout [UInt8]) {
        // A zero byte would end the entry early and make the rest one of its own.
        if name.isEmpty || name.utf8.contains(0) || name.utf8.contains(UInt8(ascii: "=")) || value.utf8.contains(0) {
            return
        }
        bytes += name.utf8
        bytes.append(UInt8(ascii: "="))
        bytes += value.utf8
        bytes.append(0)
    }

    private static func append(_ entry: String, to bytes: inout [UInt8]) {
        bytes += entry.utf8
        bytes.append(0)
    }
}
