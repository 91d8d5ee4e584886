-- token_get: $1 id
SELECT id, name, hint, role, bounds, created_at, created_by, expires_at, last_used_at, last_used_from, revoked_at, revoked_by
FROM pawl.token WHERE id = $1
