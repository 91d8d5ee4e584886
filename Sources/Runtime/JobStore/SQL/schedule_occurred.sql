-- schedule_occurred: the run of a planned time. $1 schedule, $2 planned, $3 run
UPDATE pawl.schedule_occurrence SET run_id = $3 WHERE schedule_id = $1 AND planned_at = $2
