-- schedule_host_started: a host has started: an event for each schedule that waits for that, once. $1 host, $2 epoch
INSERT INTO pawl.schedule_event (schedule_id, event, due_at)
SELECT s.id, concat_ws(' ', 'host_start', $1::bigint, $2::bigint),
    now() + coalesce((s.spec ->> 'delay_ms')::bigint, 0) * interval '1 millisecond'
FROM pawl.schedule s WHERE s.kind = 'event' AND s.enabled AND s.spec ->> 'event' = 'host_start'
ON CONFLICT DO NOTHING
