-- schedule_going: runs of a schedule that have not ended, the oldest first, of its latest hundred. $1 schedule
SELECT run_id FROM (
    SELECT run_id, planned_at FROM pawl.schedule_occurrence
    WHERE schedule_id = $1 AND run_id IS NOT NULL ORDER BY planned_at DESC LIMIT 100) AS latest
WHERE EXISTS (SELECT FROM pawl.run_live WHERE id = run_id) OR EXISTS (SELECT FROM pawl.run_waiting WHERE id = run_id)
ORDER BY planned_at
