-- run_claim: the oldest queued runs of the lanes (queue, rank, after), in the order of the lanes, at most $6 in all.
-- $1 host, $2 epoch, $3 queues, $4 ranks, $5 watermarks, $7 jobs that this host can run (null: all)
WITH lane AS (
    SELECT l.queue, l.rank, l.after
    FROM unnest($3::text[], $4::bigint[], $5::bigint[]) WITH ORDINALITY AS l (queue, rank, after, n)
    WHERE NOT EXISTS (SELECT FROM pawl.queue q WHERE q.name = l.queue AND (q.paused_at IS NOT NULL
            OR q.exclusive AND NOT EXISTS (SELECT FROM pawl.holding o WHERE o.kind = 'queue' AND o.name = q.name
                AND o.ended_at IS NULL AND o.host_id = $1 AND o.host_epoch = $2)))
        -- Who was fenced takes nothing.
        AND EXISTS (SELECT FROM pawl.host h WHERE h.id = $1 AND h.epoch = $2 AND h.state IN ('running', 'stopping'))
), next AS (
    -- Rows are pulled lane by lane and locked as they are pulled: the outer limit locks none too many.
    SELECT head.place FROM lane l CROSS JOIN LATERAL (
        SELECT r.ctid AS place FROM pawl.run_live r
        WHERE r.queue = l.queue AND r.rank = l.rank AND r.state = 'queued' AND r.pos > l.after
            AND ($7::text[] IS NULL OR r.job = ANY ($7)) AND (r.expires_at IS NULL OR r.expires_at > now())
        ORDER BY r.pos LIMIT $6 FOR UPDATE SKIP LOCKED) head
    LIMIT $6
), claimed AS (
    UPDATE pawl.run_live r
    SET state = 'running', host_id = $1, host_epoch = $2, attempt = attempt + 1, claimed_at = now()
    -- By place, not by id: there is only one plan for that, whatever the statistics say.
    FROM next WHERE r.ctid = next.place AND r.state = 'queued'
    RETURNING r.id, r.job, r.args, r.queue, r.rank, r.pos, r.attempt, r.attempts_used, r.max_attempts, r.lost_count, r.backoff,
        r.timeout_ms, r.created_at, r.run_at, r.traceparent, r.owner, r.title, r.avoid_version, r.retention
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT c.queue, c.job, s.state, s.sign * count(*)
    FROM claimed c CROSS JOIN (VALUES ('queued', -1), ('running', 1)) AS s (state, sign) GROUP BY c.queue, c.job, s.state, s.sign
)
SELECT c.id, c.job, c.args, c.queue, c.rank, c.pos, c.attempt, c.attempts_used, c.max_attempts, c.lost_count,
    coalesce(c.backoff, j.backoff) AS backoff, c.timeout_ms, c.created_at, c.run_at, c.traceparent, c.owner, c.title,
    coalesce(j.handler, c.job) AS handler, nullif(j.limits::text, '{}') AS limits,
    nullif(j.execution::text, '{}') AS execution, nullif(j.handler_execution::text, '{}') AS handler_execution,
    c.avoid_version, j.retention_failed, c.retention
FROM claimed c LEFT JOIN pawl.job j ON j.name = c.job
