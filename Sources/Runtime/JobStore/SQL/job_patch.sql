-- job_patch: an operator's settings, as a whole. Where a flag is false the column stays. $1 name, $2 limits, $3 execution,
-- $4 whether attempts, $5 attempts, $6 whether backoff, $7 backoff, $8 priority, $9 queue, $10 retention, $11 whether
-- the retention of failed runs, $12 that
UPDATE pawl.job
SET limits = $2, execution = $3, attempts = CASE WHEN $4 THEN $5 ELSE attempts END,
    backoff = CASE WHEN $6 THEN $7 ELSE backoff END, priority = coalesce($8, priority), queue = coalesce($9, queue),
    retention = coalesce($10, retention), retention_failed = CASE WHEN $11 THEN $12 ELSE retention_failed END, updated_at = now(), revision = revision + 1
WHERE name = $1
