-- schedule_fired: $1 schedule, $2 planned, $3 run, $4 next time, $5 whether it fired
WITH occurrence AS (
    UPDATE pawl.schedule_occurrence SET run_id = $3 WHERE schedule_id = $1 AND planned_at = $2 AND $5
)
UPDATE pawl.schedule SET next_at = $4, run_count = run_count + CASE WHEN $5 THEN 1 ELSE 0 END,
    last_planned_at = CASE WHEN $5 THEN $2 ELSE last_planned_at END, last_run = CASE WHEN $5 THEN $3 ELSE last_run END,
    last_error = NULL
WHERE id = $1
