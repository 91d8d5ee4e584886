-- schedule_events_done: events that have been dealt with. $1 schedules, $2 events
DELETE FROM pawl.schedule_event e USING unnest($1::bigint[], $2::text[]) AS i (schedule_id, event)
WHERE e.schedule_id = i.schedule_id AND e.event = i.event
