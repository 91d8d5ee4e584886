-- schedule_broken: they could not fire; tried again in a minute, at the times that were planned. $1 schedules, $2 why
UPDATE pawl.schedule s SET last_error = i.reason, retry_at = now() + interval '1 minute'
FROM unnest($1::bigint[], $2::text[]) AS i (id, reason) WHERE s.id = i.id
