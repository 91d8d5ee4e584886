-- run_claim_take: the second half of run_claim_open and run_claim_limited: makes what they found this host's.
), claimed AS (
    UPDATE pawl.run_live r
    SET state = 'running', host_id = $1, host_epoch = $2, attempt = attempt + 1, claimed_at = clock_timestamp(),
        is_limited = next.is_limited
    -- By place, not by id, and by no state that an index knows: there is only one plan for that, whatever the statistics say.
    FROM next WHERE r.ctid = next.place AND r.state <> 'running'
    RETURNING r.id, r.job, r.args, r.queue, r.rank, r.lane, r.pos, r.attempt, r.attempts_used, r.max_attempts, r.lost_count,
        r.backoff, r.timeout_ms, r.created_at, r.run_at, r.traceparent, r.owner, r.title, r.avoid_version, r.is_limited, r.retention
), counted AS (
    INSERT INTO pawl.counter_delta (queue, job, state, n)
    SELECT c.queue, c.job, s.state, s.sign * count(*)
    FROM claimed c CROSS JOIN (VALUES ('queued', -1), ('running', 1)) AS s (state, sign) GROUP BY c.queue, c.job, s.state, s.sign
)
SELECT c.id, c.job, c.args, c.queue, c.rank, c.pos, c.attempt, c.attempts_used, c.max_attempts, c.lost_count,
    coalesce(c.backoff, j.backoff) AS backoff, c.timeout_ms, c.created_at, c.run_at, c.traceparent, c.owner, c.title,
    coalesce(j.handler, c.job) AS handler, nullif(j.limits::text, '{}') AS limits,
    nullif(j.execution::text, '{}') AS execution, nullif(j.handler_execution::text, '{}') AS handler_execution,
    c.avoid_version, j.retention_failed, c.lane, c.is_limited, c.retention
FROM claimed c LEFT JOIN pawl.job j ON j.name = c.job
