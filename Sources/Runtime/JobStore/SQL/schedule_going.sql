-- schedule_going: runs of schedules that have not ended, the oldest first, of the latest hundred of each, and whether they wait for
-- others of it. Those of a backfill have a cap of their own. $1 schedules, $2 whether what was made by hand counts
SELECT i.id, latest.run_id,
    EXISTS (SELECT FROM pawl.schedule_turn t WHERE t.run_id = latest.run_id AND t.is_waiting) AS is_waiting
FROM unnest($1::bigint[], $2::boolean[]) AS i (id, with_manual)
CROSS JOIN LATERAL (
    SELECT o.run_id, o.planned_at FROM pawl.schedule_occurrence o
    WHERE o.schedule_id = i.id AND o.run_id IS NOT NULL AND o.source <> 'backfill' AND (i.with_manual OR o.source <> 'manual')
    ORDER BY o.planned_at DESC LIMIT 100) AS latest
WHERE EXISTS (SELECT FROM pawl.run_live l WHERE l.id = latest.run_id)
    OR EXISTS (SELECT FROM pawl.run_waiting w WHERE w.id = latest.run_id)
ORDER BY i.id, latest.planned_at
