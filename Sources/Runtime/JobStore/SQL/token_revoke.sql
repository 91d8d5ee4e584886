-- token_revoke: for good. $1 id, $2 by whom
UPDATE pawl.token SET revoked_at = now(), revoked_by = $2 WHERE id = $1 AND revoked_at IS NULL RETURNING name
