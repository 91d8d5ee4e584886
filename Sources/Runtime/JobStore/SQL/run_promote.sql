-- run_promote: waiting runs whose time has come go to their queues. $1 limit
WITH due AS (
    SELECT id FROM pawl.run_waiting WHERE state <> 'blocked' AND run_at <= now() ORDER BY run_at, id LIMIT $1
    FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM pawl.run_waiting w USING due WHERE w.id = due.id RETURNING w.*
), live AS (
    INSERT INTO pawl.run_live (id, queue, rank, pos, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed,
        entities_total, current_stage, outcome_summary, version, expires_at, avoid_version, lane)
    SELECT id, queue, rank, nextval('pawl.run_pos'), run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed,
        entities_total, current_stage, outcome_summary, version, expires_at, avoid_version,
        coalesce((SELECT j.lane FROM pawl.job j WHERE j.name = gone.job), '')
    FROM gone
    RETURNING queue, rank, pos, lane
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT queue, job, state, -count(*) FROM gone GROUP BY 1, 2, 3
    UNION ALL
    SELECT queue, job, 'queued', count(*) FROM gone GROUP BY 1, 2
)
SELECT queue, rank, min(pos), count(*), lane FROM live GROUP BY queue, rank, lane
