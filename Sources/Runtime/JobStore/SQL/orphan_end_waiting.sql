-- orphan_end_waiting: cancels runs that wait and whose job is not there. $1 ids
WITH jobless AS MATERIALIZED (
    -- By itself: whoever cancels while it looks cancels also those whose job is there again.
    SELECT w.id, w.job FROM (
        SELECT id, job FROM pawl.run_live WHERE state = 'queued' AND id = ANY ($1::bigint[])
        UNION ALL
        SELECT id, job FROM pawl.run_waiting WHERE id = ANY ($1::bigint[])) w
    WHERE NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = w.job)
)
SELECT id FROM jobless WHERE pawl.cancel_waiting(id, 'with the removal of the job ' || job)
