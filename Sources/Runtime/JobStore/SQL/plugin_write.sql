-- plugin_write: a decision; tells all hosts at commit. $1 name, $2 active, $3 previous, $4 older, $5 canary, $6 disabled,
-- $7 pinned, $8 when it was decided (the future is now), $9 by whom, $10 whose file it is, $11 why
UPDATE pawl.plugin
SET active = $2, previous = $3, older = $4, canary = $5, disabled = $6, pinned = $7, changed_at = least($8, clock_timestamp()),
    changed_by = $9, origin_host = $10, reason = $11, revision = revision + 1
WHERE name = $1
RETURNING name, active, previous, older, canary, disabled, pinned, revision, changed_at, changed_by, origin_host, reason,
    created_at, pg_notify('pawl_plugin', name)::text
