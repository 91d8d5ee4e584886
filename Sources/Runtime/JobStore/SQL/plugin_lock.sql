-- plugin_lock: the row, for one that changes it. $1 name
SELECT name, active, previous, older, canary, disabled, pinned, revision, changed_at, changed_by, origin_host, reason, created_at
FROM pawl.plugin WHERE name = $1 FOR UPDATE
