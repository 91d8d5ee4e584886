-- stats_series: what happened when: one row for each bucket of time and state. The state 'up' says that there was a host.
-- $1 step of the rollup, $2 from, $3 before, $4 seconds of a bucket, $5 to $6 queues, $7 to $8 jobs: all empty for the sums
SELECT date_bin($4::bigint * interval '1 second', at, 'epoch') AS at, state, sum(n)::bigint AS n, sum(wait_us)::bigint AS wait_us,
    sum(run_us)::bigint AS run_us
FROM (
    SELECT at, state, n, wait_us, run_us FROM pawl.rollup
    WHERE step_s = $1 AND at >= $2 AND at < $3 AND queue >= $5 AND queue <= $6 AND job >= $7 AND job <= $8
    UNION ALL
    SELECT at, state, n, 0, 0 FROM pawl.rollup
    WHERE step_s = $1 AND at >= $2 AND at < $3 AND queue = '' AND job = '' AND state = 'up' AND $6 <> ''
) r
GROUP BY 1, 2 ORDER BY 1, 2
