-- schedule_record: planned times, each once; answers those that were not there. $1 schedules, $2 times, $3 missed before, $4 why it
-- makes no run (null: it makes one), $5 what made it, $6 the event (null: none), $7 its run (null: none, or told later)
INSERT INTO pawl.schedule_occurrence (schedule_id, planned_at, missed, reason, source, event, run_id)
SELECT i.schedule_id, i.planned_at, i.missed::integer, i.reason, i.source, i.event, i.run_id
FROM unnest($1::bigint[], $2::timestamptz[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::bigint[])
    AS i (schedule_id, planned_at, missed, reason, source, event, run_id)
    -- It may have been deleted a moment ago.
    JOIN pawl.schedule s ON s.id = i.schedule_id
ORDER BY 1, 2
ON CONFLICT DO NOTHING RETURNING schedule_id, planned_at
