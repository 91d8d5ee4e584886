-- orphan_end_waiting: cancels runs that wait and whose job is not there. $1 ids
SELECT w.id FROM (
    SELECT id, job FROM pawl.run_live WHERE state = 'queued' AND id = ANY ($1::bigint[])
    UNION ALL
    SELECT id, job FROM pawl.run_waiting WHERE id = ANY ($1::bigint[])) w
WHERE NOT EXISTS (SELECT FROM pawl.job j WHERE j.name = w.job)
    AND pawl.cancel_waiting(w.id, 'with the removal of the job ' || w.job)
