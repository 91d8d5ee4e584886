-- counter_read: runs by queue, job and state: what is folded and what is not yet. $1 job, $2 queue (null: all)
SELECT queue, job, state, sum(n)::bigint AS n, max(last_run) AS last_run,
    max(last_at) FILTER (WHERE last_run IS NOT NULL) AS last_at
FROM (SELECT queue, job, state, n, last_run, last_at FROM pawl.run_counter
    UNION ALL SELECT queue, job, state, n, last_run, at FROM pawl.counter_delta) c
WHERE ($1::text IS NULL OR job = $1) AND ($2::text IS NULL OR queue = $2)
GROUP BY queue, job, state
