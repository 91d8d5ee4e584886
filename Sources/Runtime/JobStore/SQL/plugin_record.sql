-- plugin_record: a version that was loaded. $1 sha256, $2 plugin, $3 label, $4 abi, $5 bytes, $6 manifest, $7 kind, $8 file,
-- $9 build id, $10 source, $11 uploaded by, $12 signed by, $13 whether it serves now
WITH parent AS (
    INSERT INTO pawl.plugin (name) VALUES ($2) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING name
)
INSERT INTO pawl.plugin_version AS v (sha256, plugin, label, abi, size_bytes, manifest, kind, file_name, build_id, source,
    uploaded_by, signed_by, last_active_at)
SELECT $1, name, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, CASE WHEN $13 THEN now() END FROM parent
ON CONFLICT (sha256) DO UPDATE SET last_active_at = coalesce(excluded.last_active_at, v.last_active_at), plugin = excluded.plugin,
    label = excluded.label, abi = excluded.abi, manifest = excluded.manifest, size_bytes = excluded.size_bytes,
    kind = excluded.kind, file_name = coalesce(excluded.file_name, v.file_name),
    build_id = coalesce(excluded.build_id, v.build_id),
    -- Where it came from first; who vouches for it, newest.
    uploaded_by = coalesce(v.uploaded_by, excluded.uploaded_by), signed_by = coalesce(excluded.signed_by, v.signed_by),
    state = 'usable', problem = NULL
