-- place_wake: places have become free in these queues, and this host does not take them all: tells others that sleep, if runs wait
-- there. $1 queues, $2 this host
SELECT pg_notify('pawl_wake', w.queue) FROM unnest($1::text[]) AS w (queue)
WHERE EXISTS (SELECT FROM pawl.sleeper s WHERE s.queue IN (w.queue, '*') AND s.host_id <> $2)
    AND EXISTS (SELECT FROM pawl.run_live r WHERE r.queue = w.queue AND r.state = 'queued')
