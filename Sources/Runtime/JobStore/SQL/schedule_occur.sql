-- schedule_occur: one firing of one planned time, once. $1 schedule, $2 planned, $3 missed before it
INSERT INTO pawl.schedule_occurrence (schedule_id, planned_at, missed) VALUES ($1, $2, $3)
ON CONFLICT DO NOTHING RETURNING planned_at
