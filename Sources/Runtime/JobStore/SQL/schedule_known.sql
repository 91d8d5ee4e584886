-- schedule_known: of these planned times, those that have a row. Whoever holds their schedules gets no other answer until the end of the
-- transaction: rows are only made by those who hold them. $1 schedules, $2 times
SELECT i.schedule_id, i.planned_at FROM unnest($1::bigint[], $2::timestamptz[]) AS i (schedule_id, planned_at)
-- One plan, whatever the statistics say: for each time a look into the primary key.
CROSS JOIN LATERAL (
    SELECT FROM pawl.schedule_occurrence o WHERE o.schedule_id = i.schedule_id AND o.planned_at = i.planned_at LIMIT 1) AS known
