-- token_lock: one that is not revoked, until the transaction ends, and the time. $1 id
SELECT id, name, hint, role, bounds, created_at, created_by, expires_at, last_used_at, last_used_from, revoked_at, revoked_by, now()
FROM pawl.token WHERE id = $1 AND revoked_at IS NULL FOR UPDATE
