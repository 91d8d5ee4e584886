-- run_take_lost: the second half of run_take_back and run_take_orphans. $3 how often a run may be lost, $4 sentence
), ended AS (
    DELETE FROM pawl.run_live l USING mine m WHERE l.id = m.id AND (m.unwanted OR m.hopeless)
    RETURNING l.*, CASE WHEN m.unwanted THEN 'cancelled' ELSE 'failed' END AS final,
        CASE WHEN m.unwanted THEN l.retention ELSE pawl.failed_retention(l.job, l.retention) END AS kept
), back AS (
    UPDATE pawl.run_live l
    SET state = 'queued', pos = nextval('pawl.run_pos'), host_id = NULL, host_epoch = NULL, claimed_at = NULL,
        started_at = NULL, pid = NULL, lost_count = lost_count + 1, outcome = 'lost', reason = 'host',
        -- It may have been started, which nobody can tell any more: it does not expire.
        expires_at = NULL
    FROM mine m WHERE l.id = m.id AND NOT (m.unwanted OR m.hopeless)
    RETURNING l.id, l.queue, l.rank, l.pos, l.job, l.retention
), history AS (
    INSERT INTO pawl.run (id, queue, rank, state, run_at, job, args, max_attempts, created_at, retention, trigger, backoff,
        timeout_ms, title, description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt,
        attempts_used, lost_count, outcome, reason, error_code, error_message, error_details, entities_processed,
        entities_total, current_stage, outcome_summary, host_id, pid, version, started_at, finished_at, cancel_requested_at,
        terminate_requested_at, cancel_reason, expires_at)
    SELECT id, queue, rank, final, run_at, job, args, max_attempts, created_at, kept, trigger, backoff, timeout_ms, title,
        description, labels, owner, organization, retry_of, schedule_id, planned_at, traceparent, attempt, attempts_used,
        lost_count + 1, 'lost', 'lost', error_code, error_message, error_details, entities_processed, entities_total,
        current_stage, outcome_summary, host_id, pid, version, started_at, clock_timestamp(), cancel_requested_at,
        terminate_requested_at, cancel_reason, expires_at
    FROM ended
), attempts AS (
    INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome, reason, host_id, host_epoch, pid, version,
        claimed_at, started_at, sentence)
    SELECT m.id, m.attempt, r.retention, clock_timestamp(), r.job, 'lost', 'host', m.host_id, m.host_epoch, m.pid, m.version,
        m.claimed_at, m.started_at, $4
    FROM mine m JOIN (SELECT id, job, retention FROM back UNION ALL SELECT id, job, kept FROM ended) r USING (id)
), events AS (
    INSERT INTO pawl.run_event (run_id, attempt, kind) SELECT id, attempt, 'lost' FROM mine
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n, last_run)
    SELECT queue, job, 'running', -count(*), NULL::bigint FROM (SELECT queue, job FROM back UNION ALL SELECT queue, job FROM ended) r
        GROUP BY 1, 2
    UNION ALL
    SELECT queue, job, 'queued', count(*), NULL FROM back GROUP BY 1, 2
    UNION ALL
    SELECT queue, job, final, count(*), max(id) FROM ended GROUP BY 1, 2, 3
)
SELECT queue, rank, pos, id FROM back UNION ALL SELECT NULL, NULL, NULL, id FROM ended
