-- orphan_jobs: jobs that are not there and of which runs may wait, say the counts and what is not folded into them yet.
SELECT DISTINCT c.job FROM (
    SELECT job, state, n FROM pawl.run_counter
    UNION ALL
    SELECT job, state, n FROM pawl.counter_delta) c
WHERE c.n > 0 AND c.state IN ('queued', 'scheduled', 'retrying', 'blocked') AND NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = c.job)
