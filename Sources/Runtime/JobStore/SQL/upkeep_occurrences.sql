-- upkeep_occurrences: forgets what became of planned times after 90 days, and backfills 90 days after their end. $1 so many at a time
WITH gone AS (
    DELETE FROM pawl.schedule_occurrence WHERE (schedule_id, planned_at) IN (
        SELECT schedule_id, planned_at FROM pawl.schedule_occurrence WHERE fired_at < now() - interval '90 days' LIMIT $1)
    RETURNING 1
), backfills AS (
    DELETE FROM pawl.schedule_backfill WHERE id IN (
        SELECT id FROM pawl.schedule_backfill WHERE ended_at < now() - interval '90 days' LIMIT $1)
    RETURNING 1)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM backfills)
