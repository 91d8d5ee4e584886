-- stats_since: finished runs by state. $1 time
SELECT state, sum(n)::bigint AS n, sum(run_ms)::bigint AS run_ms FROM (
    SELECT state, n, run_ms FROM pawl.run_minute WHERE minute >= date_trunc('minute', $1::timestamptz)
    UNION ALL
    SELECT state, n, coalesce(run_ms, 0) FROM pawl.counter_delta
    WHERE at >= $1 AND state IN ('succeeded', 'failed', 'cancelled')) s
GROUP BY state
