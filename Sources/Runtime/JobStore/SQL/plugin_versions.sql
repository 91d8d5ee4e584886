-- plugin_versions: versions, the last used first. $1 plugin (null: all)
SELECT sha256, plugin, label, abi, size_bytes, manifest, first_seen_at, last_active_at
FROM pawl.plugin_version WHERE $1::text IS NULL OR plugin = $1 ORDER BY last_active_at DESC NULLS LAST, sha256
