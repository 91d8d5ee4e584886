-- schedule_events: what has happened for schedules that the transaction holds, in a statement of its own: what somebody has dealt with
-- until he let go of them is not there any more. $1 schedules, $2 of each at most
SELECT e.schedule_id, e.due_at, e.event FROM unnest($1::bigint[]) AS i (id) CROSS JOIN LATERAL (
    SELECT o.schedule_id, o.due_at, o.event FROM pawl.schedule_event o
    WHERE o.schedule_id = i.id AND o.due_at <= now() ORDER BY o.due_at, o.event LIMIT $2) e
ORDER BY e.schedule_id, e.due_at, e.event
