-- upkeep_orphans: ends runs that wait and whose job is not there any more, among the next ones by number. Answers where it came to
-- (null: to the end) and how many it has ended. $1 jobs, $2 after this run, $3 how many are looked at
WITH slice AS MATERIALIZED (
    SELECT w.id, w.job FROM (
        SELECT id, job FROM pawl.run_live WHERE state = 'queued'
        UNION ALL
        SELECT id, job FROM pawl.run_waiting) w
    WHERE w.id > $2 ORDER BY w.id LIMIT $3
), ended AS (
    -- A job of that name may have come back; in one look its runs are never there without it.
    SELECT count(*) FILTER (WHERE pawl.cancel_waiting(s.id, 'with the removal of the job ' || s.job)) AS n
    FROM slice s WHERE s.job = ANY ($1::text[]) AND NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = s.job)
)
SELECT (SELECT CASE WHEN count(*) = $3::bigint THEN max(id) END FROM slice) AS at, (SELECT n FROM ended) AS ended
