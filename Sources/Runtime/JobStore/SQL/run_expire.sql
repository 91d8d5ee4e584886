-- run_expire: runs that were not started in time end, without an attempt. $1 limit
WITH late AS (
    -- In the order of its own index: the backlog is not walked.
    SELECT id FROM pawl.run_live WHERE state = 'queued' AND expires_at <= now() ORDER BY expires_at LIMIT $1
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM pawl.run_live l USING late WHERE l.id = late.id AND l.state = 'queued' AND l.expires_at <= now() RETURNING l.*
), history AS (
    INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, reason, error_code, error_message, finished_at, expires_at)
    SELECT id, queue, rank, 'failed', run_at, job, args, max_attempts, created_at,
        pawl.failed_retention(job, retention), trigger, backoff, timeout_ms,
        title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, 'expired', 'expired', 'It was not started within its queue time.', clock_timestamp(), expires_at
    FROM gone
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n, last_run)
    SELECT queue, job, 'queued', -count(*), NULL::bigint FROM gone GROUP BY 1, 2
    UNION ALL
    SELECT queue, job, 'failed', count(*), max(id) FROM gone GROUP BY 1, 2
)
SELECT id FROM gone
