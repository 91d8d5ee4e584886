-- schedule_backfilled: the runs of times gone by, where there is none yet; answers those times that got theirs. $1 schedule, $2 times, $3 runs
INSERT INTO pawl.schedule_occurrence AS o (schedule_id, planned_at, run_id, source)
SELECT $1, i.planned_at, i.run_id, 'backfill' FROM unnest($2::timestamptz[], $3::bigint[]) AS i (planned_at, run_id)
ON CONFLICT (schedule_id, planned_at) DO UPDATE
    SET run_id = excluded.run_id, source = 'backfill', reason = NULL, fired_at = now() WHERE o.run_id IS NULL
RETURNING planned_at
