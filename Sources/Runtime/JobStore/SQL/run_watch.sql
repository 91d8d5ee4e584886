-- run_watch: what has been running for a while, longest first, with what its host says of it. $1 milliseconds, $2 queue (null: all),
-- $3 limit
SELECT l.id, l.job, l.queue, l.attempt, l.attempts_used, l.max_attempts, l.title, l.owner, l.host_id,
    coalesce(l.started_at, l.claimed_at) AS since,
    round(extract(epoch FROM now() - coalesce(l.started_at, l.claimed_at)) * 1000)::bigint AS running_ms,
    coalesce(l.timeout_ms, (j.limits ->> 'wall_ms')::bigint, (j.handler_limits ->> 'wall_ms')::bigint, 3600000) AS timeout_ms,
    l.cancel_requested_at IS NOT NULL OR l.terminate_requested_at IS NOT NULL AS is_ending,
    h.id IS NULL OR h.epoch <> l.host_epoch OR h.state NOT IN ('running', 'stopping')
        OR h.heartbeat_at < now() - h.heartbeat_ms * interval '3 milliseconds' AS is_silent,
    -- Fenced, not only late: after an absence of the database all but the first to be back are late.
    h.id IS NULL OR h.epoch IS DISTINCT FROM l.host_epoch OR h.state NOT IN ('running', 'stopping') AS is_gone,
    l.current_stage, l.entities_processed, l.entities_total, CASE WHEN octet_length(l.args::text) <= 4096 THEN l.args END AS args,
    octet_length(l.args::text)::bigint AS args_bytes,
    p.run_id IS NOT NULL AS is_heard_of, coalesce(p.is_frozen, false) AS is_frozen, p.deadline,
    round(extract(epoch FROM now() - p.progressed_at) * 1000)::bigint AS quiet_ms,
    round(extract(epoch FROM now() - p.busy_at) * 1000)::bigint AS idle_ms,
    round(extract(epoch FROM p.deadline - now()) * 1000)::bigint AS left_ms, p.cpu_ms, p.rss_bytes, p.processes::bigint
FROM pawl.run_live l
LEFT JOIN pawl.job j ON j.name = l.job
LEFT JOIN pawl.host h ON h.id = l.host_id
-- What nobody has repeated for a while is nothing to go by.
LEFT JOIN pawl.run_pulse p ON p.run_id = l.id AND p.attempt = l.attempt AND p.host_id = l.host_id
    AND p.noted_at > now() - interval '2 minutes'
WHERE l.state = 'running' AND coalesce(l.started_at, l.claimed_at) <= now() - $1::bigint * interval '1 millisecond'
    AND ($2::text IS NULL OR l.queue = $2)
ORDER BY since LIMIT $3
