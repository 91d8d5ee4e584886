-- token_add: no row if the name is taken. $1 name, $2 hash, $3 hint, $4 role, $5 bounds, $6 expires, $7 by whom
INSERT INTO pawl.token (name, hash, hint, role, bounds, expires_at, created_by) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING
RETURNING id, name, hint, role, bounds, created_at, created_by, expires_at, last_used_at, last_used_from, revoked_at, revoked_by
