-- holding_release: a host that stops gives up its roles, and the exclusive queues of which nothing runs there any more. It claims no
-- more when it says so. $1 host, $2 epoch
WITH ended AS (
    UPDATE pawl.holding o SET ended_at = now(), end_reason = 'stopped'
    WHERE o.host_id = $1 AND o.host_epoch = $2 AND o.ended_at IS NULL AND (o.kind = 'role' OR NOT EXISTS (
        SELECT FROM pawl.run_live l WHERE l.state = 'running' AND l.queue = o.name AND l.host_id = $1 AND l.host_epoch = $2))
    RETURNING o.name
), told AS (
    SELECT pg_notify('pawl_holding', '') FROM ended LIMIT 1
)
SELECT count(*) FROM told
