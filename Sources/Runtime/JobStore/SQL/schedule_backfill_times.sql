-- schedule_backfill_times: which of these times have a run. $1 schedule, $2 times
SELECT planned_at FROM pawl.schedule_occurrence WHERE schedule_id = $1 AND planned_at = ANY ($2::timestamptz[]) AND run_id IS NOT NULL
