-- queue_resume: resumes a queue and wakes those who sleep on it. $1 name
WITH resumed AS (
    UPDATE pawl.queue
    SET paused_at = NULL, pause_reason = NULL, pause_until = NULL, is_draining = false, updated_at = now(), revision = revision + 1
    WHERE name = $1 AND paused_at IS NOT NULL RETURNING name
), woken AS (
    SELECT pg_notify('pawl_wake', name) FROM resumed
)
SELECT name FROM resumed LEFT JOIN woken ON true
