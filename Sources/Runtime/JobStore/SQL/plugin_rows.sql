-- plugin_rows: what all hosts are to serve. $1 name (null: all)
SELECT name, active, previous, older, canary, disabled, pinned, revision, changed_at, changed_by, origin_host, reason, created_at
FROM pawl.plugin WHERE $1::text IS NULL OR name = $1 ORDER BY name
