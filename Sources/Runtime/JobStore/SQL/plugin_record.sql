-- plugin_record: a version that was loaded. $1 sha256, $2 plugin, $3 label, $4 abi, $5 bytes, $6 manifest
WITH parent AS (
    INSERT INTO pawl.plugin (name) VALUES ($2) ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING name
)
INSERT INTO pawl.plugin_version AS v (sha256, plugin, label, abi, size_bytes, manifest, last_active_at)
SELECT $1, name, $3, $4, $5, $6, now() FROM parent
ON CONFLICT (sha256) DO UPDATE SET last_active_at = now(), plugin = excluded.plugin, label = excluded.label,
    abi = excluded.abi, manifest = excluded.manifest
