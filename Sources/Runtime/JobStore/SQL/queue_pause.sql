-- queue_pause: pauses a queue or changes its pause; makes its row. $1 name, $2 reason (null: as it is), $3 until, $4 whether somebody waits
-- until nothing of it runs
INSERT INTO pawl.queue AS q (name, paused_at, pause_reason, pause_until, is_draining) VALUES ($1, clock_timestamp(), $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET paused_at = CASE WHEN q.paused_at IS NULL OR q.pause_until <= clock_timestamp() THEN excluded.paused_at ELSE q.paused_at END,
    pause_reason = coalesce(excluded.pause_reason, CASE WHEN q.pause_until <= clock_timestamp() THEN NULL ELSE q.pause_reason END),
    pause_until = excluded.pause_until, is_draining = excluded.is_draining, updated_at = now(), revision = q.revision + 1
WHERE q.paused_at IS NULL OR q.pause_until IS DISTINCT FROM excluded.pause_until OR q.is_draining <> excluded.is_draining
    OR excluded.pause_reason IS NOT NULL AND q.pause_reason IS DISTINCT FROM excluded.pause_reason
