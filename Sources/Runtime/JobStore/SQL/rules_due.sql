-- rules_due: ends pauses whose time is over, and tells all hosts. Answers how many, and when the next one ends.
WITH queues AS (
    UPDATE pawl.queue
    SET paused_at = NULL, pause_reason = NULL, pause_until = NULL, is_draining = false, updated_at = now(), revision = revision + 1
    WHERE pause_until <= clock_timestamp() RETURNING name
), jobs AS (
    UPDATE pawl.job
    SET paused_at = NULL, pause_reason = NULL, pause_until = NULL, is_draining = false, updated_at = now(), revision = revision + 1
    WHERE pause_until <= clock_timestamp() RETURNING name
), told AS (
    SELECT pg_notify('pawl_wake', name) FROM queues UNION ALL SELECT pg_notify('pawl_wake', '*') FROM jobs
)
SELECT (SELECT count(*) FROM told),
    (SELECT min(u.pause_until) FROM (SELECT pause_until FROM pawl.queue UNION ALL SELECT pause_until FROM pawl.job) u
        WHERE u.pause_until > clock_timestamp())
