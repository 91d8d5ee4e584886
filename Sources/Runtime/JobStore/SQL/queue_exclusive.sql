-- queue_exclusive: one host at a time serves it, or any number again. $1 name, $2 exclusive. No row: it is so already.
WITH set AS (
    INSERT INTO pawl.queue AS q (name, exclusive) SELECT $1, true WHERE $2
    ON CONFLICT (name) DO UPDATE SET exclusive = true WHERE NOT q.exclusive RETURNING name
), shared AS (
    UPDATE pawl.queue SET exclusive = false WHERE name = $1 AND NOT $2 AND exclusive RETURNING name
), ended AS (
    UPDATE pawl.holding o SET ended_at = now(), end_reason = 'shared' FROM shared s
    WHERE o.kind = 'queue' AND o.name = s.name AND o.ended_at IS NULL RETURNING o.id
)
SELECT c.name, pg_notify('pawl_holding', c.name), pg_notify('pawl_wake', c.name), (SELECT count(*) FROM ended)
FROM (SELECT name FROM set UNION ALL SELECT name FROM shared) c
