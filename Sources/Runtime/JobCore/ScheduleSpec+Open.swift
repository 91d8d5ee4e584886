/// What a specification leaves open takes its value from the moment at which it is read: an interval's anchor, the date from which
/// every second week counts, where a recurrence rule starts. Whoever says the same thing twice means the same schedule.
extension ScheduleSpec {
    /// Names of the members of `json` that `spec` leaves open; empty for what is complete, or makes no sense.
    package static func openMembers(
        kind: String, spec: JSONValue, zone: some ZoneRules, zoneName: String? = nil
    ) -> Set<String> {
        func members(_ now: WallTime) -> [JSONMember]? {
            guard
                let read = try? ScheduleSpec(kind: kind, spec: spec, now: now, zone: zone, zoneName: zoneName),
                case .object(let members)? = try? JSONValue(parsing: read.json)
            else { return nil }
            return members
        }
        // Two moments that share neither date nor time of day: what differs came from them.
        let (some, later) = (WallTime(micros: 1_000_000), WallTime(micros: 86_400_000_000 * 1001 + 12_345_000_000))
        guard let one = members(some), let other = members(later) else { return [] }
        let values = Dictionary(other.map { ($0.key, $0.value) }) { $1 }
        return Set(one.filter { values[$0.key] != $0.value }.map(\.key))
    }

    /// The same with its open members as another specification of its kind has them.
    /// - Parameter open: of `openMembers`.
    package func settled(_ open: Set<String>, by present: ScheduleSpec) -> ScheduleSpec {
        guard !open.isEmpty, kind == present.kind, case .object(let mine)? = try? JSONValue(parsing: json),
            let theirs = try? JSONValue(parsing: present.json)
        else { return self }
        let members = mine.map { member in
            JSONMember(member.key, open.contains(member.key) ? theirs[member.key] ?? member.value : member.value)
        }
        // Complete by now: neither time nor zone matter.
        let settled = try? ScheduleSpec(
            kind: kind, spec: .object(members), now: WallTime(micros: 0), zone: UTCRules())
        return settled ?? self
    }
}
