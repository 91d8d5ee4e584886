-- run_unsettleable: ends a run whose attempt's outcome the database refuses in every form, guarded as in run_settle. Nothing of
-- the outcome is in it. $1 host, $2 epoch, $3 run, $4 attempt, $5 why
WITH gone AS (
    DELETE FROM pawl.run_live l WHERE l.id = $3 AND l.attempt = $4 AND l.host_id = $1 AND l.host_epoch = $2 RETURNING l.*
), history AS (
    INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, error_code, error_message, host_id, pid, version, started_at, finished_at,
        cancel_requested_at, terminate_requested_at, cancel_reason, expires_at)
    SELECT id, queue, rank, 'failed', run_at, job, args, max_attempts, created_at,
        pawl.failed_retention(job, retention), trigger, backoff, timeout_ms, title, description, labels, owner, organization,
        retry_of, schedule_id, planned_at, traceparent, attempt, attempts_used + 1, lost_count, 'error', 'unsettleable', $5, host_id, pid, version, started_at, clock_timestamp(),
        cancel_requested_at, terminate_requested_at, cancel_reason, expires_at
    FROM gone
), attempts AS (
    INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome, host_id, host_epoch, pid, version, claimed_at,
        started_at, error_code, error_message, sentence)
    SELECT id, attempt, pawl.failed_retention(job, retention), clock_timestamp(), job, 'error', $1, $2, pid, version, claimed_at, started_at, 'unsettleable', $5,
        'It ended, but how it ended could not be stored.'
    FROM gone
), events AS (
    INSERT INTO pawl.run_event (run_id, attempt, kind) SELECT id, attempt, 'unsettleable' FROM gone
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n, last_run)
    SELECT queue, job, 'running', -count(*), NULL FROM gone GROUP BY 1, 2
    UNION ALL
    SELECT queue, job, 'failed', count(*), max(id) FROM gone GROUP BY 1, 2
)
SELECT id FROM gone
