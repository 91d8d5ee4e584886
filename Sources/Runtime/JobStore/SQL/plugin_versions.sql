-- plugin_versions: versions, the last used first. $1 plugin, $2 sha256 (null: all)
SELECT v.sha256, v.plugin, v.label, v.abi, v.size_bytes, v.manifest, v.first_seen_at, v.last_active_at, v.kind, v.file_name,
    v.build_id, v.source, v.uploaded_by, v.signed_by, v.state, v.problem, coalesce(b.complete, false) AS has_bytes
FROM pawl.plugin_version v LEFT JOIN pawl.plugin_blob b ON b.sha256 = v.sha256
WHERE ($1::text IS NULL OR v.plugin = $1) AND ($2::text IS NULL OR v.sha256 = $2)
ORDER BY v.last_active_at DESC NULLS LAST, v.first_seen_at DESC, v.sha256
