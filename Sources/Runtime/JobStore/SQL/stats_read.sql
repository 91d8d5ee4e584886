-- stats_read: what happened in a span up to now, for each queue and job: how many runs entered each state, and sums of the
-- times of attempts that ended. The span is short buckets up to the turn and long ones from it on.
-- $1 short step, $2 from, $3 turn, $4 long step, $5 queue, $6 job (null: all), $7 the end
SELECT queue, job, state, sum(n)::bigint AS n, sum(wait_us)::bigint AS wait_us, sum(run_us)::bigint AS run_us FROM (
    SELECT queue, job, state, n, wait_us, run_us FROM pawl.rollup WHERE step_s = $1 AND at >= $2 AND at < $3
    UNION ALL
    SELECT queue, job, state, n, wait_us, run_us FROM pawl.rollup WHERE step_s = $4 AND at >= $3 AND at < $7
    UNION ALL
    SELECT queue, job, state, n, coalesce(wait_us, 0), coalesce(run_us, 0) FROM pawl.counter_delta WHERE n > 0 AND at >= $2
) r
WHERE queue <> '' AND ($5::text IS NULL OR queue = $5) AND ($6::text IS NULL OR job = $6)
GROUP BY queue, job, state
