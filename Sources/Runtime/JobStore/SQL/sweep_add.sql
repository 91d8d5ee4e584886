-- sweep_add: remembers it; forgets those of a quarter of a year ago. $1 kind, $2 mode, $3 host, $4 actor, $5 reason, $6 ms, $7 stale,
-- $8 failed, $9 requeued, $10 untouched, $11 runs, $12 orphans, $13 cleaned
WITH old AS (
    DELETE FROM pawl.safety_sweep WHERE at < now() - interval '90 days'
)
INSERT INTO pawl.safety_sweep (kind, mode, host_id, actor, reason, took_ms, stale, failed, requeued, untouched, runs, orphans, cleaned)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id
