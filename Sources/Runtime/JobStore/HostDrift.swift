/// In what the present hosts differ, though they serve one database: versions of the program, as a rule in the middle of an
/// upgrade, or one that was forgotten.
package struct HostDrift: Sendable, Hashable {
    package enum Field: String, Sendable, CaseIterable {
        case version
        case gitSHA = "git_sha"
    }

    package struct Difference: Sendable, Hashable {
        package var field: Field
        /// In the order of the values; nil: that host does not say.
        package var values: [Value]
    }

    package struct Value: Sendable, Hashable {
        package var value: String?
        package var hosts: [HostID]
    }

    package var differences: [Difference]
    package var isDrifting: Bool { !differences.isEmpty }

    package init(differences: [Difference] = []) { self.differences = differences }

    /// - Parameter rows: any hosts; those that are gone do not count.
    package init(_ rows: [HostRow]) {
        let present = rows.filter(\.isPresent)
        differences = Field.allCases.compactMap { field in
            var hosts: [String?: [HostID]] = [:]
            for row in present { hosts[Self.value(field, row), default: []].append(row.id) }
            guard hosts.count > 1 else { return nil }
            let values = hosts.map { Value(value: $0.key, hosts: $0.value.sorted()) }
            return Difference(field: field, values: values.sorted { ($0.value ?? "") < ($1.value ?? "") })
        }
    }

    private static func value(_ field: Field, _ row: HostRow) -> String? {
        switch field {
        case .version: row.version
        case .gitSHA: row.gitSHA
        }
    }

    /// `git_sha: 1a2b on host_1, host_3; 3c4d on host_2`
    package var sentence: String {
        differences.map { difference in
            let values = difference.values.map { value in
                "\(value.value ?? "unknown") on \(value.hosts.map(\.description).joined(separator: ", "))"
            }
            return "\(difference.field.rawValue): \(values.joined(separator: "; "))"
        }.joined(separator: " · ")
    }
}
