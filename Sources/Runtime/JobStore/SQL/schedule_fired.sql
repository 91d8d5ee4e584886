-- schedule_fired: $1 schedule, $2 last time that fired, $3 its run (null: none did), $4 next time, $5 how many fired, $6 which of its times
-- the next one is, $7 how many are still to be skipped
UPDATE pawl.schedule SET next_at = $4, run_count = run_count + $5, last_planned_at = coalesce($2, last_planned_at),
    last_run = coalesce($3, last_run), last_error = NULL, ordinal = $6, skip_next = $7
WHERE id = $1
