-- run_stale_fail: ends runs that are still in the same attempt, and tells their hosts. $1 ids, $2 attempts, $3 actor
WITH mine AS (
    SELECT l.id FROM pawl.run_live l JOIN unnest($1::bigint[], $2::bigint[]) AS i (id, attempt) ON l.id = i.id
    WHERE l.attempt = i.attempt AND l.state = 'running' ORDER BY l.id FOR UPDATE OF l
), gone AS (
    DELETE FROM pawl.run_live l USING mine WHERE l.id = mine.id RETURNING l.*
), history AS (
    INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, reason, error_code, error_message, entities_processed, entities_total,
        current_stage, outcome_summary, host_id, pid, version, started_at, finished_at, cancel_requested_at,
        terminate_requested_at, cancel_reason, expires_at)
    SELECT id, queue, rank, 'failed', run_at, job, args, max_attempts, created_at,
        pawl.failed_retention(job, retention), trigger, backoff, timeout_ms, title, description, labels, owner, organization,
        retry_of, schedule_id, planned_at, traceparent, attempt, attempts_used + 1, lost_count, 'terminated', 'stale', 'stale', 'ended by the stale cleanup', entities_processed,
        entities_total, current_stage, outcome_summary, host_id, pid, version, started_at, clock_timestamp(),
        cancel_requested_at, terminate_requested_at, cancel_reason, expires_at
    FROM gone
), attempts AS (
    INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome, reason, host_id, host_epoch, pid, version,
        claimed_at, started_at, entities_processed, entities_total, current_stage, outcome_summary, sentence)
    SELECT id, attempt, pawl.failed_retention(job, retention), clock_timestamp(), job, 'terminated', 'stale', host_id, host_epoch, pid, version, claimed_at,
        started_at, entities_processed, entities_total, current_stage, outcome_summary,
        'It ran for too long; the stale cleanup ended it.'
    FROM gone
), events AS (
    INSERT INTO pawl.run_event (run_id, attempt, kind, actor) SELECT id, attempt, 'stale_failed', $3 FROM gone
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n, last_run)
    SELECT queue, job, 'running', -count(*), NULL FROM gone GROUP BY 1, 2
    UNION ALL
    SELECT queue, job, 'failed', count(*), max(id) FROM gone GROUP BY 1, 2
), told AS (
    SELECT pg_notify('pawl_host_' || host_id, concat_ws(' ', 'terminate', id, attempt)) FROM gone
)
SELECT gone.id, (SELECT count(*) FROM told) FROM gone
