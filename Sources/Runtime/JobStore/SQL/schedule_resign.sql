-- schedule_resign: this host fires no more; another one may at once. $1 the term
WITH ended AS (
    UPDATE pawl.holding SET ended_at = now(), end_reason = 'stopped' WHERE id = $1 AND ended_at IS NULL RETURNING id
)
SELECT pg_notify('pawl_schedule', '') FROM ended
