-- run_stale_retry: sends runs that are still in the same attempt back to their queues, and tells their hosts. $1 ids,
-- $2 attempts, $3 actor
WITH mine AS (
    SELECT l.id, l.host_id, l.host_epoch, l.claimed_at, l.started_at, l.pid, l.version
    FROM pawl.run_live l JOIN unnest($1::bigint[], $2::bigint[]) AS i (id, attempt) ON l.id = i.id
    WHERE l.attempt = i.attempt AND l.state = 'running' ORDER BY l.id FOR UPDATE OF l
), back AS (
    UPDATE pawl.run_live l
    SET state = 'queued', pos = nextval('pawl.run_pos'), host_id = NULL, host_epoch = NULL, claimed_at = NULL,
        started_at = NULL, pid = NULL, attempts_used = attempts_used + 1, outcome = 'terminated', reason = 'stale',
        cancel_requested_at = NULL, terminate_requested_at = NULL, expires_at = NULL
    FROM mine m WHERE l.id = m.id
    RETURNING l.id, l.queue, l.rank, l.pos, l.lane, l.job, l.retention, l.attempt, m.host_id, m.host_epoch, m.claimed_at, m.started_at,
        m.pid, m.version
), attempts AS (
    INSERT INTO pawl.attempt (run_id, attempt, retention, ended_at, job, outcome, reason, host_id, host_epoch, pid, version,
        claimed_at, started_at, sentence)
    SELECT id, attempt, retention, clock_timestamp(), job, 'terminated', 'stale', host_id, host_epoch, pid, version, claimed_at,
        started_at, 'It ran for too long; the stale cleanup sent it back to its queue.'
    FROM back
), events AS (
    INSERT INTO pawl.run_event (run_id, attempt, kind, actor) SELECT id, attempt, 'stale_requeued', $3 FROM back
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT b.queue, b.job, s.state, s.sign * count(*)
    FROM back b CROSS JOIN (VALUES ('running', -1), ('queued', 1)) AS s (state, sign) GROUP BY b.queue, b.job, s.state, s.sign
), told AS (
    SELECT pg_notify('pawl_host_' || host_id, concat_ws(' ', 'terminate', id, attempt)) FROM back
)
SELECT back.id, back.queue, back.rank, back.pos, back.lane, (SELECT count(*) FROM told) FROM back
