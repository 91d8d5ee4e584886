-- token_find: by what its bearer sends. $1 hash
SELECT id, name, hint, role, bounds, created_at, created_by, expires_at, last_used_at, last_used_from, revoked_at, revoked_by
FROM pawl.token WHERE hash = $1
