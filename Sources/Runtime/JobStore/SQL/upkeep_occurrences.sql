-- upkeep_occurrences: forgets what became of planned times after 90 days. $1 so many at a time
WITH gone AS (
    DELETE FROM pawl.schedule_occurrence WHERE (schedule_id, planned_at) IN (
        SELECT schedule_id, planned_at FROM pawl.schedule_occurrence WHERE fired_at < now() - interval '90 days' LIMIT $1)
    RETURNING 1)
SELECT count(*) FROM gone
