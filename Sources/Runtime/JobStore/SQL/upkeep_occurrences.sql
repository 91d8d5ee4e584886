-- upkeep_occurrences: forgets firings after 90 days, some at a time.
DELETE FROM pawl.schedule_occurrence WHERE (schedule_id, planned_at) IN (
    SELECT schedule_id, planned_at FROM pawl.schedule_occurrence WHERE fired_at < now() - interval '90 days' LIMIT 5000)
