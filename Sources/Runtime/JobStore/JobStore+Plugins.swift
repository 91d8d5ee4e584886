import JobCore
import Postgres

/// Plugins as all hosts share them. Decisions are guarded by the row's revision; hosts are told of them by NOTIFY.
extension JobStore {
    /// All plugins, by name.
    package func plugins() async throws(StoreError) -> [PluginRow] { try await pluginRows(nil) }

    /// Nil if there is none of that name.
    package func plugin(_ name: String) async throws(StoreError) -> PluginRow? {
        try await pluginRows(name).first
    }

    private func pluginRows(_ name: String?) async throws(StoreError) -> [PluginRow] {
        try await decoding { try await self.pool.query(.pluginRows, [.text(orNull: name)]).map { try PluginRow($0) } }
    }

    /// Decides. A plugin that is not known yet gets its row.
    /// - Parameter ifRevision: what the decider has seen, 0 for none; nil: whatever is there.
    package func changePlugin(
        _ name: String, _ decision: PluginDecision, ifRevision: Int64?
    ) async throws(StoreError) -> PluginAnswer {
        try await withTransaction { connection -> PluginAnswer in
            let key = PGParameter.text(name.storable)
            _ = try await connection.query(.pluginMake, [key])
            let row = try PluginRow(try await connection.query(.pluginLock, [key])[0])
            if let ifRevision, ifRevision != row.revision { return .mismatch(row) }
            guard let next = row.applying(decision.change) else { return .unchanged(row) }
            // Who leaves the version as it is leaves it whose it is.
            let origin = next.active == row.active ? row.originHost : decision.host
            let written = try await connection.query(
                .pluginWrite,
                [
                    key, .text(orNull: next.active), .text(orNull: next.previous), .text(orNull: next.older),
                    next.canary.map { .jsonb($0.json) } ?? .null, .bool(next.isDisabled), .bool(next.isPinned),
                    .timestamp(micros: decision.at.micros), .text(orNull: decision.by),
                    .int64(orNull: origin?.rawValue), .text(orNull: decision.reason),
                ])
            if decision.host == nil {
                _ = try await connection.query(
                    .auditNote,
                    Self.auditNote(
                        decision.by, AuditContext.current?.action ?? "plugin.\(decision.change.word)", name,
                        JSONText.object(
                            [
                                "change": decision.change.word, "version": decision.change.version ?? next.active,
                                "reason": decision.reason,
                                "forced": decision.isForced ? "true" : nil,
                            ].compactMapValues(\.self))))
            }
            return .changed(try PluginRow(written[0]))
        }
    }

    // MARK: Versions

    /// Remembers a version that was loaded.
    /// - Parameter serves: whether it is the one that serves now.
    package func recordPluginVersion(_ version: PluginVersionRow, serves: Bool = true) async throws(StoreError) {
        _ = try await query(
            .pluginRecord,
            [
                .text(version.sha256), .text(version.plugin.storable), .text(orNull: version.label),
                .text(orNull: version.abi), .int64(version.sizeBytes), .json(orNull: version.manifest),
                .text(version.kind.rawValue), .text(orNull: version.fileName), .text(orNull: version.buildID),
                .text(version.source.rawValue), .text(orNull: version.uploadedBy), .text(orNull: version.signedBy),
                .bool(serves),
            ])
    }

    /// Remembers that a version of a known plugin was rejected, or removed; of unknown plugins nothing is kept. One that is
    /// usable elsewhere stays usable unless it is removed.
    package func refusePluginVersion(_ version: PluginVersionRow) async throws(StoreError) {
        precondition(version.state != .usable, "only what cannot be used is refused")
        _ = try await query(
            .pluginRefuse,
            [
                .text(version.sha256), .text(version.plugin.storable), .text(version.state.rawValue),
                .text(orNull: version.problem), .text(orNull: version.fileName), .text(version.source.rawValue),
            ])
    }

    /// Which of these hashes are of versions that anybody knows.
    package func knownVersions(_ hashes: Set<String>) async throws(StoreError) -> Set<String> {
        let rows = try await query(.pluginKnown, [.textArray(hashes.map(\.storable).sorted())])
        return try await decoding { try Set(rows.map { try $0.text(0) }) }
    }

    /// The last used first: the newest hundred, and those that a plugin's row names.
    package func pluginVersions(plugin: String? = nil) async throws(StoreError) -> [PluginVersionRow] {
        try await versions(.text(orNull: plugin), .null)
    }

    /// Nil if nobody has ever seen it.
    package func pluginVersion(_ sha256: String) async throws(StoreError) -> PluginVersionRow? {
        try await versions(.null, .text(sha256.storable)).first
    }

    private func versions(_ plugin: PGParameter, _ sha256: PGParameter) async throws(StoreError) -> [PluginVersionRow] {
        try await decoding {
            try await self.pool.query(.pluginVersions, [plugin, sha256]).map { row in
                var reader = RowReader(row)
                return PluginVersionRow(
                    sha256: try reader.text(), plugin: try reader.text(), label: try reader.textOrNil(),
                    abi: try reader.textOrNil(), sizeBytes: try reader.int64(), manifest: try reader.textOrNil(),
                    firstSeenAt: try reader.time(), lastActiveAt: try reader.timeOrNil(),
                    kind: try reader.word(PluginVersionRow.Kind.self), fileName: try reader.textOrNil(),
                    buildID: try reader.textOrNil(), source: try reader.word(PluginVersionRow.Source.self),
                    uploadedBy: try reader.textOrNil(), signedBy: try reader.textOrNil(),
                    state: try reader.word(PluginVersionRow.State.self), problem: try reader.textOrNil(),
                    hasBytes: try reader.bool())
            }
        }
    }

    // MARK: Events

    /// - Parameter host: who saw them; nil: the cluster's.
    package func addPluginEvents(_ events: [NewPluginEvent], host: HostID?) async throws(StoreError) {
        guard !events.isEmpty else { return }
        _ = try await query(
            .pluginEventAdd,
            [
                .textArray(events.map(\.plugin.storable)), .textArray(events.map(\.sha256)),
                .int64(orNull: host?.rawValue), .timestampArray(events.map(\.at.micros)),
                .textArray(events.map(\.kind)), .jsonArray(events.map(\.detail)),
            ])
    }

    /// The newest first.
    /// - Parameter before: the cursor: an event's id.
    package func pluginEvents(
        plugin: String? = nil, before: Int64? = nil, limit: Int = 100
    ) async throws(StoreError) -> [PluginEventRow] {
        try await decoding {
            let rows = try await self.pool.query(
                .pluginEventList,
                [.text(orNull: plugin), .int64(orNull: before), .int64(Int64(min(max(1, limit), 1000)))])
            return try rows.map { row in
                var reader = RowReader(row)
                return PluginEventRow(
                    id: try reader.int64(), plugin: try reader.text(), sha256: try reader.textOrNil(),
                    host: try reader.hostOrNil(), hostname: try reader.textOrNil(), at: try reader.time(),
                    kind: try reader.text(), detail: try reader.textOrNil(), label: try reader.textOrNil())
            }
        }
    }

    // MARK: Hosts

    /// What a host has of its plugins now: all of them.
    package func notePlugins(_ host: HostID, _ notes: [PluginHostNote]) async throws(StoreError) {
        let all: (PGStatement, [PGParameter]) = (
            .pluginHostKeep, [.int64(host.rawValue), .textArray(notes.map(\.plugin.storable))]
        )
        guard !notes.isEmpty else {
            _ = try await query(all.0, all.1)
            return
        }
        _ = try await transaction([
            all,
            (
                .pluginHostNote,
                [
                    .int64(host.rawValue), .textArray(notes.map(\.plugin.storable)), .textArray(notes.map(\.sha256)),
                    .textArray(notes.map(\.candidate)), .textArray(notes.map(\.state)),
                    .textArray(notes.map { $0.problem?.storable }),
                ]
            ),
        ])
    }

    /// What hosts of the last day have, by plugin; those that are there first.
    package func pluginHosts(plugin: String? = nil) async throws(StoreError) -> [PluginHostRow] {
        try await decoding {
            try await self.pool.query(.pluginHostList, [.text(orNull: plugin)]).map { row in
                var reader = RowReader(row)
                let host = HostID(try reader.int64())
                let hostname = try reader.text()
                let hostState = try reader.text()
                let note = PluginHostNote(
                    plugin: try reader.text(), sha256: try reader.textOrNil(), candidate: try reader.textOrNil(),
                    state: try reader.text(), problem: try reader.textOrNil())
                return PluginHostRow(
                    host: host, hostname: hostname, hostState: hostState, note: note, updatedAt: try reader.time(),
                    isDrift: try reader.bool())
            }
        }
    }
}

extension PluginRow {
    init(_ row: PGRow) throws(PGDecodingError) {
        var reader = RowReader(row)
        self.init(
            name: try reader.text(), active: try reader.textOrNil(), previous: try reader.textOrNil(),
            older: try reader.textOrNil(), canary: Canary(try reader.jsonOrNil()), isDisabled: try reader.bool(),
            isPinned: try reader.bool(), revision: try reader.int64(), changedAt: try reader.timeOrNil(),
            changedBy: try reader.textOrNil(), originHost: try reader.hostOrNil(), reason: try reader.textOrNil(),
            createdAt: try reader.time())
    }
}

extension PluginRow.Canary {
    /// Nil too for what somebody wrote by hand and is none.
    init?(_ json: JSONValue?) {
        guard let json, let sha256 = json["sha256"]?.text else { return nil }
        self.init(sha256: sha256, policy: (json["policy"] ?? .object([])).json)
    }

    var json: String { "{\"sha256\":\(JSONText.quoted(sha256)),\"policy\":\(policy)}" }
}
