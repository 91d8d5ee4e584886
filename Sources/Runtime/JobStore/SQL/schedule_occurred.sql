-- schedule_occurred: the runs of planned times. $1 schedules, $2 planned, $3 runs
UPDATE pawl.schedule_occurrence o SET run_id = i.run_id
FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[]) AS i (schedule_id, planned_at, run_id)
WHERE o.schedule_id = i.schedule_id AND o.planned_at = i.planned_at
