-- schedule_broken: it could not fire; tried again in a minute. $1 schedule, $2 why
UPDATE pawl.schedule SET last_error = $2, next_at = greatest(next_at, now() + interval '1 minute') WHERE id = $1
