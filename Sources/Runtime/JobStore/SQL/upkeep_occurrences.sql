-- upkeep_occurrences: forgets firings after 90 days and minutes of statistics after a year, some at a time.
WITH minutes AS (
    DELETE FROM pawl.run_minute WHERE minute < now() - interval '366 days'
)
DELETE FROM pawl.schedule_occurrence WHERE (schedule_id, planned_at) IN (
    SELECT schedule_id, planned_at FROM pawl.schedule_occurrence WHERE fired_at < now() - interval '90 days' LIMIT 5000)
