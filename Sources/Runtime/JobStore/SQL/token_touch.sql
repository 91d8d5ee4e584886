-- token_touch: $1 id, $2 from where
UPDATE pawl.token SET last_used_at = now(), last_used_from = $2
WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
