-- job_pause: pauses a job or changes its pause. $1 name, $2 reason (null: as it is), $3 until, $4 whether somebody waits until nothing
-- of it runs
UPDATE pawl.job j
SET paused_at = CASE WHEN j.paused_at IS NULL OR j.pause_until <= clock_timestamp() THEN clock_timestamp() ELSE j.paused_at END,
    pause_reason = coalesce($2::text, CASE WHEN j.pause_until <= clock_timestamp() THEN NULL ELSE j.pause_reason END),
    pause_until = $3::timestamptz, is_draining = $4, updated_at = now(), revision = revision + 1
WHERE j.name = $1 AND (j.paused_at IS NULL OR j.pause_until IS DISTINCT FROM $3::timestamptz OR j.is_draining <> $4
    OR $2::text IS NOT NULL AND j.pause_reason IS DISTINCT FROM $2)
