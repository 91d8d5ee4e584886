-- schedule_record: planned times that make no run, and why. $1 schedule, $2 [{"at": time, "reason": word}, …]
INSERT INTO pawl.schedule_occurrence (schedule_id, planned_at, reason)
SELECT $1, at, reason FROM json_to_recordset($2) AS each(at timestamptz, reason text)
ON CONFLICT DO NOTHING
