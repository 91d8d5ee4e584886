-- token_retire: another takes its name. $1 id, $2 milliseconds that it still counts, by a name of its own; 0: not at all, $3 by whom
UPDATE pawl.token SET
    name = CASE WHEN $2::bigint > 0 THEN name || '~' || id ELSE name END,
    expires_at = CASE WHEN $2::bigint > 0 THEN least(expires_at, now() + $2::bigint * interval '1 millisecond') ELSE expires_at END,
    revoked_at = CASE WHEN $2::bigint > 0 THEN NULL ELSE now() END,
    revoked_by = CASE WHEN $2::bigint > 0 THEN NULL ELSE $3 END
WHERE id = $1
RETURNING id, name, hint, role, bounds, created_at, created_by, expires_at, last_used_at, last_used_from, revoked_at, revoked_by
