-- sleep_wake: notifies those who sleep on these queues. $1 queues
SELECT pg_notify('pawl_wake', q) FROM unnest($1::text[]) AS q
WHERE EXISTS (SELECT FROM pawl.sleeper s WHERE s.queue IN (q, '*'))
