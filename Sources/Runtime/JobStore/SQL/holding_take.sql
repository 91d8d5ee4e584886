-- holding_take: takes what is free: exclusive queues, and these roles. $1 host, $2 epoch, $3 roles
-- A queue is not free while a run of it executes elsewhere. Of several hosts the unique index lets one through.
INSERT INTO pawl.holding (kind, name, host_id, host_epoch)
SELECT w.kind, w.name, $1, $2
FROM (SELECT 'queue' AS kind, name FROM pawl.queue WHERE exclusive UNION ALL SELECT 'role', unnest($3::text[])) w
WHERE EXISTS (SELECT FROM pawl.host h WHERE h.id = $1 AND h.epoch = $2 AND h.state = 'running')
    AND NOT EXISTS (SELECT FROM pawl.holding o WHERE o.kind = w.kind AND o.name = w.name AND o.ended_at IS NULL)
    AND NOT (w.kind = 'queue' AND EXISTS (SELECT FROM pawl.run_live l
        WHERE l.state = 'running' AND l.queue = w.name AND (l.host_id <> $1 OR l.host_epoch <> $2)))
ON CONFLICT (kind, name) WHERE ended_at IS NULL DO NOTHING
RETURNING kind, name
