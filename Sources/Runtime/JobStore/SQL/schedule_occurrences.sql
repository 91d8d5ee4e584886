-- schedule_occurrences: $1 schedule, $2 limit
SELECT schedule_id, planned_at, fired_at, run_id, missed, reason, source, event FROM pawl.schedule_occurrence
WHERE schedule_id = $1 ORDER BY planned_at DESC LIMIT $2
