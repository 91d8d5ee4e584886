-- contract_counts: what waits for handlers: runs, by the counters, and schedules that will fire. $1 handlers
SELECT j.handler, j.name,
    greatest(coalesce((SELECT sum(c.n) FROM (
        SELECT n FROM pawl.run_counter WHERE job = j.name AND state IN ('queued', 'scheduled', 'retrying', 'blocked')
        UNION ALL
        SELECT n FROM pawl.counter_delta WHERE job = j.name AND state IN ('queued', 'scheduled', 'retrying', 'blocked')) c), 0),
        0)::bigint AS waiting,
    (SELECT count(*) FROM pawl.schedule s WHERE s.job = j.name AND s.enabled AND s.next_at IS NOT NULL) AS schedules
FROM pawl.job j WHERE j.handler = ANY ($1::text[]) ORDER BY j.handler, j.name
