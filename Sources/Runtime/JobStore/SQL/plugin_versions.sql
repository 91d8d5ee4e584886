-- plugin_versions: versions, the last used first; the newest hundred, and before them those that a plugin's row names, so that
-- a plugin of ten thousand versions is no burden. $1 plugin, $2 sha256 (null: all)
WITH newest AS (
    SELECT v.* FROM pawl.plugin_version v LEFT JOIN pawl.plugin r ON r.name = v.plugin
    WHERE ($1::text IS NULL OR v.plugin = $1) AND ($2::text IS NULL OR v.sha256 = $2)
    ORDER BY v.sha256 IN (coalesce(r.active, ''), coalesce(r.previous, ''), coalesce(r.older, ''), coalesce(r.canary ->> 'sha256', '')) DESC,
        greatest(v.first_seen_at, v.last_active_at) DESC LIMIT 100
)
SELECT v.sha256, v.plugin, v.label, v.abi, v.size_bytes, v.manifest, v.first_seen_at, v.last_active_at, v.kind, v.file_name,
    v.build_id, v.source, v.uploaded_by, v.signed_by, v.state, v.problem, coalesce(b.complete, false) AS has_bytes
FROM newest v LEFT JOIN pawl.plugin_blob b ON b.sha256 = v.sha256
ORDER BY v.last_active_at DESC NULLS LAST, v.first_seen_at DESC, v.sha256
