-- token_list: those that count first. $1 whether with revoked ones, $2 limit
SELECT id, name, hint, role, bounds, created_at, created_by, expires_at, last_used_at, last_used_from, revoked_at, revoked_by
FROM pawl.token WHERE revoked_at IS NULL OR $1::boolean
ORDER BY revoked_at IS NOT NULL, name, id DESC LIMIT $2
