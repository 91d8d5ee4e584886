-- run_stale: what has been running for too long, longest first. $1 milliseconds, $2 limit, $3 queues (null: all)
SELECT id, job, queue, attempt, host_id, coalesce(started_at, claimed_at) AS since,
    round(extract(epoch FROM now() - coalesce(started_at, claimed_at)) * 1000)::bigint AS running_ms
FROM pawl.run_live
WHERE state = 'running' AND coalesce(started_at, claimed_at) <= now() - $1::bigint * interval '1 millisecond'
    AND ($3::text[] IS NULL OR queue = ANY ($3))
ORDER BY since LIMIT $2
