-- job_resume: resumes a job and wakes all hosts: its runs may be in any queue. $1 name
WITH resumed AS (
    UPDATE pawl.job
    SET paused_at = NULL, pause_reason = NULL, pause_until = NULL, is_draining = false, updated_at = now(), revision = revision + 1
    WHERE name = $1 AND paused_at IS NOT NULL RETURNING name
), woken AS (
    SELECT pg_notify('pawl_wake', '*') FROM resumed
)
SELECT name FROM resumed LEFT JOIN woken ON true
